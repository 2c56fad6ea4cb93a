//! A reactor that is turned by hand.

use super::PATIENCE;
use super::clients::{client, peek_now};
use ropewalk::{Factory, Reactor};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A reactor that listens on a port of this machine.
pub(crate) fn up(factory: impl Factory) -> (Reactor, SocketAddr) {
    let mut reactor = Reactor::new().expect("a reactor");
    let address = listen(&mut reactor, factory);
    (reactor, address)
}

pub(crate) fn listen(reactor: &mut Reactor, factory: impl Factory) -> SocketAddr {
    let port = reactor.listen_tcp("127.0.0.1:0", factory).expect("a free port");
    port.address().socket_addr().expect("an IP address")
}

/// A client of an echo has all its answers, whatever else goes on.
pub(crate) fn assert_client_is_echoed(reactor: &mut Reactor, address: SocketAddr) {
    let mut client = client(address);
    for _ in 0..50 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(reactor, &client, 4), b"ping");
    }
}

/// Turns until `condition` holds.
pub(crate) fn turn_until(
    reactor: &mut Reactor,
    what: &str,
    mut condition: impl FnMut(&mut Reactor) -> bool,
) {
    let begin = Instant::now();
    while !condition(reactor) {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Turns until a turn with nothing to do has passed: for asserting that nothing more happens.
pub(crate) fn turns(reactor: &mut Reactor, count: usize) {
    for _ in 0..count {
        reactor.turn(Some(Duration::from_millis(1))).expect("a turn");
    }
}

/// Turns for some time: what the system is to do by itself takes that long.
pub(crate) fn turns_for(reactor: &mut Reactor, time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Whether the reactor comes to rest: of some turns with nothing to do, one waits for all its time.
/// A reactor that spins has none such.
pub(crate) fn becomes_idle(reactor: &mut Reactor) -> bool {
    let limit = Duration::from_millis(30);
    (0..20).any(|_| {
        let begin = Instant::now();
        reactor.turn(Some(limit)).expect("a turn");
        begin.elapsed() >= limit - Duration::from_millis(2)
    })
}

/// Turns while `client` waits for `count` bytes, and returns them.
pub(crate) fn read_turning(reactor: &mut Reactor, client: &TcpStream, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    while got.len() < count {
        assert!(begin.elapsed() < 3 * PATIENCE, "got {} of {count} bytes", got.len());
        match peek_now(client, &mut buffer) {
            Some(Ok(0)) => panic!("the end came after {} of {count} bytes", got.len()),
            Some(Ok(read)) => got.extend_from_slice(&buffer[..read]),
            Some(Err(error)) => panic!("{error} after {} of {count} bytes", got.len()),
            None => reactor.turn(Some(Duration::from_millis(5))).expect("a turn"),
        }
    }
    got
}

/// Turns while `client` reads to the end.
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
