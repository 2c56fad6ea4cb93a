//! One connection under test.

use crate::support::{Hooks, SECOND};
use ropewalk::{Context, Id, Protocol, Reason, Transport};
use ropewalk_protocols::Echo;
use ropewalk_simulation::kit::TestConnection;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Records each callback.
struct Recorder(Rc<RefCell<Vec<&'static str>>>);

impl Protocol for Recorder {
    fn connection_made(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("connection_made");
    }
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.borrow_mut().push("data_received");
        transport.pause();
        transport.write(data);
    }
    fn eof_noticed(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("eof_noticed");
    }
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("eof_received");
        transport.close();
    }
    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("pause_writing");
    }
    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("resume_writing");
    }
    fn reading_resumed(&mut self, _transport: &mut Transport<'_>) {
        self.0.borrow_mut().push("reading_resumed");
    }
    fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
        self.0.borrow_mut().push("connection_lost");
    }
}

#[test]
fn a_protocol_receives_all_its_callbacks() {
    let received = Rc::new(RefCell::new(Vec::new()));
    let shared = received.clone();
    let mut connection = TestConnection::new(move || Recorder(shared.clone()));
    let id = connection.id();
    connection.call(|context| context.transport(id).set_write_buffer_limits(5, 1));
    connection.stop_reading();
    connection.feed("long enough");
    connection.start_reading();
    connection.feed_eof();
    connection.call(|context| context.transport(id).resume());
    let expected = [
        "connection_made",
        "data_received",
        "pause_writing",
        "resume_writing",
        "eof_noticed",
        "reading_resumed",
        "eof_received",
        "connection_lost",
    ];
    assert_eq!(*received.borrow(), expected);
    assert_eq!(connection.callbacks()[1..], expected);
}

#[test]
fn each_feed_is_received_as_one_chunk() {
    let pieces = Rc::new(RefCell::new(Vec::new()));
    let shared = pieces.clone();
    let mut connection = TestConnection::new(move || {
        let shared = shared.clone();
        Hooks::data(move |_, data| shared.borrow_mut().push(data.len()))
    });
    connection.feed("a");
    connection.feed([b'b'; 65_536]);
    connection.feed("");
    connection.feed_in(["cc", "", "ddd"]);
    assert_eq!(*pieces.borrow(), [1, 65_536, 2, 3]);
}

#[test]
fn peek_keeps_written_data_and_take_removes_it() {
    let mut connection = TestConnection::new(|| Echo);
    connection.feed("one");
    assert_eq!(connection.peek_text(), "one");
    connection.feed("two");
    assert_eq!(connection.peek(), b"onetwo");
    assert_eq!(connection.take_text(), "onetwo");
    assert_eq!(connection.take(), b"");
    assert_eq!(
        connection.callbacks(),
        ["build", "connection_made", "data_received", "data_received"]
    );
}

#[test]
fn megabytes_are_transferred_both_ways() {
    let mut connection = TestConnection::new(|| Echo);
    let much: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    connection.feed(&much);
    assert!(connection.take() == much);
}

#[test]
fn only_the_test_moves_the_clock() {
    let now = Rc::new(Cell::new(None::<Instant>));
    let shared = now.clone();
    let mut connection = TestConnection::new(move || {
        let shared = shared.clone();
        Hooks::made(move |transport, ()| {
            let (shared, id) = (shared.clone(), transport.id());
            shared.set(Some(transport.context().now()));
            transport.context().call_later(60 * SECOND, move |context| {
                context.transport(id).write(b"a minute");
                let since = context.now() - shared.get().unwrap();
                assert_eq!(since, 60 * SECOND);
                context.call_later(SECOND, move |context| context.close(id));
            });
        })
    });
    let begun = now.get().unwrap();
    assert_eq!(connection.call(|context| context.now()), begun);
    connection.feed("x");
    assert_eq!(connection.call(|context| context.now()), begun);
    connection.advance(60 * SECOND - Duration::from_nanos(1));
    assert_eq!(connection.take(), b"");
    connection.advance(Duration::from_nanos(1));
    assert_eq!(connection.take(), b"a minute");
    assert!(connection.reason().is_none());
    connection.advance(3600 * SECOND);
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
    assert_eq!(connection.call(|context| context.now()), begun + 3660 * SECOND);
}

