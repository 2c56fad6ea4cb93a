//! Isolation of panics: one ends its own connection, and nothing else.

use crate::support::*;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::panic::panic_any;
use std::rc::Rc;
use std::time::Duration;

/// Brings a connection through all its callbacks.
fn full_life(transport: &mut Transport<'_>, event: &Event) {
    if let Event::Data(_) = event {
        transport.set_write_buffer_limits(10, 5);
        transport.write(&vec![b'x'; MUCH]);
        transport.pause();
        transport.resume();
    }
}

/// Panics in the callback that `is` names, of the first connection only; the second one has to live
/// on and be served.
fn panics_in(what: &'static str, is: fn(&Event) -> bool) {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if log.ids().first() == Some(&transport.id()) {
                full_life(transport, event);
                assert!(!is(event), "the scenario's own panic, in {what}");
            } else {
                echo(transport, event);
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut unlucky, mut bystander) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    let _ = unlucky.write_all(b"hello");
    let (mut got, mut buffer) = (0, vec![0; 1 << 20]);
    turn_until(&mut reactor, what, |_| {
        while let Some(Ok(count @ 1..)) = peek_now(&unlucky, &mut buffer) {
            got += count;
        }
        if got == MUCH {
            let _ = unlucky.shutdown(Shutdown::Write);
        }
        log.lost() == 1
    });
    turns(&mut reactor, 3);
    log.check(false);
    let events = log.of(log.ids()[0]);
    let panicked = events.iter().position(is).expect("the callback was heard");
    let lost = Event::Lost("Panicked".into());
    if matches!(events[panicked], Event::Lost(_)) {
        assert_eq!(panicked, events.len() - 1);
    } else {
        assert_eq!(events[panicked + 1..], [lost], "{what}: {events:?}");
    }
    bystander.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &bystander, 8), b"unharmed");
    let mut newcomer = client(address);
    newcomer.write_all(b"welcome").unwrap();
    assert_eq!(read_turning(&mut reactor, &newcomer, 7), b"welcome");
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
            transport.write(b"half of an ans");
            panic!("the scenario's own panic");
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
                // The next callback is the other one's, before `connection_lost`.
                let other = log.ids().into_iter().find(|&id| id != transport.id()).unwrap();
                transport.context().write(other, b"much");
                transport.context().set_write_buffer_limits(other, 3, 0);
                transport.write(b"for one alone");
                panic!("the scenario's own panic");
            }
            echo(transport, event);
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut unlucky, mut bystander) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    unlucky.write_all(b"panic").unwrap();
    turn_until(&mut reactor, "one is lost", |_| log.lost() == 1);
    bystander.write_all(b"and now?").unwrap();
    assert_eq!(read_turning(&mut reactor, &bystander, 12), b"muchand now?");
}

#[test]
fn panic_in_every_callback_ends_connection_once() {
    // connection_lost panics as well, of which nobody is told again.
    let log = Log::default();
    let hook = |_: &mut Transport<'_>, _: &Event| panic!("the scenario's own panic");
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    turns(&mut reactor, 3);
    assert_eq!(log.of(log.ids()[0]), [Event::Made, Event::Lost("Panicked".into())]);
    assert_eq!(reactor.context().connections().count(), 0);
    drop(client);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb's own panic");
    }
}

#[test]
fn panicking_panic_payload_is_survived() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(data) if data == b"bomb") {
            panic_any(Bomb);
        }
        echo(transport, event);
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut unlucky, mut bystander) = (client(address), client(address));
    unlucky.write_all(b"bomb").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Panicked"]);
    bystander.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &bystander, 8), b"unharmed");
}

#[test]
fn panic_in_protocol_drop_is_isolated() {
    struct Fragile {
        _bomb: Bomb,
        lost: Rc<Cell<usize>>,
    }
    impl Protocol for Fragile {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            transport.write(data);
        }
        fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
            self.lost.set(self.lost.get() + 1);
        }
    }
    let lost = Rc::new(Cell::new(0));
    let count = Rc::clone(&lost);
    let factory = move || Fragile { _bomb: Bomb, lost: Rc::clone(&count) };
    let (mut reactor, address) = up(factory);
    for round in 1..=3 {
        let mut client = client(address);
        client.write_all(b"still").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 5), b"still");
        drop(client);
        turn_until(&mut reactor, "lost", |_| lost.get() == round);
    }
    let _left = client(address);
    turn_until(&mut reactor, "in", |reactor| reactor.context().connections().count() == 1);
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
        context.call_later(Duration::ZERO, |_| panic!("the timer's own panic"));
        context.call_later(Duration::ZERO, move |_| fired.set(fired.get() + 1));
        handle.call(|_| panic!("the call's own panic")).unwrap();
        handle.call(|_| panic_any(Bomb)).unwrap();
    }
    let mut client = client(address);
    client.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"unharmed");
    turn_until(&mut reactor, "all fired", |_| fired.get() == 3);
    assert_eq!(reactor.context().statistics().panics, 9);
    handle.call(|_| panic!("the call's own panic")).unwrap();
    drop(reactor);
    assert!(handle.call(|_| {}).is_err());
}

#[test]
fn panic_in_factory_callback_or_drop_is_isolated() {
    struct Unlucky {
        told: Rc<Cell<usize>>,
        _bomb: Bomb,
    }
    impl Factory for Unlucky {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            None
        }
        fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
            self.told.set(self.told.get() + 1);
            panic!("the factory's own panic");
        }
    }
    let told = Rc::new(Cell::new(0));
    let unlucky = || Unlucky { told: Rc::clone(&told), _bomb: Bomb };
    let (mut reactor, address) = up(|| Echo);
    for _ in 0..2 {
        let id = reactor.connect_tcp(address, unlucky()).unwrap();
        reactor.context().close(id);
    }
    let port = reactor.listen_tcp("127.0.0.1:0", unlucky()).unwrap();
    reactor.connect_tcp(port.address(), || Echo).unwrap();
    turn_until(&mut reactor, "told", |_| told.get() == 2);
    turns(&mut reactor, 3);
    reactor.context().close(port.id());
    // One whose connection is there, and whose factory refuses it and then panics in its drop.
    reactor.connect_tcp(address, unlucky()).unwrap();
    turns(&mut reactor, 5);
    let mut client: TcpStream = client(address);
    client.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"unharmed");
}

#[test]
fn panic_in_dropped_timer_is_isolated() {
    let mut reactor = Reactor::new().unwrap();
    let bomb = Bomb;
    let cancelled = reactor.context().call_later(Duration::from_secs(60), move |_| drop(bomb));
    reactor.context().call_later(Duration::ZERO, move |context| {
        context.cancel(cancelled);
    });
    turns(&mut reactor, 2);
    assert!(!reactor.context().is_active(cancelled));
    reactor.context().stop();
    reactor.run().unwrap();
}
