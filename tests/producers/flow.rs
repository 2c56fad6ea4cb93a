//! Flow control of pull and push producers.

use crate::producers::*;
use crate::support::*;
use ropewalk::Transport;
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;

#[test]
fn close_waits_for_pull_producer_to_finish() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, pieces(&calls, 1000));
    reactor.context().close(id);
    assert!(reactor.context().transport(id).is_closing());
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len(), 10_000_000);
    assert!(got.chunks(10_000).all(|piece| piece == pattern(10_000)));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(*calls.borrow(), ["resume"; 1000]);
}

#[test]
fn pull_producer_resumes_only_with_empty_buffer() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    let most = Rc::new(RefCell::new(0));
    let noted = Rc::clone(&most);
    let producer = noting(&calls, move |transport| {
        let mut most = noted.borrow_mut();
        *most = usize::max(*most, transport.write_buffer_size());
        transport.write(&[b'x'; 100_000]);
    });
    pull(&mut reactor, id, producer);
    // The client does not read, so the producer is resumed until the socket accepts no more.
    turns(&mut reactor, 200);
    assert!(becomes_idle(&mut reactor));
    let asked = calls.borrow().len();
    assert!(asked > 1 && reactor.context().transport(id).write_buffer_size() <= 100_000);
    assert_eq!(*most.borrow(), 0);
    assert!(becomes_idle(&mut reactor));
    assert_eq!(calls.borrow().len(), asked);
    read_turning(&mut reactor, &client, 5_000_000);
    assert!(calls.borrow().len() > asked);
}

#[test]
fn idle_pull_producer_resumes_after_next_send() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting(&calls, ignore));
    assert!(becomes_idle(&mut reactor));
    assert_eq!(*calls.borrow(), ["resume"]);
    reactor.context().transport(id).write(b"else");
    assert_eq!(read_turning(&mut reactor, &client, 4), b"else");
    assert!(becomes_idle(&mut reactor));
    assert_eq!(*calls.borrow(), ["resume", "resume"]);
}

#[test]
fn idle_pull_producer_resumes_after_an_echo() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, mut client) = up_with_client(&log, echo);
    pull(&mut reactor, log.ids()[0], noting(&calls, ignore));
    assert!(becomes_idle(&mut reactor));
    client.write_all(b"ping").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
    assert!(becomes_idle(&mut reactor));
    assert_eq!(*calls.borrow(), ["resume", "resume"]);
}

#[test]
fn push_producer_pauses_and_resumes_at_marks() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&calls, ignore));
    turns(&mut reactor, 3);
    assert!(calls.borrow().is_empty(), "a callback before any pause");
    reactor.context().transport(id).write(&pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| !calls.borrow().is_empty());
    assert_eq!(*calls.borrow(), ["pause"]);
    assert_eq!(read_turning(&mut reactor, &client, MUCH), pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| calls.borrow().len() > 1);
    assert_eq!(*calls.borrow(), ["pause", "resume"]);
    // The protocol received the same.
    assert_eq!(log.of(id), [Event::Made, Event::PauseWriting, Event::ResumeWriting]);
}

#[test]
fn push_producer_above_mark_is_paused_immediately() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().transport(id).write(&pattern(MUCH));
    turn_until(&mut reactor, "notified", |_| log.of(id).contains(&Event::PauseWriting));
    push(&mut reactor, id, noting(&calls, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*calls.borrow(), ["pause"]);
}

#[test]
fn push_producer_still_pauses_after_close() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    let mut rounds = 0;
    let producer = noting(&calls, move |transport| {
        rounds += 1;
        transport.write(b"the last");
        if rounds == 2 {
            transport.unregister_producer();
        } else {
            transport.write(&pattern(MUCH));
        }
    });
    push(&mut reactor, id, producer);
    reactor.context().close(id);
    reactor.context().transport(id).write(&pattern(MUCH));
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len(), 2 * MUCH + 16);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(*calls.borrow(), ["pause", "resume", "pause", "resume"]);
    assert_eq!(log.of(id), [Event::Made, Event::Lost("Closed".into())]);
}

#[test]
fn write_eof_waits_for_the_producer() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, mut client) = one(&log);
    push(&mut reactor, id, noting(&calls, ignore));
    reactor.context().transport(id).write_eof();
    reactor.context().transport(id).write(b"from the producer");
    assert_eq!(read_turning(&mut reactor, &client, 17), b"from the producer");
    turns(&mut reactor, 3);
    assert!(peek_now(&client, &mut [0; 10]).is_none(), "data, or the end");
    reactor.context().transport(id).unregister_producer();
    reactor.context().transport(id).write(b"too late");
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    client.write_all(b"still here").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"still here");
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(calls.borrow().is_empty());
}

#[test]
fn second_producer_is_refused_first_continues() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, pieces(&calls, 2));
    let error =
        reactor.context().transport(id).register_push_producer(noting(&calls, ignore)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot register a producer for {id}: entity already exists (the connection already \
             has a producer; unregister it first, or wait until it has finished)"
        )
    );
    read_turning(&mut reactor, &client, 20_000);
    // After the first has finished, another may be registered.
    pull(&mut reactor, id, pieces(&calls, 1));
    read_turning(&mut reactor, &client, 10_000);
    assert_eq!(*calls.borrow(), ["resume"; 3]);
}

#[test]
fn producer_registered_after_close_is_stopped() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().close(id);
    pull(&mut reactor, id, noting(&calls, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*calls.borrow(), ["stop"]);
    turn_until(&mut reactor, "closed", |reactor| reactor.context().connections().count() == 0);
    push(&mut reactor, id, noting(&calls, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*calls.borrow(), ["stop", "stop"]);
}

#[test]
fn producer_is_stopped_once_before_connection_lost() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let noted = Rc::clone(&calls);
    let hook = move |_transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Lost(_)) {
            noted.borrow_mut().push("lost");
        }
    };
    let (mut reactor, client) = up_with_client(&log, hook);
    push(&mut reactor, log.ids()[0], noting(&calls, ignore));
    turns(&mut reactor, 1);
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    turns(&mut reactor, 3);
    assert_eq!(*calls.borrow(), ["stop", "lost"]);
}

#[test]
fn unregistered_producer_receives_no_callback() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    // Unregistered before its first resume, and after a pause.
    pull(&mut reactor, id, noting(&calls, ignore));
    reactor.context().transport(id).unregister_producer();
    reactor.context().transport(id).unregister_producer();
    turns(&mut reactor, 2);
    assert!(calls.borrow().is_empty());
    push(&mut reactor, id, noting(&calls, ignore));
    reactor.context().transport(id).write(&pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| !calls.borrow().is_empty());
    reactor.context().transport(id).unregister_producer();
    read_turning(&mut reactor, &client, MUCH);
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(*calls.borrow(), ["pause"]);
}

#[test]
fn producer_panic_ends_only_its_connection() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let panicking = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    pull(&mut reactor, id, noting(&ProducerLog::default(), |_| panic!("the producer's panic")));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Panicked"]);
    assert!(
        read_all_turning(&mut reactor, &panicking).is_err(),
        "an orderly end in place of a reset"
    );
    assert_client_is_echoed(&mut reactor, address);
}

#[test]
fn stop_resets_connection_with_producer() {
    let (log, calls) = (Log::default(), ProducerLog::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&calls, ignore));
    reactor.context().transport(id).write(b"final data");
    reactor.context().close(id);
    reactor.context().stop();
    reactor.run().unwrap();
    let error = (&client).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(*calls.borrow(), ["stop"]);
    assert_eq!(log.reasons(), ["Stopped"]);
}
