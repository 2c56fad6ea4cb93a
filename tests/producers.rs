//! Producers: paused and resumed, asked when there is room, waited for, and stopped once.

#[path = "support/producers.rs"]
mod producers;
mod support;

use producers::*;
use ropewalk::{FileSender, Transport};
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::Shutdown;
use std::rc::Rc;
use support::*;

#[test]
fn a_pull_producer_is_asked_until_it_has_nothing_more_and_a_close_waits_for_it() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, pieces(&heard, 1000));
    reactor.context().close(id);
    assert!(reactor.context().is_closing(id));
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len(), 10_000_000);
    assert!(got.chunks(10_000).all(|piece| piece == pattern(10_000)));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(*heard.borrow(), ["resume"; 1000]);
}

#[test]
fn a_pull_producer_is_asked_only_when_all_before_was_sent() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    let most = Rc::new(RefCell::new(0));
    let noted = Rc::clone(&most);
    let producer = noting(&heard, move |transport| {
        let mut most = noted.borrow_mut();
        *most = usize::max(*most, transport.write_buffer_size());
        transport.write(&[b'x'; 100_000]);
    });
    pull(&mut reactor, id, producer);
    // Nobody reads, so it is asked until the system takes no more.
    turns(&mut reactor, 200);
    assert!(comes_to_rest(&mut reactor));
    let asked = heard.borrow().len();
    assert!(asked > 1 && reactor.context().write_buffer_size(id) <= 100_000);
    assert_eq!(*most.borrow(), 0);
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(heard.borrow().len(), asked);
    read_turning(&mut reactor, &client, 5_000_000);
    assert!(heard.borrow().len() > asked);
}

#[test]
fn a_pull_producer_that_has_nothing_is_not_asked_again_before_something_else_was_sent() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting(&heard, ignore));
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(*heard.borrow(), ["resume"]);
    reactor.context().write(id, b"else");
    assert_eq!(read_turning(&mut reactor, &client, 4), b"else");
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(*heard.borrow(), ["resume", "resume"]);
}

#[test]
fn a_pull_producer_that_had_nothing_is_asked_again_after_an_echo() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    pull(&mut reactor, log.ids()[0], noting(&heard, ignore));
    assert!(comes_to_rest(&mut reactor));
    client.write_all(b"ping").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(*heard.borrow(), ["resume", "resume"]);
}

#[test]
fn a_push_producer_is_paused_at_the_high_water_mark_and_resumed_at_the_low() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&heard, ignore));
    turns(&mut reactor, 3);
    assert!(heard.borrow().is_empty(), "it begins by producing");
    reactor.context().write(id, &pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| !heard.borrow().is_empty());
    assert_eq!(*heard.borrow(), ["pause"]);
    assert_eq!(read_turning(&mut reactor, &client, MUCH), pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| heard.borrow().len() > 1);
    assert_eq!(*heard.borrow(), ["pause", "resume"]);
    // The protocol has heard the same.
    assert_eq!(log.of(id), [Event::Made, Event::PauseWriting, Event::ResumeWriting]);
}

#[test]
fn a_push_producer_that_comes_when_too_much_waits_is_paused_at_once() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().write(id, &pattern(MUCH));
    turn_until(&mut reactor, "told", |_| log.of(id).contains(&Event::PauseWriting));
    push(&mut reactor, id, noting(&heard, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*heard.borrow(), ["pause"]);
}

#[test]
fn a_push_producer_is_paused_and_resumed_after_a_close_too_and_the_protocol_hears_no_more() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    let mut rounds = 0;
    let producer = noting(&heard, move |transport| {
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
    reactor.context().write(id, &pattern(MUCH));
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len(), 2 * MUCH + 16);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(*heard.borrow(), ["pause", "resume", "pause", "resume"]);
    assert_eq!(log.of(id), [Event::Made, Event::Lost("Closed".into())]);
}

#[test]
fn the_end_of_our_side_waits_for_a_producer_and_the_peer_may_go_on() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, mut client) = one(&log);
    push(&mut reactor, id, noting(&heard, ignore));
    reactor.context().write_eof(id);
    reactor.context().write(id, b"from the producer");
    assert_eq!(read_turning(&mut reactor, &client, 17), b"from the producer");
    turns(&mut reactor, 3);
    assert!(peek_now(&client, &mut [0; 10]).is_none(), "no end yet");
    reactor.context().unregister_producer(id);
    reactor.context().write(id, b"too late");
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    client.write_all(b"still here").unwrap();
    turn_until(&mut reactor, "data", |_| log.data() == b"still here");
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(heard.borrow().is_empty());
}

#[test]
fn a_second_producer_is_refused_and_the_first_goes_on() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, pieces(&heard, 2));
    let error = reactor.context().register_push_producer(id, noting(&heard, ignore)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot register a producer for {id}: entity already exists (the connection has one; \
             unregister it first, or write its data after its own)"
        )
    );
    read_turning(&mut reactor, &client, 20_000);
    // When the first is done there may be another.
    pull(&mut reactor, id, pieces(&heard, 1));
    read_turning(&mut reactor, &client, 10_000);
    assert_eq!(*heard.borrow(), ["resume"; 3]);
}

#[test]
fn a_producer_that_comes_too_late_is_stopped_at_once() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, _client) = one(&log);
    reactor.context().close(id);
    pull(&mut reactor, id, noting(&heard, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*heard.borrow(), ["stop"]);
    turn_until(&mut reactor, "gone", |reactor| reactor.context().connections().count() == 0);
    push(&mut reactor, id, noting(&heard, ignore));
    turns(&mut reactor, 2);
    assert_eq!(*heard.borrow(), ["stop", "stop"]);
}