#[test]
fn the_peer_reads_during_a_long_advance() {
    let ticking = || {
        Hooks::made(|transport, ()| {
            fn tick(context: &mut Context, id: Id) {
                context.transport(id).write(&[b'x'; 300_000]);
                context.call_later(SECOND, move |context| {
                    assert_eq!(
                        context.transport(id).write_buffer_size(),
                        0,
                        "the peer has read everything"
                    );
                    tick(context, id);
                });
            }
            let id = transport.id();
            tick(transport.context(), id);
        })
    };
    let mut connection = TestConnection::new(ticking);
    connection.advance(10 * SECOND);
    assert_eq!(connection.take().len(), 11 * 300_000);
}

#[test]
fn a_peer_that_stops_reading_causes_backpressure() {
    let mut connection = TestConnection::new(|| {
        Hooks::made(|transport, ()| transport.set_write_buffer_limits(10, 5))
    });
    let id = connection.id();
    connection.stop_reading();
    connection.call(|context| context.transport(id).write(b"0123456789"));
    assert_eq!(connection.callbacks(), ["build", "connection_made"]);
    connection.call(|context| context.transport(id).write(b"!"));
    assert_eq!(connection.callbacks(), ["build", "connection_made", "pause_writing"]);
    assert_eq!(connection.call(|context| context.transport(id).write_buffer_size()), 11);
    assert_eq!(connection.take(), b"");
    connection.start_reading();
    assert_eq!(connection.take(), b"0123456789!");
    assert_eq!(connection.callbacks().last(), Some(&"resume_writing"));
    connection.stop_reading();
    connection.call(|context| {
        context.transport(id).write(b"the rest");
        context.close(id);
    });
    assert!(connection.reason().is_none());
    connection.advance(61 * SECOND);
    assert!(matches!(connection.reason(), Some(Reason::CloseTimeout)));
}

#[test]
fn data_for_a_paused_protocol_is_queued() {
    let mut connection = TestConnection::new(|| Hooks::made(|transport, ()| transport.pause()));
    let id = connection.id();
    assert!(connection.is_paused());
    connection.feed(vec![b'x'; 1_000_000]);
    connection.feed_eof();
    assert!(!connection.callbacks().contains(&"data_received"));
    connection.call(|context| context.transport(id).resume());
    assert_eq!(connection.call(|context| context.statistics().received), 1_000_000);
    assert!(matches!(connection.reason(), Some(Reason::ClosedByPeer)));
}

#[test]
fn either_side_can_end_first() {
    let mut connection = TestConnection::new(|| {
        Hooks::eof(|transport, ()| {
            transport.write(b"after your end");
            let id = transport.id();
            transport.context().call_later(SECOND, move |context| context.close(id));
        })
    });
    connection.feed_eof();
    assert_eq!(connection.take(), b"after your end");
    assert!(connection.reason().is_none() && !connection.has_ended());
    connection.advance(SECOND);
    assert!(connection.has_ended() && !connection.was_reset());

    let mut connection = TestConnection::new(|| Hooks::data(|transport, _| transport.write_eof()));
    connection.feed("x");
    assert!(connection.has_ended() && connection.reason().is_none());
    connection.feed("y");
    assert_eq!(connection.call(|context| context.statistics().received), 2);
    connection.feed_eof();
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
}

#[test]
fn an_abort_resets_and_a_close_does_not() {
    let abort = || {
        Hooks::data(|transport, data| {
            transport.write(&data);
            if data == b"abort" { transport.abort() } else { transport.close() }
        })
    };
    let mut connection = TestConnection::new(abort);
    connection.feed("abort");
    assert!(matches!(connection.reason(), Some(Reason::Aborted)));
    assert!(connection.was_reset());
    assert_eq!(connection.take(), b"");

    let mut connection = TestConnection::new(abort);
    connection.feed("close");
    assert!(matches!(connection.reason(), Some(Reason::Closed)));
    assert!(connection.has_ended() && !connection.was_reset());
    assert_eq!(connection.take(), b"close");
    connection.feed("not received");
    assert_eq!(connection.callbacks().iter().filter(|name| **name == "data_received").count(), 1);
}

#[test]
fn a_peer_can_reset_or_hang_up() {
    let mut connection = TestConnection::new(|| Echo);
    connection.reset();
    assert!(matches!(connection.reason(), Some(Reason::Reset)));

    let mut connection = TestConnection::new(|| Echo);
    connection.hang_up();
    assert!(matches!(connection.reason(), Some(Reason::ClosedByPeer)));

    let mut connection = TestConnection::new(|| Hooks::eof(|_, ()| {}));
    let id = connection.id();
    connection.hang_up();
    assert!(connection.reason().is_none());
    connection.call(|context| context.transport(id).write(b"first"));
    connection.call(|context| context.transport(id).write(b"second"));
    assert!(matches!(connection.reason(), Some(Reason::Reset)));
}
