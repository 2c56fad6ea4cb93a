//! How connections with a producer end: never in an order that makes a part look like the whole, and
//! never later than promised.

#[path = "support/producers.rs"]
mod producers;
mod support;

use producers::*;
use ropewalk::{ConnectOptions, FileSender, Protocol, Reactor, Transport};
use ropewalk_simulation::kit::TestConnection;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

/// The end that a client meets, whatever comes before it.
fn end_of(mut client: &TcpStream) -> Option<ErrorKind> {
    client.read_to_end(&mut Vec::new()).err().map(|error| error.kind())
}

#[test]
fn a_stop_in_the_middle_of_a_file_resets_the_connection() {
    for closes in [false, true] {
        let (log, outcome) = (Log::default(), Outcome::default());
        let (mut reactor, id, client) = one(&log);
        let file = tempfile();
        file.set_len(50_000_000).unwrap();
        pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
        if closes {
            reactor.context().close(id);
        }
        assert!(comes_to_rest(&mut reactor));
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(end_of(&client), Some(ErrorKind::ConnectionReset), "closes: {closes}");
        assert_eq!(log.reasons(), ["Stopped"]);
        assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::ConnectionAborted);
    }
}

#[test]
fn a_file_truncated_while_it_is_sent_resets_the_connection() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    let other = file.try_clone().unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    reactor.context().close(id);
    assert!(comes_to_rest(&mut reactor));
    other.set_len(1000).unwrap();
    assert!(read_all_turning(&mut reactor, &client).is_err(), "the part looks like the whole");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::UnexpectedEof);
    assert_eq!(log.reasons(), ["Aborted"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_error_of_the_file_is_the_files() {
    use std::os::fd::OwnedFd;
    let (reader, _writer) = std::io::pipe().unwrap();
    let fifo = std::fs::File::from(OwnedFd::from(reader));
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting_outcome(FileSender::new(fifo), &outcome));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::NotSeekable);
    assert_eq!(log.reasons(), ["Aborted"]);
    assert_eq!(end_of(&client), Some(ErrorKind::ConnectionReset));
}

/// Registers a producer as soon as the connection is made, and ends as the peer does.
struct Producing(Heard, bool);

impl Protocol for Producing {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let producer = noting(&self.0, ignore);
        let registered = match self.1 {
            true => transport.register_pull_producer(producer),
            false => transport.register_push_producer(producer),
        };
        registered.expect("it is the first");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[test]
fn a_silent_producer_does_not_outlive_its_peer() {
    for pulls in [false, true] {
        let heard = Heard::default();
        let theirs = Rc::clone(&heard);
        let mut connection = TestConnection::new(move || Producing(Rc::clone(&theirs), pulls));
        connection.feed_eof();
        connection.advance(Duration::from_secs(59));
        assert!(connection.reason().is_none(), "pulls: {pulls}");
        connection.advance(Duration::from_secs(2));
        assert_eq!(format!("{:?}", connection.reason()), "Some(CloseTimeout)");
        assert_eq!(heard.borrow().last(), Some(&"stop"));
    }
}

/// Answers with more than the system takes, and ends its side.
struct Long;

impl Protocol for Long {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write(&vec![b'x'; 10_000_000]);
        transport.write_eof();
    }
}

#[test]
fn an_end_of_our_side_that_makes_no_progress_is_given_up() {
    let mut connection = TestConnection::new(|| Long);
    connection.stop_reading();
    connection.feed("what is there?");
    connection.advance(Duration::from_secs(150));
    assert_eq!(format!("{:?}", connection.reason()), "Some(CloseTimeout)");
}

#[test]
fn a_reset_is_noticed_while_a_producer_is_silent_after_the_peers_end() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&heard, ignore));
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "closing", |reactor| reactor.context().is_closing(id));
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(*heard.borrow(), ["stop"]);
}