#[test]
fn a_producer_is_stopped_once_when_the_connection_ends_and_before_the_protocol_hears_of_it() {
    let (log, heard) = (Log::default(), Heard::default());
    let told = Rc::clone(&heard);
    let hook = move |_transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Lost(_)) {
            told.borrow_mut().push("lost");
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    push(&mut reactor, log.ids()[0], noting(&heard, ignore));
    turns(&mut reactor, 1);
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    turns(&mut reactor, 3);
    assert_eq!(*heard.borrow(), ["stop", "lost"]);
}

#[test]
fn one_that_was_unregistered_hears_nothing_more() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    // Before it was ever asked, while it is asked, and after it was paused.
    pull(&mut reactor, id, noting(&heard, ignore));
    reactor.context().unregister_producer(id);
    reactor.context().unregister_producer(id);
    turns(&mut reactor, 2);
    assert!(heard.borrow().is_empty());
    push(&mut reactor, id, noting(&heard, ignore));
    reactor.context().write(id, &pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| !heard.borrow().is_empty());
    reactor.context().unregister_producer(id);
    read_turning(&mut reactor, &client, MUCH);
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(*heard.borrow(), ["pause"]);
}

#[test]
fn a_panic_of_a_producer_costs_its_connection_alone() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let victim = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    pull(&mut reactor, id, noting(&Heard::default(), |_| panic!("no more")));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Panicked"]);
    assert!(read_all_turning(&mut reactor, &victim).is_err(), "a reset, not an end");
    a_small_client_is_answered(&mut reactor, address);
}

#[test]
fn a_stop_cuts_a_producer_short_with_a_reset() {
    let (log, heard) = (Log::default(), Heard::default());
    let (mut reactor, id, client) = one(&log);
    push(&mut reactor, id, noting(&heard, ignore));
    reactor.context().write(id, b"the last words");
    reactor.context().close(id);
    reactor.context().stop();
    reactor.run().unwrap();
    let error = (&client).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(*heard.borrow(), ["stop"]);
    assert_eq!(log.reasons(), ["Stopped"]);
}

#[test]
fn a_file_is_sent_whole_between_what_was_written_before_it_and_what_comes_after() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let progress = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&progress);
    let sender = FileSender::new(file(&pattern(3_000_000)))
        .on_progress(move |_, sent| noted.borrow_mut().push(sent));
    let kept = Rc::clone(&outcome);
    let sender = sender.on_done(move |context, result| {
        kept.borrow_mut().replace(Ok(result.unwrap()));
        context.write(id, b"after");
    });
    reactor.context().write(id, b"before");
    pull(&mut reactor, id, sender);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == [b"before".as_slice(), &pattern(3_000_000), b"after"].concat());
    assert_eq!(*outcome.borrow(), Some(Ok(3_000_000)));
    let progress = progress.borrow();
    assert!(progress.is_sorted() && progress.last() == Some(&3_000_000), "{progress:?}");
    assert!(progress.len() >= 10, "in pieces: {progress:?}");
}

#[test]
fn no_more_of_a_file_is_in_memory_than_a_piece_however_slow_the_reader() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    turns(&mut reactor, 200);
    assert!(comes_to_rest(&mut reactor));
    assert!(reactor.context().write_buffer_size(id) <= 64 * 1024);
    assert!(outcome.borrow().is_none());
    assert!(read_turning(&mut reactor, &client, 50_000_000).iter().all(|byte| *byte == 0));
    turn_until(&mut reactor, "done", |_| outcome.borrow().is_some());
    assert_eq!(*outcome.borrow(), Some(Ok(50_000_000)));
}

#[test]
fn a_part_of_a_file_may_be_sent_and_nothing_of_an_empty_one() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let bytes = pattern(100_000);
    let part = FileSender::new(file(&bytes)).range(5_000, 70_000);
    pull(&mut reactor, id, noting_outcome(part, &outcome));
    assert!(read_turning(&mut reactor, &client, 70_000) == bytes[5_000..75_000]);
    turn_until(&mut reactor, "done", |_| outcome.take() == Some(Ok(70_000)));
    for nothing in [FileSender::new(file(b"")), FileSender::new(file(b"some")).range(2, 0)] {
        pull(&mut reactor, id, noting_outcome(nothing, &outcome));
        turn_until(&mut reactor, "done", |_| outcome.take() == Some(Ok(0)));
    }
    reactor.context().close(id);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
}

#[test]
fn a_file_that_ends_too_early_resets_the_connection_lest_a_part_be_taken_for_the_whole() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let sender = FileSender::new(file(&pattern(1000))).range(0, 1001);
    pull(&mut reactor, id, noting_outcome(sender, &outcome));
    reactor.context().close(id);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let error = outcome.take().unwrap().unwrap_err();
    assert_eq!(error, (ErrorKind::UnexpectedEof, "the file ended 1 bytes too early".into()));
    assert_eq!(log.reasons(), ["Aborted"]);
    assert!(read_all_turning(&mut reactor, &client).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_error() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, _client) = one(&log);
    let directory = File::open(".").unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(directory), &outcome));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::IsADirectory);
}

#[test]
fn a_peer_that_goes_before_a_file_was_sent_is_told_to_its_sender() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting_outcome(FileSender::new(file(&pattern(MUCH))), &outcome));
    assert!(comes_to_rest(&mut reactor));
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::ConnectionAborted);
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_kernel_cannot_send_from_is_copied() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    // A file system that makes its bytes up as they are read has no pages to send.
    let mut expected = Vec::new();
    let mut file = File::open("/proc/cpuinfo").unwrap();
    file.read_to_end(&mut expected).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len() as u64, outcome.take().unwrap().unwrap());
    assert_eq!(got[..100], expected[..100]);
}
