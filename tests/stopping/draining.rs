//! Draining: protocols that keep their connection open while a run stops.

use crate::support::*;
use ropewalk::{Protocol, Reactor, Reason, RunPhase, Transport};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

type Notes = Rc<RefCell<Vec<String>>>;

/// Answers each byte. Stays open until it has received "." if it has received anything else.
struct Talk {
    notes: Notes,
    busy: bool,
}

impl Protocol for Talk {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.busy = !data.ends_with(b".");
        transport.write(data);
        if !self.busy && transport.context().is_stopping() {
            transport.close();
        }
    }

    fn draining(&mut self, _transport: &mut Transport<'_>) -> bool {
        self.notes.borrow_mut().push("draining".to_owned());
        self.busy
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.notes.borrow_mut().push(format!("{reason:?}"));
    }
}

/// A reactor with a client that has sent `data`.
fn talking(data: &[u8]) -> (Reactor, TcpStream, Notes) {
    let notes = Notes::default();
    let made = Rc::clone(&notes);
    let (mut reactor, address) = up(move || -> Box<dyn Protocol> {
        Box::new(Talk { notes: Rc::clone(&made), busy: false })
    });
    reactor.set_grace(3 * PATIENCE);
    let mut client = client(address);
    client.write_all(data).unwrap();
    turn_until(&mut reactor, "data", |reactor| {
        reactor.context().statistics().received == data.len() as u64
            && reactor.context().connections().count() == 1
    });
    (reactor, client, notes)
}

#[test]
fn busy_protocol_finishes_within_the_grace_period() {
    let (mut reactor, mut client, notes) = talking(b"begun ");
    reactor.context().stop();
    for _ in 0..3 {
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    }
    assert_eq!(*notes.borrow(), ["draining"]);
    is_refused(client.peer_addr().unwrap());
    client.write_all(b"and finished.").unwrap();
    reactor.run().unwrap();
    assert_eq!(read_all(&client), b"begun and finished.");
    assert_eq!(*notes.borrow(), ["draining", "Closed"]);
}

#[test]
fn protocols_are_asked_despite_many_pending_calls() {
    let (mut reactor, _client, notes) = talking(b"begun ");
    (0..1000).for_each(|_| {
        reactor.context().call_when_running(|_| {});
    });
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(*notes.borrow(), ["draining"], "no data is delivered before this");
}

#[test]
fn idle_protocol_is_closed_at_once() {
    let (mut reactor, client, notes) = talking(b"done.");
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(read_all(&client), b"done.");
    assert_eq!(*notes.borrow(), ["draining", "Stopped"]);
}

#[test]
fn grace_period_ends_a_busy_protocol() {
    for grace in [Duration::ZERO, Duration::from_millis(5)] {
        let (mut reactor, client, notes) = talking(b"begun ");
        reactor.set_grace(grace);
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(*notes.borrow(), ["draining", "Stopped"]);
        drop(client);
    }
}

#[test]
fn drop_does_not_ask_to_drain() {
    let (reactor, _client, notes) = talking(b"begun ");
    drop(reactor);
    assert_eq!(*notes.borrow(), ["Stopped"]);
}

#[test]
fn listener_is_closed_before_draining() {
    let (mut reactor, client, notes) = talking(b"begun ");
    let address = client.peer_addr().unwrap();
    let asked = Rc::clone(&notes);
    RunPhase::DuringShutdown.call(reactor.context(), move |_| {
        assert!(asked.borrow().is_empty());
        assert!(TcpStream::connect(address).is_ok(), "the listener is open in this phase");
    });
    reactor.context().stop();
    for _ in 0..2 {
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    }
    is_refused(address);
    drop(client);
    reactor.run().unwrap();
    assert_eq!(notes.borrow()[0], "draining");
}

#[test]
fn all_of_many_protocols_are_asked_before_data() {
    const COUNT: usize = 600; // More than the callbacks that one turn may cause.
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let mut clients: Vec<TcpStream> = (0..COUNT).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == COUNT);
    reactor.context().stop();
    for client in &mut clients {
        client.write_all(b"too late").unwrap();
    }
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(log.data(), b"");
    assert_eq!(log.lost(), COUNT);
}

#[test]
fn panic_in_draining_ends_the_connection() {
    struct Panicking(Notes);
    impl Protocol for Panicking {
        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
        fn draining(&mut self, _transport: &mut Transport<'_>) -> bool {
            panic!("on purpose");
        }
        fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
            self.0.borrow_mut().push(format!("{reason:?}"));
        }
    }
    let notes = Notes::default();
    let made = Rc::clone(&notes);
    let (mut reactor, address) = up(move || Panicking(Rc::clone(&made)));
    reactor.set_grace(3 * PATIENCE);
    let _client = client(address);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(*notes.borrow(), ["Panicked"]);
}

#[test]
fn line_handler_may_stay_open() {
    struct Lines;
    impl LineHandler for Lines {
        type Line = str;
        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            lines.send_line(line);
            lines.close();
        }
        fn draining(&mut self, lines: &mut LineTransport<'_>) -> bool {
            lines.send_line("one more line, please");
            true
        }
    }
    let (mut reactor, address) = up(|| LineReceiver::new(Lines));
    reactor.set_grace(3 * PATIENCE);
    let mut client = client(address);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    client.write_all(b"last\n").unwrap();
    reactor.run().unwrap();
    assert_eq!(read_all(&client), b"one more line, please\nlast\n");
}
