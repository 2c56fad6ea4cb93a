//! Isolation of panics: one ends its own connection, and nothing else.

use crate::support::*;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::panic::panic_any;
use std::rc::Rc;
use std::time::Duration;

/// Panics in the callback that `is` selects, on the first connection only. Asserts that the second
/// connection is served afterwards.
fn panics_in(what: &'static str, is: fn(&Event) -> bool) {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if log.ids().first() == Some(&transport.id()) {
                full_life(transport, event);
                assert!(!is(event), "the test's panic, in {what}");
            } else {
                echo(transport, event);
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut panicking, mut other) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    let _ = panicking.write_all(b"hello");
    let (mut got, mut buffer) = (0, vec![0; 1 << 20]);
    turn_until(&mut reactor, what, |_| {
        while let Some(Ok(count @ 1..)) = peek_now(&panicking, &mut buffer) {
            got += count;
        }
        if got == MUCH {
            let _ = panicking.shutdown(Shutdown::Write);
        }
        log.lost() == 1
    });
    turns(&mut reactor, 3);
    log.check(false);
    let events = log.of(log.ids()[0]);
    let panicked = events.iter().position(is).expect("the callback ran");
    let lost = Event::Lost("Panicked".into());
    if matches!(events[panicked], Event::Lost(_)) {
        assert_eq!(panicked, events.len() - 1);
    } else {
        assert_eq!(events[panicked + 1..], [lost], "{what}: {events:?}");
    }
    other.write_all(b"received").unwrap();
    assert_eq!(read_turning(&mut reactor, &other, 8), b"received");
    let mut later = client(address);
    later.write_all(b"welcome").unwrap();
    assert_eq!(read_turning(&mut reactor, &later, 7), b"welcome");
    assert_eq!(reactor.context().connections().count(), 2);
}

#[test]
fn panic_in_callback_ends_only_that_connection() {
    panics_in("connection_made", |event| *event == Event::Made);
    panics_in("data_received", |event| matches!(event, Event::Data(_)));
    panics_in("eof_received", |event| *event == Event::Eof);
    panics_in("pause_writing", |event| *event == Event::PauseWriting);
    panics_in("resume_writing", |event| *event == Event::ResumeWriting);
    panics_in("reading_resumed", |event| *event == Event::ReadingResumed);
    panics_in("connection_lost", |event| matches!(event, Event::Lost(_)));
}

#[test]
fn peer_of_panicked_protocol_receives_a_reset() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.write(b"part of an answer");
            panic!("the test's panic");
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    let outcome = read_all_turning(&mut reactor, &client);
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(log.reasons(), ["Panicked"]);
}

#[test]
fn writes_before_a_panic_reach_no_other_connection() {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Data(b"panic".to_vec()) {
                // The next callback belongs to the other connection, and precedes
                // `connection_lost`.
                let other = log.ids().into_iter().find(|&id| id != transport.id()).unwrap();
                transport.context().transport(other).write(b"much");
                transport.context().transport(other).set_write_buffer_limits(3, 0);
                transport.write(b"to one only");
                panic!("the test's panic");
            }
            echo(transport, event);
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut panicking, mut other) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    panicking.write_all(b"panic").unwrap();
    turn_until(&mut reactor, "one lost", |_| log.lost() == 1);
    other.write_all(b" and more").unwrap();
    assert_eq!(read_turning(&mut reactor, &other, 13), b"much and more");
}

#[test]
fn panic_in_every_callback_ends_connection_once() {
    // `connection_lost` panics as well, and is not called again.
    let log = Log::default();
    let hook = |_: &mut Transport<'_>, _: &Event| panic!("the test's panic");
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    turns(&mut reactor, 3);
    assert_eq!(log.of(log.ids()[0]), [Event::Made, Event::Lost("Panicked".into())]);
    assert_eq!(reactor.context().connections().count(), 0);
    drop(client);
}

/// Panics when dropped.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the panic of a drop");
    }
}

