//! The marks and limits of what waits to be sent hold from when they are set, for writes of any length.

#[path = "support/script.rs"]
mod script;
mod support;

use ropewalk::{Reactor, SlowReader};
use script::{Script, Wire};
use std::time::Duration;
use support::*;

/// A server with one connection, whose socket takes nothing.
fn serve() -> (Log, Wire, Script, Reactor) {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = Script::with_connection(recorders(&log, only_record), &wire);
    turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (log, wire, script, reactor)
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

/// Writes so many bytes, in a turn of their own.
fn write(reactor: &mut Reactor, wire: &Wire, count: usize) {
    reactor.context().write(wire.id(), &vec![0; count]);
    turn(reactor);
}

/// The last of the marks that was told, `None` if none was.
fn told(log: &Log) -> Option<Event> {
    let marks = |event: &Event| matches!(event, Event::PauseWriting | Event::ResumeWriting);
    log.all().into_iter().map(|(_, event)| event).rfind(marks)
}

#[test]
fn marks_hold_from_when_they_are_set_however_short_the_writes_are() {
    let (log, wire, script, mut reactor) = serve();
    reactor.context().set_write_buffer_limits(wire.id(), 100, 40);
    write(&mut reactor, &wire, 60);
    assert_eq!(told(&log), None);
    write(&mut reactor, &wire, 40);
    assert_eq!(told(&log), None, "at the mark, not above it");
    write(&mut reactor, &wire, 1);
    assert_eq!(told(&log), Some(Event::PauseWriting));
    script.make_room(&wire, 60);
    turn(&mut reactor);
    assert_eq!(told(&log), Some(Event::PauseWriting), "41 wait");
    script.make_room(&wire, 1);
    turn(&mut reactor);
    assert_eq!(told(&log), Some(Event::ResumeWriting));
}

#[test]
fn a_mark_that_is_crossed_and_crossed_back_in_one_callback_is_told() {
    let (log, wire, _script, mut reactor) = serve();
    wire.set_room(usize::MAX);
    reactor.context().set_write_buffer_limits(wire.id(), 100, 40);
    // Each is so short that it is only gathered; together they are more than the mark.
    (0..3).for_each(|_| reactor.context().write(wire.id(), &[0; 50]));
    turn(&mut reactor);
    let flow = [Event::PauseWriting, Event::ResumeWriting].map(|what| log.count(|it| *it == what));
    assert_eq!((flow, wire.written().len()), ([1, 1], 150));
}

#[test]
fn a_low_mark_above_the_high_one_is_the_high_one() {
    let (log, wire, script, mut reactor) = serve();
    reactor.context().set_write_buffer_limits(wire.id(), 100, 1000);
    write(&mut reactor, &wire, 150);
    for _ in 0..3 {
        turn(&mut reactor);
        assert_eq!(log.count(|event| *event == Event::PauseWriting), 1, "it does not flutter");
        assert_eq!(told(&log), Some(Event::PauseWriting));
    }
    script.make_room(&wire, 50);
    turn(&mut reactor);
    assert_eq!(told(&log), Some(Event::ResumeWriting));
}

/// Writes ten bytes at a time until the connection is lost. How many bytes it took.
fn until_lost(reactor: &mut Reactor, log: &Log, wire: &Wire) -> usize {
    for written in (0..30_000).step_by(10) {
        if log.lost() > 0 {
            assert_eq!(log.reasons(), ["WriteLimit"]);
            return written;
        }
        write(reactor, wire, 10);
    }
    panic!("there is no limit");
}

#[test]
fn a_write_limit_holds_from_when_it_is_set_however_short_the_writes_are() {
    let (log, wire, _script, mut reactor) = serve();
    write(&mut reactor, &wire, 50);
    reactor.context().set_write_limit(wire.id(), 1000);
    // The write that finds more than the limit ends it.
    assert_eq!(until_lost(&mut reactor, &log, &wire), 970);
}

#[test]
fn a_slow_reader_is_disconnected_at_the_lower_of_its_limit_and_the_write_limit() {
    for (disconnect, limit) in [(1000, 5000), (5000, 1000)] {
        let (log, wire, _script, mut reactor) = serve();
        reactor.context().set_write_limit(wire.id(), limit);
        reactor.context().set_slow_reader(wire.id(), SlowReader::Disconnect(disconnect));
        assert_eq!(until_lost(&mut reactor, &log, &wire), 1020);
        assert_eq!(told(&log), None, "it is not asked to pause");
    }
}

#[test]
fn a_limit_that_is_raised_again_is_the_new_one() {
    let (log, wire, _script, mut reactor) = serve();
    reactor.context().set_write_limit(wire.id(), 10);
    reactor.context().set_write_limit(wire.id(), 2000);
    assert_eq!(until_lost(&mut reactor, &log, &wire), 2020);
}
