//! Ends of connections that have a producer.

use crate::producers::*;
use crate::support::*;
use ropewalk::{ConnectOptions, Protocol, Reactor, Transport};
use ropewalk_simulation::kit::TestConnection;
use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// Registers a producer in `connection_made`, and closes when the peer ends its side.
struct Producing(ProducerLog, bool);

impl Protocol for Producing {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let producer = noting(&self.0, ignore);
        let registered = match self.1 {
            true => transport.register_pull_producer(producer),
            false => transport.register_push_producer(producer),
        };
        registered.expect("the first producer");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[test]
fn silent_producer_times_out_after_peer_end() {
    for pulls in [false, true] {
        let calls = ProducerLog::default();
        let theirs = Rc::clone(&calls);
        let mut connection = TestConnection::new(move || Producing(Rc::clone(&theirs), pulls));
        connection.feed_eof();
        connection.advance(Duration::from_secs(59));
        assert!(connection.reason().is_none(), "pulls: {pulls}");
        connection.advance(Duration::from_secs(2));
        assert_eq!(format!("{:?}", connection.reason()), "Some(CloseTimeout)");
        assert_eq!(calls.borrow().last(), Some(&"stop"));
    }
}

/// Answers with more than the socket accepts, and ends its side.
struct Long;

impl Protocol for Long {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write(&vec![b'x'; 10_000_000]);
        transport.write_eof();
    }
}

#[test]
fn stalled_half_close_times_out() {
    let mut connection = TestConnection::new(|| Long);
    connection.stop_reading();
    connection.feed("request");
    connection.advance(Duration::from_secs(150));
    assert_eq!(format!("{:?}", connection.reason()), "Some(CloseTimeout)");
}

#[test]
fn reset_is_noticed_with_silent_producer_registered() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&calls, ignore));
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "closing", |reactor| reactor.context().transport(id).is_closing());
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(*calls.borrow(), ["stop"]);
}

#[test]
fn unregistered_producer_misses_the_pending_pause() {
    let (log, first, second) = (Log::default(), ProducerLog::default(), ProducerLog::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().transport(id).write(&pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| log.count(|event| *event == Event::PauseWriting) == 1);
    push(&mut reactor, id, noting(&first, ignore));
    reactor.context().transport(id).unregister_producer();
    push(&mut reactor, id, noting(&second, ignore));
    turns(&mut reactor, 3);
    assert_eq!((first.take(), second.take()), (vec![], vec!["pause"]));
}

#[test]
fn producer_unregistered_in_resume_writing_is_not_resumed() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::ResumeWriting {
            transport.unregister_producer();
        }
    };
    let (mut reactor, client) = up_with_client(&log, hook);
    let id = log.ids()[0];
    push(&mut reactor, id, noting(&calls, |transport| transport.write(b"too late")));
    reactor.context().transport(id).write(&pattern(MUCH));
    assert!(read_turning(&mut reactor, &client, MUCH) == pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| log.count(|event| *event == Event::ResumeWriting) == 1);
    reactor.context().close(id);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    assert_eq!(calls.take(), ["pause"]);
}

#[test]
fn producer_may_be_registered_while_connecting() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let address = listener.local_addr().unwrap();
    let id = reactor.connect_tcp(address, recorders(&log, only_record)).unwrap();
    pull(&mut reactor, id, pieces(&calls, 3));
    reactor.context().transport(id).write_eof();
    let (peer, _) = listener.accept().unwrap();
    let got = read_all_turning(&mut reactor, &peer).unwrap();
    assert!(got == pattern(10_000).repeat(3), "{} bytes", got.len());
    assert_eq!(calls.take(), ["resume"; 3]);
}

#[test]
fn early_producer_resumes_without_other_events() {
    let (log, calls, failures) = (Log::default(), ProducerLog::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    let mut resumed_in_order = true;
    let asked = Rc::clone(&calls);
    pull(&mut reactor, id, noting(&calls, ignore));
    turn_until(&mut reactor, "resumed", |_| {
        resumed_in_order &= log.made() == 1 || asked.borrow().is_empty();
        !asked.borrow().is_empty()
    });
    assert!(resumed_in_order, "resumed before connection_made");
}

#[test]
fn producer_of_failed_attempt_is_stopped_once() {
    let (log, failures, calls) = (Log::default(), Failures::default(), ProducerLog::default());
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(1));
    let caller = Caller::new(&log, &failures, only_record);
    let id = options.connect_tcp(reactor.context(), dead(), caller).unwrap();
    push(&mut reactor, id, noting(&calls, ignore));
    turn_until(&mut reactor, "failed", |_| !failures.borrow().is_empty());
    assert_eq!(calls.take(), ["stop"]);
}

#[test]
fn producer_registered_after_abort_is_stopped_first() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (theirs, ends) = (Rc::clone(&calls), Rc::clone(&calls));
    let (mut reactor, address) = up(recorders(&log, move |transport, event| match event {
        Event::Data(_) => {
            transport.abort();
            transport.register_push_producer(noting(&theirs, ignore)).unwrap();
        }
        Event::Lost(_) => ends.borrow_mut().push("lost"),
        _ => {}
    }));
    client(address).write_all(b"x").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(*calls.borrow(), ["stop", "lost"]);
}

#[test]
fn writing_in_resume_writing_has_a_budget() {
    let log = Log::default();
    let count = Rc::new(Cell::new(0));
    let resumed = Rc::clone(&count);
    let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => {
            transport.set_write_buffer_limits(1, 1);
            transport.write(b"first");
        }
        Event::ResumeWriting => {
            resumed.set(resumed.get() + 1);
            transport.write(b"some more");
        }
        _ => {}
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let _client = client(address);
    let mut most = 0;
    for _ in 0..100 {
        let before = count.get();
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        most = most.max(count.get() - before);
    }
    assert!((1..=256).contains(&most), "{most} in one turn");
}