#[test]
fn panicking_panic_payload_is_survived() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(data) if data == b"drop") {
            panic_any(PanicsOnDrop);
        }
        echo(transport, event);
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut panicking, mut other) = (client(address), client(address));
    panicking.write_all(b"drop").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Panicked"]);
    other.write_all(b"received").unwrap();
    assert_eq!(read_turning(&mut reactor, &other, 8), b"received");
}

#[test]
fn panic_in_protocol_drop_is_isolated() {
    struct DropPanics {
        _panics: PanicsOnDrop,
        lost: Rc<Cell<usize>>,
    }
    impl Protocol for DropPanics {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            transport.write(data);
        }
        fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
            self.lost.set(self.lost.get() + 1);
        }
    }
    let lost = Rc::new(Cell::new(0));
    let count = Rc::clone(&lost);
    let factory = move || DropPanics { _panics: PanicsOnDrop, lost: Rc::clone(&count) };
    let (mut reactor, address) = up(factory);
    for round in 1..=3 {
        let mut client = client(address);
        client.write_all(b"still").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 5), b"still");
        drop(client);
        turn_until(&mut reactor, "lost", |_| lost.get() == round);
    }
    let _left = client(address);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    drop(reactor);
    assert_eq!(lost.get(), 4);
}

#[test]
fn panic_in_timer_or_call_is_isolated() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let handle = reactor.handle();
    let fired = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let fired = Rc::clone(&fired);
        let context = reactor.context();
        context.call_later(Duration::ZERO, |_| panic!("the timer's panic"));
        context.call_later(Duration::ZERO, move |_| fired.set(fired.get() + 1));
        handle.call(|_| panic!("the call's panic")).unwrap();
        handle.call(|_| panic_any(PanicsOnDrop)).unwrap();
    }
    let mut client = client(address);
    client.write_all(b"received").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"received");
    turn_until(&mut reactor, "all fired", |_| fired.get() == 3);
    assert_eq!(reactor.context().statistics().panics, 9);
    handle.call(|_| panic!("the call's panic")).unwrap();
    drop(reactor);
    assert!(handle.call(|_| {}).is_err());
}

#[test]
fn panic_in_factory_callback_or_drop_is_isolated() {
    struct PanicsIn {
        failed: Rc<Cell<usize>>,
        _panics: PanicsOnDrop,
    }
    impl Factory for PanicsIn {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            None
        }
        fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
            self.failed.set(self.failed.get() + 1);
            panic!("the factory's panic");
        }
    }
    let failed = Rc::new(Cell::new(0));
    let panicking = || PanicsIn { failed: Rc::clone(&failed), _panics: PanicsOnDrop };
    let (mut reactor, address) = up(|| Echo);
    for _ in 0..2 {
        let id = reactor.connect_tcp(address, panicking()).unwrap();
        reactor.context().close(id);
    }
    let port = reactor.listen_tcp("127.0.0.1:0", panicking()).unwrap();
    reactor.connect_tcp(port.address(), || Echo).unwrap();
    turn_until(&mut reactor, "notified", |_| failed.get() == 2);
    turns(&mut reactor, 3);
    reactor.context().close(port.id());
    // The connection succeeds; its factory refuses it, and panics in its drop.
    reactor.connect_tcp(address, panicking()).unwrap();
    turns(&mut reactor, 5);
    let mut client: TcpStream = client(address);
    client.write_all(b"received").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"received");
}

#[test]
fn panic_in_dropped_timer_is_isolated() {
    let mut reactor = Reactor::new().unwrap();
    let panics = PanicsOnDrop;
    let cancelled = reactor.context().call_later(Duration::from_secs(60), move |_| drop(panics));
    reactor.context().call_later(Duration::ZERO, move |context| {
        context.cancel(cancelled);
    });
    turns(&mut reactor, 2);
    assert!(!reactor.context().is_active(cancelled));
    reactor.context().stop();
    reactor.run().unwrap();
}
