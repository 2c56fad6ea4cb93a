//! Chunks of a drop-oldest queue: dropped whole, also before there is a connection.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Context, Id, Reactor, SlowReader, Transport};

/// The limit of the drop-oldest queue.
const LIMIT: usize = 80_000;

const BODY: usize = 19_996;

/// What a callback does between the head and the body of a message.
type Between = fn(&mut Context, Id);

/// Requests that must not split the message, with a name for each.
const BETWEEN: &[(&str, Between)] = &[
    ("nothing", |_, _| {}),
    ("uses the context", |context, _| _ = context.now()),
    ("writes by id", |context, id| context.transport(id).write(b"")),
    ("sets a limit", |context, id| context.transport(id).set_write_limit(10_000_000)),
    ("sets the same again", |context, id| {
        context.transport(id).set_slow_reader(SlowReader::DropOldest(LIMIT))
    }),
    ("sets two modes", |context, id| {
        context.transport(id).set_slow_reader(SlowReader::Pause);

        context.transport(id).set_slow_reader(SlowReader::DropOldest(LIMIT));
    }),
];

/// Lets the socket take all queued data, a budget in each turn.
fn take_all(script: &Script, reactor: &mut Reactor, wire: &Wire) {
    script.make_room(wire, usize::MAX / 2);
    (0..10).for_each(|_| turn(reactor));
}

fn message(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(1 + BODY / 4)
}

/// Returns the numbers of the messages in `bytes`. Asserts that each is whole.
fn numbers(bytes: &[u8], what: &str) -> Vec<u32> {
    let whole = |bytes: &[u8]| {
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert!(bytes == message(number), "{what}: message {number} is split");
        number
    };
    bytes.chunks(4 + BODY).map(whole).collect()
}

/// Returns a server with one connection, which drops its oldest data and sends a message in two writes in each
/// callback.
fn serve(between: Between, limit: usize) -> (Wire, Script, Reactor) {
    let (log, wire) = (Log::default(), Wire::default());
    let mut number = 0_u32;
    let hook = move |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            let (id, message) = (transport.id(), message(number));
            transport.write(&message[..4]);
            // Not in each callback, because setting the mode again keeps queued data from being dropped.
            if number.is_multiple_of(10) {
                between(transport.context(), id);
            }
            transport.write(&message[4..]);
            number += 1;
        }
    };
    let (script, mut reactor) = Script::with_connection(recorders(&log, hook), &wire);
    turn(&mut reactor);
    reactor.context().transport(wire.id()).set_slow_reader(SlowReader::DropOldest(limit));
    (wire, script, reactor)
}

fn ask(script: &Script, reactor: &mut Reactor, wire: &Wire) {
    wire.push_read(Ok(b"x"));
    script.report_readable(wire);
    turn(reactor);
}

#[test]
fn writes_of_one_callback_are_dropped_whole() {
    for &(what, between) in BETWEEN {
        for room in [0, 2, 7_000, 45_000] {
            let (wire, script, mut reactor) = serve(between, LIMIT);
            wire.set_room(room);
            for _ in 0..50 {
                ask(&script, &mut reactor, &wire);
            }
            let counts = reactor.context().transport(wire.id()).counts();
            take_all(&script, &mut reactor, &wire);
            let got = numbers(&wire.written(), what);
            assert!(got.is_sorted_by(|before, after| before < after), "{what}: {got:?}");
            assert_eq!(got.last(), Some(&49), "{what}: the newest is sent");
            assert_eq!(got.len() as u64 + counts.dropped, 50, "{what}: {got:?}");
            assert!(counts.dropped > 0, "{what}: each callback writes its own chunk");
        }
    }
}

#[test]
fn write_limit_below_a_chunk_keeps_it_whole() {
    let (wire, script, mut reactor) = serve(|_, _| {}, 5_000_000);
    reactor.context().transport(wire.id()).set_write_limit(3_000);
    wire.set_room(18_000);
    for _ in 0..20 {
        ask(&script, &mut reactor, &wire);
    }
    take_all(&script, &mut reactor, &wire);
    assert_eq!(numbers(&wire.written(), "a low limit").len(), 20);
}

#[test]
fn callback_without_writes_ends_no_chunk() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = Script::with_connection(recorders(&log, echo), &wire);
    turn(&mut reactor);
    reactor.context().transport(wire.id()).set_slow_reader(SlowReader::DropOldest(LIMIT));
    wire.set_room(0);
    // Each write is a chunk, whether before or after callbacks.
    for number in 0..100 {
        reactor.context().transport(wire.id()).write(&message(number));
        turn(&mut reactor);
    }
    let waiting = reactor.context().transport(wire.id()).write_buffer_size();
    assert!(waiting <= LIMIT + message(0).len(), "{waiting} bytes are queued");
    take_all(&script, &mut reactor, &wire);
    assert_eq!(numbers(&wire.written(), "writes by id").last(), Some(&99));
}

#[test]
fn attempt_drops_its_oldest_data() {
    for early in [false, true] {
        let (wire, (script, mut reactor)) = (Wire::unlimited(), Script::new());
        let (log, failures) = (Log::default(), Failures::default());
        script.connect(Ok(wire.clone()));
        let mut options = ropewalk::ConnectOptions::new();
        if !early {
            options = options.slow_reader(SlowReader::DropOldest(LIMIT));
        }
        let caller = Caller::new(&log, &failures, only_record);
        let id = options.connect_tcp(reactor.context(), "10.0.0.1:7000", caller).unwrap();
        if early {
            reactor.context().transport(id).set_slow_reader(SlowReader::DropOldest(LIMIT));
        }
        for number in 0..10_000 {
            reactor.context().transport(id).write(&message(number));
            reactor.context().transport(id).write(b""); // Not a chunk.
            assert!(reactor.context().transport(id).write_buffer_size() <= LIMIT, "after {number}");
        }
        wire.connected();
        let readiness = ropewalk::backend::Readiness::WRITABLE;
        script.report(wire.id(), readiness);
        turn(&mut reactor);
        assert!(failures.borrow().is_empty(), "{failures:?}");
        turn(&mut reactor);
        assert_eq!(numbers(&wire.written(), "early"), [9996, 9997, 9998, 9999]);
        let counts = reactor.context().transport(id).counts();
        assert_eq!((counts.dropped, counts.queued), (9996, 0));
        assert_eq!(counts.dropped_bytes, 9996 * 20_000);
    }
}

#[test]
fn attempt_that_stops_dropping_keeps_queued_data() {
    let (wire, (script, mut reactor)) = (Wire::unlimited(), Script::new());
    let (log, failures) = (Log::default(), Failures::default());
    script.connect(Ok(wire.clone()));
    let id =
        reactor.connect_tcp("10.0.0.1:7000", Caller::new(&log, &failures, only_record)).unwrap();
    for (number, slow_reader) in (0..).zip([
        SlowReader::Pause,
        SlowReader::DropOldest(LIMIT),
        SlowReader::Pause,
        SlowReader::DropOldest(10),
    ]) {
        reactor.context().transport(id).set_slow_reader(slow_reader);
        reactor.context().transport(id).write(&message(number));
    }
    wire.connected();
    let readiness = ropewalk::backend::Readiness::WRITABLE;
    script.report(wire.id(), readiness);
    (0..2).for_each(|_| turn(&mut reactor));
    assert_eq!(numbers(&wire.written(), "changed modes"), [0, 1, 2, 3]);
}
