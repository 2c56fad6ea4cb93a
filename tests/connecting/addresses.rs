//! Attempts with several addresses or a host name.

use crate::support::*;
use crate::targets::*;
use ropewalk::{ConnectOptions, Reactor, Transport};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

#[test]
fn silent_address_leaves_time_for_the_next() {
    let (log, failures) = (Log::default(), Failures::default());
    let (silent, _listener, _fillers) = silent();
    let (_server, address) = listening();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(400));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    let addresses = [silent, silent, dead(), address];
    options.connect_tcp(reactor.context(), &addresses[..], caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() + failures.borrow().len() == 1);
    assert_eq!(log.made(), 1, "{:?}", failures.borrow().first());
    assert!(
        begin.elapsed() >= Duration::from_millis(200),
        "each address had a quarter of the time"
    );
}

#[test]
fn silent_addresses_share_the_timeout() {
    let (log, failures) = (Log::default(), Failures::default());
    let (silent, _listener, _fillers) = silent();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(90));
    let caller = Caller::new(&log, &failures, only_record);
    let begin = std::time::Instant::now();
    options.connect_tcp(reactor.context(), &[silent; 3][..], caller).unwrap();
    turn_until(&mut reactor, "timed out", |_| !failures.borrow().is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(90), "not before its time");
    assert_eq!(failures.borrow()[0].1.kind(), ErrorKind::TimedOut);
}

#[test]
fn addresses_are_tried_until_one_answers() {
    let (log, failures) = (Log::default(), Failures::default());
    let (listener, live) = listening();
    let mut reactor = Reactor::new().unwrap();
    // The first is a broadcast address and fails at once; the second fails a moment later.
    let addresses = ["127.255.255.255:9".parse().unwrap(), dead(), live];
    let caller = Caller::new(&log, &failures, |transport, event| {
        if *event == Event::Made {
            transport.write(b"found");
            transport.close();
        }
    });
    let id = reactor.connect_tcp(&addresses[..], caller).unwrap();
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    assert_eq!(log.ids(), [id]);
    assert_eq!(read_all(&listener.accept().unwrap().0), b"found");
    assert!(failures.borrow().is_empty());
}

#[test]
fn all_addresses_are_reported_when_all_fail() {
    let (log, failures) = (Log::default(), Failures::default());
    let mut reactor = Reactor::new().unwrap();
    let addresses = [dead(), dead()];
    let caller = Caller::new(&log, &failures, only_record);
    reactor.connect_tcp(&addresses[..], caller).unwrap();
    turn_until(&mut reactor, "a failure", |_| !failures.borrow().is_empty());
    turns(&mut reactor, 3);
    let failures = failures.borrow();
    assert_eq!((failures.len(), log.made()), (1, 0));
    let text = failures[0].1.to_string();
    for address in addresses {
        assert!(text.contains(&format!("{address}: connection refused")), "{text}");
    }
    assert!(text.ends_with("(nothing listens there; is the server running?)"), "{text}");
}

#[test]
fn names_are_resolved_and_invalid_addresses_refused() {
    let (log, failures) = (Log::default(), Failures::default());
    let (mut reactor, address) = up(|| Echo);
    let caller = || Caller::new(&log, &failures, only_record);
    reactor.connect_tcp(("localhost", address.port()), caller()).unwrap();
    turn_until(&mut reactor, "connected by name", |_| log.made() == 1);
    let error = reactor.connect_tcp("no port", caller()).unwrap_err();
    assert!(error.to_string().contains("no port"), "{error}");
    let nowhere: [SocketAddr; 0] = [];
    assert!(reactor.connect_tcp(&nowhere[..], caller()).is_err());
    assert!(failures.borrow().is_empty(), "a refused request causes no callback");
}

#[test]
fn readiness_does_not_carry_over_to_next_address() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.connect_tcp(&[dead(), good][..], recorders(&log, hook)).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 5);
    assert_eq!(log.count(|event| *event == Event::EofNoticed), 0);
}
