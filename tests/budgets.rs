//! How much one connection may read and send in a turn, to the byte; what real sockets bring is too
//! uncertain for that.

#[path = "support/script.rs"]
mod script;
mod support;

use ropewalk::{Reactor, SlowReader};
use script::{Script, Wire};
use std::time::Duration;
use support::*;

const KIB: usize = 1024;

/// A server with one connection.
fn serve(log: &Log, wire: &Wire) -> (Script, Reactor) {
    let (script, mut reactor) = Script::with_connection(recorders(log, only_record), wire);
    turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (script, reactor)
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

/// How long each piece of data was that has come after the first `before`.
fn lengths(log: &Log, before: usize) -> Vec<usize> {
    let events = log.all().into_iter();
    let data = events.filter_map(|(_, event)| match event {
        Event::Data(data) => Some(data.len()),
        _ => None,
    });
    data.skip(before).collect()
}

#[test]
fn a_turn_reads_a_mebibyte_of_a_flood_in_reads_that_grow_to_a_quarter_of_it() {
    let (log, wire) = (Log::default(), Wire::wide());
    let (script, mut reactor) = serve(&log, &wire);
    wire.brings(Ok(&vec![0; 5 * 1024 * KIB]));
    script.tell_readable(&wire);
    let mut before = 0;
    for read in [64, 128, 256, 256, 256] {
        turn(&mut reactor);
        assert_eq!(lengths(&log, before), vec![read * KIB; 1024 / read]);
        before += 1024 / read;
    }
    turn(&mut reactor);
    assert_eq!((lengths(&log, before), wire.unread()), (vec![], 0));
}

#[test]
fn a_read_that_returns_less_than_was_asked_for_is_the_last_until_the_next_news() {
    let (log, wire) = (Log::default(), Wire::wide());
    let (script, mut reactor) = serve(&log, &wire);
    wire.brings(Ok(&[0; 64 * KIB])); // It fills the buffer, so more may be there.
    wire.brings(Ok(b"short"));
    wire.brings(Ok(b"later"));
    script.tell_readable(&wire);
    turn(&mut reactor);
    turn(&mut reactor);
    assert_eq!(lengths(&log, 0), [64 * KIB, 5]);
    script.tell_readable(&wire);
    turn(&mut reactor);
    assert_eq!(lengths(&log, 2), [5]);
}

/// Lets the wire take all that waits, `total` bytes. How many it has taken by the end of each turn.
fn sent_by_turns(script: &Script, reactor: &mut Reactor, wire: &Wire, total: usize) -> Vec<usize> {
    let mut sent = Vec::new();
    script.make_room(wire, usize::MAX);
    while wire.written().len() < total {
        turn(reactor);
        sent.push(wire.written().len());
        assert!(sent.len() < 100, "it does not go on: {sent:?}");
    }
    assert_eq!(reactor.timeout(), None, "nothing is left to do");
    sent
}

#[test]
fn a_turn_sends_about_a_quarter_of_a_mebibyte_of_what_waits() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().write(wire.id(), &pattern(1_000_000));
    turn(&mut reactor);
    let sent = sent_by_turns(&script, &mut reactor, &wire, 1_000_000);
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(wire.written() == pattern(1_000_000));
}

#[test]
fn a_turn_sends_a_quarter_of_a_mebibyte_of_a_feed() {
    const PIECE: usize = 8 * KIB;
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().set_slow_reader(wire.id(), SlowReader::DropOldest(1024 * KIB));
    for piece in pattern(101 * PIECE).chunks(PIECE) {
        reactor.context().write(wire.id(), piece);
        turn(&mut reactor);
    }
    let sent = sent_by_turns(&script, &mut reactor, &wire, 101 * PIECE);
    // The first piece was on its way already.
    assert_eq!(sent, [33, 65, 97, 101].map(|pieces| pieces * PIECE));
    assert!(wire.written() == pattern(101 * PIECE));
}

#[test]
fn the_counts_tell_of_what_the_socket_has_taken_and_not_of_tries() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    let counts = |reactor: &mut Reactor| {
        let counts = reactor.context().connection_counts(wire.id()).unwrap();
        (counts.sent, counts.writes, counts.waiting)
    };
    reactor.context().write(wire.id(), &[0; 100]);
    turn(&mut reactor);
    assert_eq!(counts(&mut reactor), (0, 0, 100), "it has no room");
    for taken in 1..=3 {
        script.make_room(&wire, 30);
        turn(&mut reactor);
        assert_eq!(counts(&mut reactor), (30 * taken, taken, 100 - 30 * taken as usize));
    }
    script.make_room(&wire, 30);
    turn(&mut reactor);
    assert_eq!(counts(&mut reactor), (100, 4, 0));
}
