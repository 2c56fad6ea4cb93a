//! The exact budgets of one connection in a turn, on the scripted backend.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Reactor, SlowReader};

const KIB: usize = 1024;

/// A server with one connection.
fn serve(log: &Log, wire: &Wire) -> (Script, Reactor) {
    let (script, mut reactor) = Script::with_connection(recorders(log, only_record), wire);
    turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (script, reactor)
}

/// Returns the lengths of the chunks of data after the first `before`.
fn lengths(log: &Log, before: usize) -> Vec<usize> {
    let events = log.all().into_iter();
    let data = events.filter_map(|(_, event)| match event {
        Event::Data(data) => Some(data.len()),
        _ => None,
    });
    data.skip(before).collect()
}

#[test]
fn turn_reads_one_mebibyte_in_growing_reads() {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let (script, mut reactor) = serve(&log, &wire);
    wire.push_read(Ok(&vec![0; 5 * 1024 * KIB]));
    script.report_readable(&wire);
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
fn short_read_is_last_until_next_event() {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let (script, mut reactor) = serve(&log, &wire);
    wire.push_read(Ok(&[0; 64 * KIB])); // It fills the buffer, so more may follow.
    wire.push_read(Ok(b"short"));
    wire.push_read(Ok(b"later"));
    script.report_readable(&wire);
    turn(&mut reactor);
    turn(&mut reactor);
    assert_eq!(lengths(&log, 0), [64 * KIB, 5]);
    script.report_readable(&wire);
    turn(&mut reactor);
    assert_eq!(lengths(&log, 2), [5]);
}

/// Lets the socket take all queued data, `total` bytes. Returns the sum it has taken after each turn.
fn sent_by_turns(script: &Script, reactor: &mut Reactor, wire: &Wire, total: usize) -> Vec<usize> {
    let mut sent = Vec::new();
    script.make_room(wire, usize::MAX);
    while wire.written().len() < total {
        turn(reactor);
        sent.push(wire.written().len());
        assert!(sent.len() < 100, "it stopped sending: {sent:?}");
    }
    assert_eq!(reactor.timeout(), None, "no queued work");
    sent
}

#[test]
fn turn_sends_quarter_mebibyte_of_queued_data() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).write(&pattern(1_000_000));
    turn(&mut reactor);
    let sent = sent_by_turns(&script, &mut reactor, &wire, 1_000_000);
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(wire.written() == pattern(1_000_000));
}

#[test]
fn turn_sends_quarter_mebibyte_of_drop_oldest_queue() {
    const PIECE: usize = 8 * KIB;
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).set_slow_reader(SlowReader::DropOldest(1024 * KIB));
    for piece in pattern(101 * PIECE).chunks(PIECE) {
        reactor.context().transport(wire.id()).write(piece);
        turn(&mut reactor);
    }
    let sent = sent_by_turns(&script, &mut reactor, &wire, 101 * PIECE);
    // The first piece had moved to the send buffer.
    assert_eq!(sent, [33, 65, 97, 101].map(|pieces| pieces * PIECE));
    assert!(wire.written() == pattern(101 * PIECE));
}

#[test]
fn counts_include_only_what_the_socket_took() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    let counts = |reactor: &mut Reactor| {
        let counts = reactor.context().transport(wire.id()).counts();
        (counts.sent, counts.writes, counts.queued)
    };
    reactor.context().transport(wire.id()).write(&[0; 100]);
    turn(&mut reactor);
    assert_eq!(counts(&mut reactor), (0, 0, 100), "the socket takes nothing");
    for taken in 1..=3 {
        script.make_room(&wire, 30);
        turn(&mut reactor);
        assert_eq!(counts(&mut reactor), (30 * taken, taken, 100 - 30 * taken as usize));
    }
    script.make_room(&wire, 30);
    turn(&mut reactor);
    assert_eq!(counts(&mut reactor), (100, 4, 0));
}
