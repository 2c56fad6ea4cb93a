//! Pausing and resuming reading.

use super::pause_once;
use crate::support::*;
use ropewalk::{Id, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

#[test]
fn pause_stops_delivery_and_resume_continues_it() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    client.write_all(b"one").unwrap();
    turn_until(&mut reactor, "the first data", |_| log.data() == b"one");
    client.write_all(b"two").unwrap();
    turns(&mut reactor, 5);
    assert_eq!(log.data(), b"one");
    let id = log.ids()[0];
    reactor.context().transport(id).resume();
    turn_until(&mut reactor, "the second data", |_| log.data() == b"onetwo");
    let expected = [
        Event::Made,
        Event::Data(b"one".to_vec()),
        Event::ReadingResumed,
        Event::Data(b"two".to_vec()),
    ];
    assert_eq!(log.of(id), expected);
    // Resuming a connection that is not paused does nothing.
    reactor.context().transport(id).resume();
    turns(&mut reactor, 2);
    assert_eq!(log.of(id), expected);
}

#[test]
fn pause_in_connection_made_delays_received_data() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"eager").unwrap();
    turns(&mut reactor, 5);
    assert_eq!((log.made(), log.data()), (1, Vec::new()));
    reactor.context().transport(log.ids()[0]).resume();
    turn_until(&mut reactor, "delivered", |_| log.data() == b"eager");
}

#[test]
fn paused_connection_blocks_its_sender_until_resumed() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    let data = pattern(10_000_000);
    let sender = {
        let data = data.clone();
        thread::spawn(move || client.write_all(&data))
    };
    turn_until(&mut reactor, "paused", |_| log.data().len() > 1);
    let held = log.data().len();
    turns(&mut reactor, 20);
    assert_eq!(log.data().len(), held);
    assert!(!sender.is_finished(), "the data exceeds the socket buffers");
    assert!(becomes_idle(&mut reactor), "a paused connection with unread data does not spin");
    reactor.context().transport(log.ids()[0]).resume();
    turn_until(&mut reactor, "all data", |_| log.count(|event| *event == Event::Eof) == 1);
    assert!(log.data() == data);
    sender.join().unwrap().unwrap();
}

#[test]
fn close_while_paused_ends_despite_unread_data() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
            transport.write(b"goodbye");
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    let sender = {
        let mut client = client.try_clone().unwrap();
        thread::spawn(move || client.write_all(&[0; 1_000_000]))
    };
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 5);
    reactor.context().close(log.ids()[0]);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
    turn_until(&mut reactor, "all sent", |_| sender.is_finished());
    sender.join().unwrap().unwrap();
    assert_eq!(read_all(&client), b"goodbye");
}

#[test]
fn random_pauses_lose_no_data() {
    let log = Log::default();
    let id: Rc<RefCell<Option<Id>>> = Rc::default();
    let random = Rc::new(Cell::new(1_u32));
    let hook = {
        let (id, random) = (Rc::clone(&id), Rc::clone(&random));
        move |transport: &mut Transport<'_>, event: &Event| {
            *id.borrow_mut() = Some(transport.id());
            random.set(random.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            if matches!(event, Event::Data(_) | Event::ReadingResumed) {
                match random.get() >> 29 {
                    0..3 => transport.pause(),
                    3 => {
                        transport.pause();
                        transport.resume();
                        transport.pause();
                    }
                    _ => transport.resume(),
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client: TcpStream = client(address);
    let data = pattern(5_000_000);
    let sender = {
        let data = data.clone();
        thread::spawn(move || client.write_all(&data))
    };
    turn_until(&mut reactor, "all data", |reactor| {
        if let Some(id) = *id.borrow() {
            reactor.context().transport(id).resume();
        }
        log.lost() == 1
    });
    assert!(log.data() == data);
    sender.join().unwrap().unwrap();
    log.check(true);
}

/// `reading_resumed` was called in the turn of the `resume`, so that a protocol that paused and
/// resumed in it blocked the reactor.
#[test]
fn reading_resumed_runs_at_most_once_a_turn() {
    let log = Log::default();
    let again = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_) | Event::ReadingResumed) {
            transport.pause();
            transport.resume();
        }
    };
    let (mut reactor, address) = up(recorders(&log, again));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "first data", |_| !log.data().is_empty());
    let resumed = || log.count(|event| *event == Event::ReadingResumed);
    for _ in 0..5 {
        let before = resumed();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(resumed() <= before + 1, "more than once a turn");
    }
    assert!(resumed() > 2, "not once in each turn");
    client.shutdown(Shutdown::Write).unwrap();
    turns(&mut reactor, 3);
}