#[test]
fn an_unregistered_producer_receives_nothing_more() {
    let (log, first, second) = (Log::default(), Heard::default(), Heard::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().write(id, &pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| log.count(|event| *event == Event::PauseWriting) == 1);
    push(&mut reactor, id, noting(&first, ignore));
    reactor.context().unregister_producer(id);
    push(&mut reactor, id, noting(&second, ignore));
    turns(&mut reactor, 3);
    assert_eq!((first.take(), second.take()), (vec![], vec!["pause"]));
}

#[test]
fn a_producer_unregistered_in_resume_writing_is_not_resumed() {
    let (log, heard) = (Log::default(), Heard::default());
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::ResumeWriting {
            transport.unregister_producer();
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    push(&mut reactor, id, noting(&heard, |transport| transport.write(b"too late")));
    reactor.context().write(id, &pattern(MUCH));
    assert!(read_turning(&mut reactor, &client, MUCH) == pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| log.count(|event| *event == Event::ResumeWriting) == 1);
    reactor.context().close(id);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    assert_eq!(heard.take(), ["pause"]);
}

#[test]
fn a_producer_may_be_registered_before_the_connection_is_made() {
    let (log, heard) = (Log::default(), Heard::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let address = listener.local_addr().unwrap();
    let id = reactor.connect_tcp(address, recorders(&log, only_record)).unwrap();
    pull(&mut reactor, id, pieces(&heard, 3));
    reactor.context().write_eof(id);
    let (peer, _) = listener.accept().unwrap();
    let got = read_all_turning(&mut reactor, &peer).unwrap();
    assert!(got == pattern(10_000).repeat(3), "{} bytes", got.len());
    assert_eq!(heard.take(), ["resume"; 3]);
}

#[test]
fn a_producer_registered_early_is_asked_though_nothing_else_happens_on_the_connection() {
    let (log, heard, failures) = (Log::default(), Heard::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(listener.local_addr().unwrap(), caller).unwrap();
    let mut asked_early = true;
    let asked = Rc::clone(&heard);
    pull(&mut reactor, id, noting(&heard, ignore));
    turn_until(&mut reactor, "asked", |_| {
        asked_early &= log.made() == 1 || asked.borrow().is_empty();
        !asked.borrow().is_empty()
    });
    assert!(asked_early, "after connection_made");
}

#[test]
fn a_producer_of_a_failed_attempt_is_stopped_once() {
    let (log, failures, heard) = (Log::default(), Failures::default(), Heard::default());
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().timeout(Duration::from_millis(1));
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.context().connect_tcp_with(dead(), &options, caller).unwrap();
    push(&mut reactor, id, noting(&heard, ignore));
    turn_until(&mut reactor, "failed", |_| !failures.borrow().is_empty());
    assert_eq!(heard.take(), ["stop"]);
}

#[test]
fn a_producer_registered_when_the_connection_has_just_ended_is_stopped_before_connection_lost() {
    let (log, heard) = (Log::default(), Heard::default());
    let (theirs, ends) = (Rc::clone(&heard), Rc::clone(&heard));
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
    assert_eq!(*heard.borrow(), ["stop", "lost"]);
}

#[test]
fn a_file_may_be_followed_by_another_that_is_registered_when_it_is_done() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let second = noting_outcome(FileSender::new(file(&pattern(200_000))), &outcome);
    let first = FileSender::new(file(&pattern(100_000))).on_done(move |context, result| {
        assert_eq!(result.unwrap(), 100_000);
        context.unregister_producer(id);
        context.register_pull_producer(id, second).unwrap();
        context.close(id);
    });
    pull(&mut reactor, id, first);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == [pattern(100_000), pattern(200_000)].concat(), "{} bytes", got.len());
    assert_eq!(outcome.take(), Some(Ok(200_000)));
}

/// The event that tells of a byte also tells of room, and comes once.
#[test]
fn a_file_goes_on_when_a_byte_arrives_with_the_room() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    let mut progress = Instant::now();
    while outcome.borrow().is_none() {
        assert!(comes_to_rest(&mut reactor));
        let mut buffer = vec![0; 10_000_000];
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut got = 0;
        while let Ok(count) = (&client).read(&mut buffer) {
            assert!(count > 0, "an end");
            got += count;
        }
        // The system may take its time with a window that has opened again.
        if got > 0 {
            progress = Instant::now();
        }
        assert!(progress.elapsed() < PATIENCE, "the file does not go on");
        (&client).write_all(b".").unwrap();
    }
    assert_eq!(outcome.take(), Some(Ok(50_000_000)));
}

#[test]
fn writing_in_each_resume_leaves_turns_to_the_others() {
    let log = Log::default();
    let count = Rc::new(Cell::new(0));
    let resumed = Rc::clone(&count);
    let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => {
            transport.set_write_buffer_limits(1, 1);
            transport.write(b"to begin with");
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
