//! Attempts on the scripted backend: errors, limits and timers.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::backend::Readiness;
use ropewalk::{ConnectOptions, Id, Reactor};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Starts an attempt with one address for each outcome.
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
    let id = options.connect_tcp(context, &addresses[..], caller).unwrap();
    (script, reactor, log, failures, id)
}

/// Reports an event for the attempt, which then reads its outcome.
fn report_outcome(script: &Script, reactor: &mut Reactor, wire: &Wire) {
    script.report(wire.id(), Readiness::WRITABLE);
    turn(reactor);
}

#[test]
fn attempt_leaves_no_timer() {
    let wire = Wire::unlimited();
    let (script, mut reactor, log, _failures, _id) = connect([Ok(wire.clone())]);
    turn(&mut reactor);
    assert_eq!(reactor.timeout(), Some(TIMEOUT));
    wire.connected();
    report_outcome(&script, &mut reactor, &wire);
    assert_eq!((log.made(), reactor.timeout()), (1, None));

    let wire = Wire::unlimited();
    let (script, mut reactor, _log, failures, _id) = connect([Ok(wire.clone())]);
    turn(&mut reactor);
    wire.has_error(ErrorKind::ConnectionRefused);
    report_outcome(&script, &mut reactor, &wire);
    assert_eq!((failures.borrow().len(), reactor.timeout()), (1, None));

    let (_script, mut reactor, _log, failures, id) = connect([Ok(Wire::unlimited())]);
    reactor.context().abort(id);
    turn(&mut reactor);
    assert_eq!((failures.borrow().len(), reactor.timeout()), (1, None));
}

#[test]
fn error_belongs_to_the_reported_address() {
    use ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable};
    // Each address fails at once.
    let outcomes = [Err(ConnectionRefused), Err(HostUnreachable), Err(AddrNotAvailable)];
    let (_script, mut reactor, _log, failures, _id) = connect(outcomes);
    turn(&mut reactor);
    let reported = failures.borrow();
    assert_eq!(reported[0].1.kind(), AddrNotAvailable);
    assert!(reported[0].1.to_string().contains("10.0.0.3:7000"), "{}", reported[0].1);
}

#[test]
fn timed_out_attempt_reports_the_socket_error() {
    for (error, kind) in [
        (None, ErrorKind::TimedOut),
        (Some(ErrorKind::ConnectionRefused), ErrorKind::ConnectionRefused),
    ] {
        let wire = Wire::unlimited();
        let (script, mut reactor, _log, failures, _id) = connect([Ok(wire.clone())]);
        turn(&mut reactor);
        error.into_iter().for_each(|kind| wire.has_error(kind));
        reactor.turn(None).unwrap(); // No event.
        assert_eq!(script.last_wait(), Some(TIMEOUT));
        assert_eq!(failures.borrow()[0].1.kind(), kind);
        assert!(wire.is_closed());
    }
}

#[test]
fn early_data_is_limited() {
    let wire = Wire::unlimited();
    let (_script, mut reactor, log, failures, id) = connect([Ok(wire.clone())]);
    reactor.context().transport(id).set_write_limit(1000);
    (0..101).for_each(|_| reactor.context().transport(id).write(&[0; 10]));
    turn(&mut reactor);
    assert_eq!(
        failures.borrow().len(),
        0,
        "a write fails the attempt if more than the limit is queued before it"
    );
    reactor.context().transport(id).write(&[0; 10]);
    turn(&mut reactor);
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("too much") && log.made() == 0, "{text}");
    assert!(wire.is_closed() && wire.written().is_empty());
}

#[test]
fn early_limits_apply_to_the_connection() {
    let wire = Wire::default();
    let (script, mut reactor, log, _failures, id) = connect([Ok(wire.clone())]);
    reactor.context().transport(id).set_write_limit(1000);
    reactor.context().transport(id).set_write_buffer_limits(100, 0);
    wire.connected();
    report_outcome(&script, &mut reactor, &wire);
    assert_eq!(log.made(), 1);
    for (length, pauses, ends) in [(100, 0, 0), (1, 1, 0), (1000, 1, 0), (1, 1, 1)] {
        reactor.context().transport(id).write(&vec![0; length]);
        turn(&mut reactor);
        let paused = log.count(|event| *event == Event::PauseWriting);
        assert_eq!((paused, log.lost()), (pauses, ends), "after {length}");
    }
    assert_eq!(log.reasons(), ["WriteLimit"]);
}
