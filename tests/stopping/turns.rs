//! Runs that are driven by `run_turn`: begin, end and failure.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::backend::Readiness;
use ropewalk::{Reactor, Transport};
use std::io::ErrorKind;
use std::slice;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(5);

/// A server with one connection for each wire.
fn serve(log: &Log, wires: &[Wire]) -> (Script, Reactor) {
    let (script, mut reactor) = Script::new();
    reactor.set_grace(GRACE);
    accept_all(&script, &mut reactor, log, wires);
    (script, reactor)
}

fn accept_all(script: &Script, reactor: &mut Reactor, log: &Log, wires: &[Wire]) {
    let before = log.made();
    reactor.listen_tcp("10.0.0.1:7000", recorders(log, echo)).unwrap();
    script.accept(wires.iter().cloned().map(Ok));
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap(), "the run ended");
    assert_eq!(log.made() - before, wires.len());
}

/// Writes more than the socket accepts.
fn write_much(transport: &mut Transport<'_>, event: &Event) {
    if *event == Event::Made {
        transport.write(&[0; 100_000]);
    }
}

#[test]
fn reactor_serves_again_after_run_turn_ends() {
    let log = Log::default();
    let (script, mut reactor) = serve(&log, &[Wire::unlimited()]);
    for round in 1..4 {
        reactor.context().stop();
        while reactor.run_turn(Some(Duration::ZERO)).unwrap() {}
        assert_eq!(log.lost(), round);
        assert!(!reactor.context().is_stopping());
        assert_eq!(reactor.timeout(), None, "nothing to wait for");
        accept_all(&script, &mut reactor, &log, &[Wire::unlimited()]);
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap(), "the run ended without a stop");
        assert_eq!(log.lost(), round);
    }
}

#[test]
fn stop_before_first_turn_ends_the_run() {
    let (script, mut reactor) = Script::new();
    reactor.context().stop();
    assert_eq!(reactor.timeout(), Some(Duration::ZERO));
    while reactor.run_turn(None).unwrap() {}
    assert!(!reactor.context().is_stopping());

    let log = Log::default();
    let wire = Wire::unlimited();
    accept_all(&script, &mut reactor, &log, slice::from_ref(&wire));
    wire.push_read(Ok(b"too late"));
    script.report(wire.id(), Readiness::READABLE);
    reactor.context().stop();
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(log.reasons(), ["Stopped"]);
    assert_eq!(log.data(), b"", "data was delivered after the stop");
}

#[test]
fn failed_poll_closes_every_socket() {
    type Turn = fn(&mut Reactor) -> Result<(), ropewalk::Error>;
    let ways: [Turn; 2] = [|reactor| reactor.run(), |reactor| reactor.run_turn(None).map(drop)];
    for (way, turn) in ways.iter().enumerate() {
        let (log, wires) = (Log::default(), [Wire::unlimited(), Wire::unlimited()]);
        let (script, mut reactor) = serve(&log, &wires);
        script.set_poll_failure(Some(ErrorKind::Other));
        let error = turn(&mut reactor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert_eq!(log.reasons(), ["Stopped", "Stopped"], "way {way}");
        log.check(true);
        for wire in &wires {
            let acts = ["registered", "shut down", "deregistered", "closed"];
            assert_eq!(wire.acts(), acts, "orderly ends, without lingering: way {way}");
        }
        assert!(!reactor.context().is_stopping());
        script.set_poll_failure(None);
        accept_all(&script, &mut reactor, &log, &[Wire::unlimited()]);
    }
}

#[test]
fn failed_poll_while_stopping_resets_connections() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = Script::with_connection(recorders(&log, write_much), &wire);
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap(), "the stop is not complete");
    assert_eq!(log.lost(), 0);
    script.set_poll_failure(Some(ErrorKind::Other));
    assert!(reactor.run_turn(Some(Duration::ZERO)).is_err());
    assert_eq!(log.reasons(), ["Stopped"]);
    assert_eq!(wire.acts(), ["registered", "reset", "deregistered", "closed"]);
}

#[test]
fn timeout_while_stopping_is_remaining_grace_period() {
    let log = Log::default();
    let (script, mut reactor) = Script::new();
    reactor.set_grace(GRACE);
    reactor.listen_tcp("10.0.0.1:7000", recorders(&log, write_much)).unwrap();
    script.accept([Ok(Wire::default())]);
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(reactor.timeout(), None);
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(reactor.timeout(), Some(Duration::ZERO), "the first turn does not wait");
    assert!(reactor.run_turn(None).unwrap());
    for left in [5, 3, 1] {
        assert_eq!(reactor.timeout(), Some(Duration::from_secs(left)));
        let begin = reactor.context().now();
        let continues = reactor.run_turn(Some(Duration::from_secs(2))).unwrap();
        assert_eq!(continues, left > 2, "with {left} seconds left");
        assert_eq!(script.last_wait(), Some(Duration::from_secs(left.min(2))));
        assert!(reactor.context().now() - begin <= Duration::from_secs(2));
    }
    assert_eq!(log.reasons(), ["Stopped"], "reset");
}
