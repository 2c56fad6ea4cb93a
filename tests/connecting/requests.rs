//! Requests and data that precede the connection.

use crate::support::*;
use crate::targets::*;
use ropewalk::Reactor;
use std::io::Write;
use std::net::TcpListener;

#[test]
fn early_writes_are_sent_first() {
    let (log, failures) = (Log::default(), Failures::default());
    let (listener, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, |transport, event| {
        if *event == Event::Made {
            transport.write(b"made ");
        }
    });
    let id = reactor.connect_tcp(live, caller).unwrap();
    reactor.context().transport(id).write(b"early ");
    assert_eq!(reactor.context().transport(id).write_buffer_size(), 6);
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    reactor.context().transport(id).write(b"late");
    reactor.context().close(id);
    turns(&mut reactor, 2);
    assert_eq!(read_all(&listener.accept().unwrap().0), b"early made late");
}

#[test]
fn data_and_end_before_the_event_are_delivered() {
    for how in 0..3 {
        let (log, failures) = (Log::default(), Failures::default());
        let (listener, live) = listening();
        let mut reactor = Reactor::new().unwrap();
        reactor.connect_tcp(live, Caller::new(&log, &failures, only_record)).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"welcome").unwrap();
        // All of this precedes the first poll.
        match how {
            0 => drop(peer),
            1 => peer.shutdown(std::net::Shutdown::Write).unwrap(),
            _ => reset(peer),
        }
        turn_until(&mut reactor, "an outcome", |_| log.lost() + failures.borrow().len() == 1);
        turns(&mut reactor, 3);
        if how < 2 {
            assert_eq!(log.data(), b"welcome");
            assert_eq!(log.reasons(), ["ClosedByPeer"]);
        }
        assert_eq!(log.made() + failures.borrow().len(), 1, "exactly one outcome");
        log.check(true);
    }
}

#[test]
fn early_requests_apply_once_connected() {
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let failures = Failures::default();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    let context = reactor.context();
    context.transport(id).set_write_buffer_limits(10, 0);
    context.transport(id).pause();
    context.transport(id).write(b"all of our data");
    context.transport(id).write_eof();
    context.transport(id).write(b"dropped");
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(b"answer").unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 3);
    assert_eq!(read_all(&peer), b"all of our data");
    assert!(reactor.context().transport(id).is_paused());
    assert_eq!(log.data(), b"", "nothing is delivered while it is paused");
    reactor.context().transport(id).resume();
    turn_until(&mut reactor, "the answer", |_| log.data() == b"answer");
    drop(peer);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"], "our side ended first");
}
