//! Gathered writes: the log, in which each system call is a line, counts the calls.

use crate::support::*;
use log::{LevelFilter, Metadata, Record};
use ropewalk::Reactor;
use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

thread_local! {
    /// The reads and writes of this thread's reactors, as logged.
    static CALLS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A logger that keeps the lines about system calls on connections.
struct Calls;

impl log::Log for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ropewalk::tcp"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        if line.contains(" write: ") || line.contains(" read: ") {
            CALLS.with_borrow_mut(|calls| calls.push(line));
        }
    }

    fn flush(&self) {}
}

/// Starts to count, from zero.
fn begin_count() {
    let _ = log::set_logger(&Calls); // Another test of this program may have set it.
    log::set_max_level(LevelFilter::Trace);
    CALLS.take();
}

/// Returns the number of logged calls since then that contain `kind`.
fn count(kind: &str) -> usize {
    CALLS.with_borrow(|calls| calls.iter().filter(|line| line.contains(kind)).count())
}

fn crowd(count: usize) -> (Reactor, Log, Vec<TcpStream>) {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients = (0..count).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == count);
    turns(&mut reactor, 3); // The poll has no more events for them.
    (reactor, log, clients)
}

#[test]
fn broadcast_costs_one_write_per_connection() {
    let (mut reactor, log, clients) = crowd(20);
    begin_count();
    for _ in 0..100 {
        for id in log.ids() {
            reactor.context().transport(id).write(b"a line for everyone.\n");
        }
    }
    turns(&mut reactor, 1);
    assert_eq!(count(" write: "), 20);
    for client in &clients {
        assert_eq!(read_turning(&mut reactor, client, 2100).len(), 2100);
    }
}

#[test]
fn simultaneous_broadcasts_share_one_write() {
    const MEMBERS: usize = 20;
    let log = Log::default();
    let members = log.clone();
    let second: Rc<RefCell<Option<TcpStream>>> = Rc::default();
    let also_speaks = Rc::clone(&second);
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        if let Event::Data(data) = event {
            // The second client's line arrives while the first is being broadcast.
            if let Some(mut client) = also_speaks.take() {
                client.write_all(b"2").unwrap();
            }
            let speaker = transport.id();
            for id in members.ids().into_iter().filter(|&id| id != speaker) {
                transport.context().transport(id).write(data);
            }
        }
    }));
    let mut clients: Vec<TcpStream> = (0..MEMBERS).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == MEMBERS);
    turns(&mut reactor, 3); // The poll has no more events for them.
    *second.borrow_mut() = Some(clients[1].try_clone().unwrap());
    begin_count();
    clients[0].write_all(b"1").unwrap();
    for client in &clients[2..] {
        assert_eq!(read_turning(&mut reactor, client, 2), b"12");
    }
    assert_eq!(count(" write: "), MEMBERS);
}

#[test]
fn writes_of_a_callback_are_one_write() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if let Event::Data(_) = event {
            for _ in 0..10 {
                transport.write(b"an ");
                write!(transport, "answer ");
            }
            // Gathered, not sent yet.
            assert_eq!(transport.write_buffer_size(), 100);
        }
    }));
    let mut client = client(address);
    client.write_all(b"?").unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    begin_count();
    assert_eq!(read_turning(&mut reactor, &client, 100), b"an answer ".repeat(10));
    assert_eq!(count(" write: "), 1);
}

#[test]
fn echo_costs_one_read_and_one_write() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, echo);
    begin_count();
    for _ in 0..50 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
    }
    assert_eq!((count(" read: "), count(" write: ")), (50, 50));
}

#[test]
fn short_message_costs_one_read() {
    let (mut reactor, log, mut clients) = crowd(1);
    begin_count();
    clients[0].write_all(&pattern(30_000)).unwrap();
    turn_until(&mut reactor, "received", |_| log.data().len() == 30_000);
    turns(&mut reactor, 1);
    assert_eq!(count(" read: "), 1);
}

#[test]
fn long_write_keeps_its_place() {
    let (mut reactor, log, clients) = crowd(1);
    let id = log.ids()[0];
    begin_count();
    let context = reactor.context();
    context.transport(id).write(b"short, ");
    context.transport(id).write(&pattern(100_000));
    // It is sent already, with the data queued before it.
    assert_eq!(count(" write: "), 1);
    reactor.context().transport(id).write(b", short");
    let all = read_turning(&mut reactor, &clients[0], 100_014);
    assert_eq!(all, [b"short, ".as_slice(), &pattern(100_000), b", short"].concat());
}

#[test]
fn long_write_is_sent_at_once() {
    let (mut reactor, log, clients) = crowd(1);
    begin_count();
    reactor.context().transport(log.ids()[0]).write(&pattern(20_000));
    assert_eq!(count(" write: "), 1);
    assert!(read_turning(&mut reactor, &clients[0], 20_000) == pattern(20_000));
}

#[test]
fn short_write_is_not_repeated_at_once() {
    let (mut reactor, log, _clients) = crowd(1);
    let id = log.ids()[0];
    begin_count();
    reactor.context().transport(id).write(&pattern(4 * MUCH));
    turns(&mut reactor, 2);
    assert!(reactor.context().transport(id).write_buffer_size() > 0, "the socket is full");
    assert_eq!(count("WouldBlock"), 0);
}
