//! Reactors that a test turns.

use super::PATIENCE;
use super::clients::{client, peek_now};
use super::record::{Event, Log, recorders};
use ropewalk::{Context, Factory, Reactor, RunPhase, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Returns a reactor that listens on a loopback port, and the address.
pub(crate) fn up(factory: impl Factory) -> (Reactor, SocketAddr) {
    let mut reactor = Reactor::new().expect("a reactor");
    let address = listen(&mut reactor, factory);
    (reactor, address)
}

/// Returns a reactor that listens with recorders, and a client that is connected.
pub(crate) fn up_with_client(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> (Reactor, TcpStream) {
    let (mut reactor, address) = up(recorders(log, hook));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    (reactor, client)
}

pub(crate) fn listen(reactor: &mut Reactor, factory: impl Factory) -> SocketAddr {
    let port = reactor.listen_tcp("127.0.0.1:0", factory).expect("a free port");
    port.address().socket_addr().expect("an IP address")
}

/// Asserts that a client of an echo receives all its answers, whatever else happens.
pub(crate) fn assert_client_is_echoed(reactor: &mut Reactor, address: SocketAddr) {
    let mut client = client(address);
    for _ in 0..50 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(reactor, &client, 4), b"ping");
    }
}

/// Turns until `condition` returns true. `what` names it if it never does.
pub(crate) fn turn_until(
    reactor: &mut Reactor,
    what: &str,
    mut condition: impl FnMut(&mut Reactor) -> bool,
) {
    let begin = Instant::now();
    while !condition(reactor) {
        assert!(begin.elapsed() < PATIENCE, "timed out: {what}");
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Makes one turn, which does not wait.
pub(crate) fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).expect("a turn");
}

/// Makes `count` turns, for asserting that nothing more happens.
pub(crate) fn turns(reactor: &mut Reactor, count: usize) {
    for _ in 0..count {
        reactor.turn(Some(Duration::from_millis(1))).expect("a turn");
    }
}

/// Turns for some time, for changes that the system makes by itself.
pub(crate) fn turns_for(reactor: &mut Reactor, time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Returns true if the reactor becomes idle: one of some turns waits for its whole limit. A reactor that spins
/// has no such turn.
pub(crate) fn becomes_idle(reactor: &mut Reactor) -> bool {
    let limit = Duration::from_millis(30);
    (0..20).any(|_| {
        let begin = Instant::now();
        reactor.turn(Some(limit)).expect("a turn");
        begin.elapsed() >= limit - Duration::from_millis(2)
    })
}

/// Turns until `client` has received `count` bytes, and returns them.
pub(crate) fn read_turning(reactor: &mut Reactor, client: &TcpStream, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    while got.len() < count {
        assert!(begin.elapsed() < 3 * PATIENCE, "got {} of {count} bytes", got.len());
        match peek_now(client, &mut buffer) {
            Some(Ok(0)) => panic!("end of stream after {} of {count} bytes", got.len()),
            Some(Ok(read)) => got.extend_from_slice(&buffer[..read]),
            Some(Err(error)) => panic!("{error} after {} of {count} bytes", got.len()),
            None => reactor.turn(Some(Duration::from_millis(5))).expect("a turn"),
        }
    }
    got
}

/// Turns until `client` has read to the end.
pub(crate) fn read_all_turning(
    reactor: &mut Reactor,
    client: &TcpStream,
) -> std::io::Result<Vec<u8>> {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < 3 * PATIENCE, "no end after {} bytes", got.len());
        match peek_now(client, &mut buffer) {
            Some(Ok(0)) => return Ok(got),
            Some(Ok(read)) => got.extend_from_slice(&buffer[..read]),
            Some(Err(error)) => return Err(error),
            None => reactor.turn(Some(Duration::from_millis(5))).expect("a turn"),
        }
    }
}

/// Stops the reactor, and makes a request while it shuts down. Returns what became of it.
pub(crate) fn in_shutdown<T: 'static>(
    reactor: &mut Reactor,
    request: impl FnOnce(&mut Context) -> T + 'static,
) -> T {
    let outcome = Rc::new(Cell::new(None));
    let noted = Rc::clone(&outcome);
    RunPhase::DuringShutdown.call(reactor.context(), move |context| {
        noted.set(Some(request(context)));
    });
    reactor.context().stop();
    reactor.run().expect("a poll");
    outcome.take().expect("a shutdown")
}
