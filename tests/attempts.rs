//! Attempts to connect in the scripted world: what is asked of them early, which error is told, and
//! that they leave no timer behind.

#[path = "support/script.rs"]
mod script;
mod support;

use ropewalk::backend::Happening;
use ropewalk::{ConnectOptions, Id, Reactor};
use script::{Script, Wire};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use support::*;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Begins to connect to as many addresses as there are outcomes.
fn connect(
    outcomes: impl IntoIterator<Item = Result<Wire, ErrorKind>>,
) -> (Script, Reactor, Log, Failures, Id) {
    let (script, mut reactor) = Script::new();
    let (log, failures) = (Log::default(), Failures::default());
    let outcomes: Vec<_> = outcomes.into_iter().collect();
    let addresses: Vec<SocketAddr> =
        (1..=outcomes.len()).map(|n| ([10, 0, 0, n as u8], 7000).into()).collect();
    outcomes.into_iter().for_each(|outcome| script.connect(outcome));
    let options = ConnectOptions::new().timeout(TIMEOUT);
    let caller = Caller::new(&log, &failures, only_record);
    let context = reactor.context();
    let id = context.connect_tcp_with(&addresses[..], &options, caller).unwrap();
    (script, reactor, log, failures, id)
}

/// The attempt has an outcome, as the poll tells.
fn settle(script: &Script, reactor: &mut Reactor, wire: &Wire) {
    script.tell(wire.id(), Happening { writable: true, ..Happening::default() });
    turn(reactor);
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn an_attempt_leaves_no_timer_behind_however_it_ends() {
    let wire = Wire::wide();
    let (script, mut reactor, log, _failures, _id) = connect([Ok(wire.clone())]);
    turn(&mut reactor);
    assert_eq!(reactor.timeout(), Some(TIMEOUT));
    wire.connected();
    settle(&script, &mut reactor, &wire);
    assert_eq!((log.made(), reactor.timeout()), (1, None));

    let wire = Wire::wide();
    let (script, mut reactor, _log, failures, _id) = connect([Ok(wire.clone())]);
    turn(&mut reactor);
    wire.has_error(ErrorKind::ConnectionRefused);
    settle(&script, &mut reactor, &wire);
    assert_eq!((failures.borrow().len(), reactor.timeout()), (1, None));

    let (_script, mut reactor, _log, failures, id) = connect([Ok(Wire::wide())]);
    reactor.context().abort(id);
    turn(&mut reactor);
    assert_eq!((failures.borrow().len(), reactor.timeout()), (1, None));
}

#[test]
fn the_error_that_is_told_is_that_of_the_address_that_is_told() {
    use ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable};
    // The system refuses to begin any of them.
    let outcomes = [Err(ConnectionRefused), Err(HostUnreachable), Err(AddrNotAvailable)];
    let (_script, mut reactor, _log, failures, _id) = connect(outcomes);
    turn(&mut reactor);
    let told = failures.borrow();
    assert_eq!(told[0].1.kind(), AddrNotAvailable);
    assert!(told[0].1.to_string().contains("10.0.0.3:7000"), "{}", told[0].1);
}

#[test]
fn an_attempt_whose_time_is_up_is_told_with_the_error_that_its_socket_has() {
    for (error, kind) in [
        (None, ErrorKind::TimedOut),
        (Some(ErrorKind::ConnectionRefused), ErrorKind::ConnectionRefused),
    ] {
        let wire = Wire::wide();
        let (script, mut reactor, _log, failures, _id) = connect([Ok(wire.clone())]);
        turn(&mut reactor);
        error.into_iter().for_each(|kind| wire.has_error(kind));
        reactor.turn(None).unwrap(); // The poll says nothing.
        assert_eq!(script.last_wait(), Some(TIMEOUT));
        assert_eq!(failures.borrow()[0].1.kind(), kind);
        assert!(wire.is_closed());
    }
}

#[test]
fn what_waits_for_a_connection_that_is_not_there_is_limited() {
    let wire = Wire::wide();
    let (_script, mut reactor, log, failures, id) = connect([Ok(wire.clone())]);
    reactor.context().set_write_limit(id, 1000);
    (0..101).for_each(|_| reactor.context().write(id, &[0; 10]));
    turn(&mut reactor);
    assert_eq!(failures.borrow().len(), 0, "the write that finds more than the limit ends it");
    reactor.context().write(id, &[0; 10]);
    turn(&mut reactor);
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("too much") && log.made() == 0, "{text}");
    assert!(wire.is_closed() && wire.written().is_empty());
}

#[test]
fn limits_that_are_set_early_are_those_of_the_connection() {
    let wire = Wire::default();
    let (script, mut reactor, log, _failures, id) = connect([Ok(wire.clone())]);
    reactor.context().set_write_limit(id, 1000);
    reactor.context().set_write_buffer_limits(id, 100, 0);
    wire.connected();
    settle(&script, &mut reactor, &wire);
    assert_eq!(log.made(), 1);
    for (length, pauses, ends) in [(100, 0, 0), (1, 1, 0), (1000, 1, 0), (1, 1, 1)] {
        reactor.context().write(id, &vec![0; length]);
        turn(&mut reactor);
        let told = log.count(|event| *event == Event::PauseWriting);
        assert_eq!((told, log.lost()), (pauses, ends), "after {length}");
    }
    assert_eq!(log.reasons(), ["WriteLimit"]);
}
