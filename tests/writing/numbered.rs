//! Numbered chunks, in which any loss, cut or swap shows.

use crate::support::*;
use ropewalk::{ConnectionCounts, Id, ListenOptions, Reactor, SlowReader};
use std::net::TcpStream;

/// The length of a chunk in bytes. It repeats its number, so that a cut, duplicate or swap shows.
pub(crate) const CHUNK: usize = 1_000;

/// The limit of the queue, in bytes behind the next chunk.
pub(crate) const LIMIT: usize = 20_000;

pub(crate) fn chunk(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(CHUNK / 4)
}

/// Returns the numbers of the chunks in `bytes`, and asserts that each is whole.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<u32> {
    assert_eq!(bytes.len() % CHUNK, 0, "a chunk was cut");
    let whole = |bytes: &[u8]| {
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes, chunk(number), "a chunk was mixed");
        number
    };
    bytes.chunks(CHUNK).map(whole).collect()
}

/// Returns a reactor with one connection under `slow_reader`, its id, and the client.
pub(crate) fn one_connection(log: &Log, slow_reader: SlowReader) -> (Reactor, Id, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(slow_reader);
    let port =
        options.listen_tcp(reactor.context(), "127.0.0.1:0", recorders(log, only_record)).unwrap();
    let client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    (reactor, id, client)
}

pub(crate) fn counts(reactor: &mut Reactor, id: Id) -> ConnectionCounts {
    reactor.context().transport(id).counts()
}

/// Sends chunks, from number 0, until the system accepts no more and each new chunk drops an old
/// one. Returns how many were sent.
pub(crate) fn write_until_dropped(reactor: &mut Reactor, id: Id) -> u32 {
    let (mut next, mut sent, mut unchanged) = (0, 0, 0);
    turn_until(reactor, "dropped", |reactor| {
        for _ in 0..100 {
            reactor.context().transport(id).write(&chunk(next));
            next += 1;
        }
        let now = counts(reactor, id).sent;
        unchanged = if now == sent { unchanged + 1 } else { 0 };
        sent = now;
        unchanged > 10 && counts(reactor, id).dropped > 100
    });
    next
}

/// Closes the connection, and returns the chunks that the client still receives.
pub(crate) fn rest(reactor: &mut Reactor, id: Id, client: &TcpStream) -> Vec<u32> {
    reactor.context().close(id);
    numbers(&read_all_turning(reactor, client).unwrap())
}

pub(crate) fn increases(numbers: &[u32]) -> bool {
    numbers.is_sorted_by(|before, after| before < after)
}
