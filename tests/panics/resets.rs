//! Resets after panics: the connection ends with `Panicked`, whatever was requested before.

use crate::support::*;
use ropewalk::{
    Address, Context, Error, Factory, Id, Producer, Protocol, Reactor, Reason, Transport,
};
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// A request before a panic.
type Request = (&'static str, fn(&mut Transport<'_>));

/// All requests that end a connection or its sending side, or hand bytes to the system.
const REQUESTS: [Request; 9] = [
    ("nothing", |_| {}),
    ("abort", |transport| transport.abort()),
    ("close", |transport| transport.close()),
    ("write, close", |transport| {
        transport.write(b"bye");
        transport.close();
    }),
    ("write, close by id", |transport| {
        let id = transport.id();
        transport.context().transport(id).write(b"bye");
        transport.context().close(id);
    }),
    ("write, close_within", |transport| {
        transport.write(b"bye");
        transport.close_within(Duration::from_secs(1));
    }),
    ("write, write_eof", |transport| {
        transport.write(b"bye");
        transport.write_eof();
    }),
    ("more than the limit", |transport| {
        transport.set_write_limit(10);
        transport.write(&vec![b'x'; MUCH]);
        transport.context();
        transport.write(&vec![b'x'; MUCH]);
    }),
    ("an unregistered producer", |transport| {
        transport.register_push_producer(Silent).expect("the first producer");
        transport.write(b"bye");
        transport.close();
        transport.unregister_producer();
    }),
];

struct Silent;

impl Producer for Silent {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}
}

fn is_reset(outcome: io::Result<Vec<u8>>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// Makes each request in the callback that `is` selects, and panics.
fn panics_in(callback: &'static str, is: fn(&Event) -> bool) {
    for (what, request) in REQUESTS {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if is(event) {
                request(transport);
                panic!("the test's panic, in {callback} after {what}");
            }
            full_life(transport, event);
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let mut client = client(address);
        if callback != "connection_made" {
            turn_until(&mut reactor, "made", |_| log.made() == 1);
            let _ = client.write_all(b"hello");
        }
        if callback == "eof_received" {
            client.shutdown(Shutdown::Write).unwrap();
        }
        let outcome = read_all_turning(&mut reactor, &client);
        assert!(is_reset(outcome), "{callback} after {what}: no reset");
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["Panicked"], "{callback} after {what}");
    }
}

#[test]
fn panic_resets_regardless_of_earlier_requests() {
    panics_in("connection_made", |event| *event == Event::Made);
    panics_in("data_received", |event| matches!(event, Event::Data(_)));
    panics_in("eof_received", |event| *event == Event::Eof);
    panics_in("pause_writing", |event| *event == Event::PauseWriting);
    panics_in("resume_writing", |event| *event == Event::ResumeWriting);
    panics_in("reading_resumed", |event| *event == Event::ReadingResumed);
}

#[test]
fn panic_in_eof_noticed_resets() {
    for (what, request) in REQUESTS {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Made => transport.pause(),
            Event::EofNoticed => {
                request(transport);
                panic!("the test's panic, after {what}");
            }
            _ => {}
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let client = client(address);
        client.shutdown(Shutdown::Write).unwrap();
        assert!(is_reset(read_all_turning(&mut reactor, &client)), "after {what}: no reset");
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["Panicked"], "after {what}");
    }
}

/// Makes a request in one callback, and panics.
struct PanicsIn(&'static str, fn(&mut Transport<'_>));

impl Producer for PanicsIn {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        if self.0 == "resume_producing" {
            self.1(transport);
            panic!("the test's panic");
        }
    }

    fn pause_producing(&mut self, transport: &mut Transport<'_>) {
        if self.0 == "pause_producing" {
            self.1(transport);
            panic!("the test's panic");
        }
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        assert!(self.0 != "stop_producing", "the test's panic");
    }
}

#[test]
fn panic_in_producer_resets_regardless_of_requests() {
    for (what, request) in REQUESTS.into_iter().filter(|(what, _)| !what.contains("producer")) {
        for pulls in [true, false] {
            let log = Log::default();
            let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
                Event::Made if pulls => {
                    let producer = PanicsIn("resume_producing", request);
                    transport.register_pull_producer(producer).expect("the first producer");
                }
                Event::Made => {
                    let producer = PanicsIn("pause_producing", request);
                    transport.register_push_producer(producer).expect("the first producer");
                    transport.set_write_buffer_limits(10, 5);
                    transport.write(&vec![b'x'; MUCH]);
                }
                _ => {}
            };
            let (mut reactor, address) = up(recorders(&log, hook));
            let client = client(address);
            turn_until(&mut reactor, "lost", |_| log.lost() == 1);
            assert!(is_reset(read_all_turning(&mut reactor, &client)), "after {what}: no reset");
            assert_eq!(log.reasons(), ["Panicked"], "after {what}");
        }
    }
}

#[test]
fn panic_in_stop_producing_resets() {
    for closes_first in [true, false] {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                if closes_first {
                    transport.close();
                }
                let producer = PanicsIn("stop_producing", |_| {});
                transport.register_push_producer(producer).expect("the first producer");
                if !closes_first {
                    transport.abort();
                }
            }
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let client = client(address);
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        assert_eq!(log.reasons(), ["Panicked"]);
        drop(client);
    }
}

#[test]
fn panic_in_build_resets_but_refusal_closes() {
    struct Maker(bool);

    impl Factory for Maker {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            assert!(!self.0, "the test's panic");
            None
        }

        fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
            panic!("{error}");
        }
    }

    for panics in [true, false] {
        let (mut reactor, address) = up(Maker(panics));
        let accepted = client(address);
        assert_eq!(is_reset(read_all_turning(&mut reactor, &accepted)), panics);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        reactor.connect_tcp(listener.local_addr().unwrap(), Maker(panics)).unwrap();
        let (connected, _): (TcpStream, _) = listener.accept().unwrap();
        assert_eq!(is_reset(read_all_turning(&mut reactor, &connected)), panics);
    }
}

#[test]
fn panic_in_connection_lost_keeps_orderly_close() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => {
            transport.write(b"bye");
            transport.close();
        }
        Event::Lost(_) => panic!("the test's panic"),
        _ => {}
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"bye");
    assert_eq!(log.reasons(), ["Closed"]);
}

#[cfg(unix)]
#[test]
fn panicked_watcher_receives_panicked_as_reason() {
    use ropewalk::{Interest, Watcher};
    use std::cell::RefCell;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::rc::Rc;

    struct Closes(io::PipeWriter, Rc<RefCell<Vec<String>>>);

    impl Watcher for Closes {
        fn descriptor(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        fn writable(&mut self, context: &mut Context, id: Id) {
            context.close(id);
            panic!("the test's panic");
        }

        fn lost(&mut self, _context: &mut Context, _id: Id, reason: Reason) {
            self.1.borrow_mut().push(format!("{reason:?}"));
        }
    }

    let (_reader, writer) = io::pipe().unwrap();
    let reasons = Rc::default();
    let mut reactor = Reactor::new().unwrap();
    let watcher = Closes(writer, Rc::clone(&reasons));
    reactor.context().watch(watcher, Interest::Writable).unwrap();
    turn_until(&mut reactor, "lost", |_| !reasons.borrow().is_empty());
    assert_eq!(*reasons.borrow(), ["Panicked"]);
}
