//! Numbered chunks, in which any loss, cut or swap shows.

use crate::support::*;
use ropewalk::{ConnectionCounts, Id, ListenOptions, Reactor, SlowReader};
use std::net::TcpStream;

/// How long each piece of a feed is, in bytes: all of it tells its number, so that a piece that was
/// cut, doubled or swapped shows.
pub(crate) const PIECE: usize = 1_000;

/// How many bytes may wait behind what is next.
pub(crate) const LIMIT: usize = 20_000;

pub(crate) fn piece(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(PIECE / 4)
}

/// The numbers of the pieces in `bytes`, each of which has to be whole.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<u32> {
    assert_eq!(bytes.len() % PIECE, 0, "no piece is cut");
    let whole = |bytes: &[u8]| {
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes, piece(number), "a piece of its own");
        number
    };
    bytes.chunks(PIECE).map(whole).collect()
}

/// A reactor whose listener has chosen `slow_reader`, the id of its one connection, and the client.
pub(crate) fn one(log: &Log, slow_reader: SlowReader) -> (Reactor, Id, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(slow_reader);
    let port = reactor
        .context()
        .listen_tcp_with("127.0.0.1:0", &options, recorders(log, only_record))
        .unwrap();
    let client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    (reactor, id, client)
}

pub(crate) fn counts(reactor: &mut Reactor, id: Id) -> ConnectionCounts {
    reactor.context().connection_counts(id).expect("it is there")
}

/// Sends pieces, from number 0 on, until the system takes nothing more for a while and all that comes
/// anew makes something old be dropped. Returns how many that took.
pub(crate) fn feed_until_dropped(reactor: &mut Reactor, id: Id) -> u32 {
    let (mut next, mut sent, mut in_vain) = (0, 0, 0);
    turn_until(reactor, "dropped", |reactor| {
        for _ in 0..100 {
            reactor.context().write(id, &piece(next));
            next += 1;
        }
        let now = counts(reactor, id).sent;
        in_vain = if now == sent { in_vain + 1 } else { 0 };
        sent = now;
        in_vain > 10 && counts(reactor, id).dropped > 100
    });
    next
}

/// What the client gets until the connection is closed.
pub(crate) fn rest(reactor: &mut Reactor, id: Id, client: &TcpStream) -> Vec<u32> {
    reactor.context().close(id);
    numbers(&read_all_turning(reactor, client).unwrap())
}

pub(crate) fn increases(numbers: &[u32]) -> bool {
    numbers.is_sorted_by(|before, after| before < after)
}
