//! Marks and limits of the send buffer, for writes of any length.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::backend::Readiness;
use ropewalk::{Reactor, SlowReader};
use std::io::ErrorKind;

/// A server with one connection. Its socket accepts no bytes.
fn serve() -> (Log, Wire, Script, Reactor) {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = Script::with_connection(recorders(&log, only_record), &wire);
    turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (log, wire, script, reactor)
}

/// Writes `count` bytes, and runs a turn.
fn write(reactor: &mut Reactor, wire: &Wire, count: usize) {
    reactor.context().transport(wire.id()).write(&vec![0; count]);
    turn(reactor);
}

/// Returns the last pause or resume, if any.
fn last_flow(log: &Log) -> Option<Event> {
    let marks = |event: &Event| matches!(event, Event::PauseWriting | Event::ResumeWriting);
    log.all().into_iter().map(|(_, event)| event).rfind(marks)
}

#[test]
fn marks_apply_to_writes_of_any_length() {
    let (log, wire, script, mut reactor) = serve();
    reactor.context().transport(wire.id()).set_write_buffer_limits(100, 40);
    write(&mut reactor, &wire, 60);
    assert_eq!(last_flow(&log), None);
    write(&mut reactor, &wire, 40);
    assert_eq!(last_flow(&log), None, "at the mark, not above");
    write(&mut reactor, &wire, 1);
    assert_eq!(last_flow(&log), Some(Event::PauseWriting));
    script.make_room(&wire, 60);
    turn(&mut reactor);
    assert_eq!(last_flow(&log), Some(Event::PauseWriting), "41 bytes are queued");
    script.make_room(&wire, 1);
    turn(&mut reactor);
    assert_eq!(last_flow(&log), Some(Event::ResumeWriting));
}

#[test]
fn mark_crossed_and_recrossed_in_turn_is_reported() {
    let (log, wire, _script, mut reactor) = serve();
    wire.set_room(usize::MAX);
    reactor.context().transport(wire.id()).set_write_buffer_limits(100, 40);
    // Each write is short enough to be gathered; together they exceed the mark.
    (0..3).for_each(|_| reactor.context().transport(wire.id()).write(&[0; 50]));
    turn(&mut reactor);
    let flow = [Event::PauseWriting, Event::ResumeWriting].map(|what| log.count(|it| *it == what));
    assert_eq!((flow, wire.written().len()), ([1, 1], 150));
}

#[test]
fn low_mark_is_capped_at_high_mark() {
    let (log, wire, script, mut reactor) = serve();
    reactor.context().transport(wire.id()).set_write_buffer_limits(100, 1000);
    write(&mut reactor, &wire, 150);
    for _ in 0..3 {
        turn(&mut reactor);
        assert_eq!(log.count(|event| *event == Event::PauseWriting), 1, "repeated pauses");
        assert_eq!(last_flow(&log), Some(Event::PauseWriting));
    }
    script.make_room(&wire, 50);
    turn(&mut reactor);
    assert_eq!(last_flow(&log), Some(Event::ResumeWriting));
}

/// Writes ten bytes at a time until the connection is lost. Returns the number of bytes written.
fn until_lost(reactor: &mut Reactor, log: &Log, wire: &Wire) -> usize {
    for written in (0..30_000).step_by(10) {
        if log.lost() > 0 {
            assert_eq!(log.reasons(), ["WriteLimit"]);
            return written;
        }
        write(reactor, wire, 10);
    }
    panic!("no limit applied");
}

#[test]
fn write_limit_applies_to_writes_of_any_length() {
    let (log, wire, _script, mut reactor) = serve();
    write(&mut reactor, &wire, 50);
    reactor.context().transport(wire.id()).set_write_limit(1000);
    // The connection ends at the first write that finds the limit exceeded.
    assert_eq!(until_lost(&mut reactor, &log, &wire), 970);
}

#[test]
fn the_lower_of_both_limits_disconnects() {
    for (disconnect, limit) in [(1000, 5000), (5000, 1000)] {
        let (log, wire, _script, mut reactor) = serve();
        reactor.context().transport(wire.id()).set_write_limit(limit);
        reactor.context().transport(wire.id()).set_slow_reader(SlowReader::Disconnect(disconnect));
        assert_eq!(until_lost(&mut reactor, &log, &wire), 1020);
        assert_eq!(last_flow(&log), None, "pause_writing was called");
    }
}

#[test]
fn raised_write_limit_takes_effect() {
    let (log, wire, _script, mut reactor) = serve();
    reactor.context().transport(wire.id()).set_write_limit(10);
    reactor.context().transport(wire.id()).set_write_limit(2000);
    assert_eq!(until_lost(&mut reactor, &log, &wire), 2020);
}

#[test]
fn reset_beyond_the_limit_is_reported_as_reset() {
    let (log, wire, script, mut reactor) = serve();
    reactor.context().transport(wire.id()).set_write_limit(10);
    script.make_room(&wire, usize::MAX);
    turn(&mut reactor);
    // The socket was writable until the peer's reset, of which no event was received yet.
    wire.write_fails(ErrorKind::ConnectionReset);
    reactor.context().transport(wire.id()).write(&[0; 20]);
    reactor.context().transport(wire.id()).write(&[0; 20]);
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn write_that_takes_nothing_breaks_the_connection() {
    let (log, wire) = (Log::default(), Wire::default());
    wire.writes_nothing();
    let (script, mut reactor) = Script::with_connection(recorders(&log, only_record), &wire);
    turn(&mut reactor);
    script.report(wire.id(), Readiness::WRITABLE);
    reactor.context().transport(wire.id()).write(&[0; 20]);
    turn(&mut reactor);
    wire.push_read(Ok(b""));
    script.report_readable(&wire);
    turn(&mut reactor);
    assert!(log.reasons()[0].starts_with("Failed"), "{:?}", log.reasons());
}
