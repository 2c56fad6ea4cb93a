//! Files sent by `FileSender`.

use crate::producers::*;
use crate::support::*;
use ropewalk::FileSender;
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn file_is_sent_between_earlier_and_later_writes() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let progress = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&progress);
    let sender = FileSender::new(file(&pattern(3_000_000)))
        .on_progress(move |_, sent| noted.borrow_mut().push(sent));
    let kept = Rc::clone(&outcome);
    let sender = sender.on_done(move |context, result| {
        kept.borrow_mut().replace(Ok(result.unwrap()));
        context.transport(id).write(b"after");
    });
    reactor.context().transport(id).write(b"before");
    pull(&mut reactor, id, sender);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == [b"before".as_slice(), &pattern(3_000_000), b"after"].concat());
    assert_eq!(*outcome.borrow(), Some(Ok(3_000_000)));
    let progress = progress.borrow();
    assert!(progress.is_sorted() && progress.last() == Some(&3_000_000), "{progress:?}");
    assert!(progress.len() >= 10, "in chunks: {progress:?}");
}

#[test]
fn file_buffers_one_chunk_for_slow_reader() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    turns(&mut reactor, 200);
    assert!(becomes_idle(&mut reactor));
    assert!(reactor.context().transport(id).write_buffer_size() <= 64 * 1024);
    assert!(outcome.borrow().is_none());
    assert!(read_turning(&mut reactor, &client, 50_000_000).iter().all(|byte| *byte == 0));
    turn_until(&mut reactor, "done", |_| outcome.borrow().is_some());
    assert_eq!(*outcome.borrow(), Some(Ok(50_000_000)));
}

#[test]
fn file_ranges_and_empty_files_are_sent() {
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
fn file_shorter_than_its_range_resets() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let sender = FileSender::new(file(&pattern(1000))).range(0, 1001);
    pull(&mut reactor, id, noting_outcome(sender, &outcome));
    reactor.context().close(id);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let error = outcome.take().unwrap().unwrap_err();
    assert_eq!(error, (ErrorKind::UnexpectedEof, "the file ended 1 bytes early".into()));
    assert_eq!(log.reasons(), ["Aborted"]);
    assert!(read_all_turning(&mut reactor, &client).is_err());
}

#[test]
fn unreadable_file_reports_its_error() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, _client) = one(&log);
    let directory = File::open(".").unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(directory), &outcome));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::IsADirectory);
}

#[test]
fn file_sender_receives_connection_aborted_on_reset() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting_outcome(FileSender::new(file(&pattern(MUCH))), &outcome));
    assert!(becomes_idle(&mut reactor));
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::ConnectionAborted);
}

#[test]
#[cfg(target_os = "linux")]
fn file_without_sendfile_support_is_copied() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    // A file system that generates its data on reads has no pages for sendfile(2).
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

/// Reads to the end, and returns the error that ends the data, if any.
fn end_of(mut client: &TcpStream) -> Option<ErrorKind> {
    client.read_to_end(&mut Vec::new()).err().map(|error| error.kind())
}

#[test]
fn stop_during_a_file_resets_the_connection() {
    for closes in [false, true] {
        let (log, outcome) = (Log::default(), Outcome::default());
        let (mut reactor, id, client) = one(&log);
        let file = tempfile();
        file.set_len(50_000_000).unwrap();
        pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
        if closes {
            reactor.context().close(id);
        }
        assert!(becomes_idle(&mut reactor));
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(end_of(&client), Some(ErrorKind::ConnectionReset), "closes: {closes}");
        assert_eq!(log.reasons(), ["Stopped"]);
        assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::ConnectionAborted);
    }
}

#[test]
fn file_truncated_while_sending_resets_the_connection() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    let other = file.try_clone().unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    reactor.context().close(id);
    assert!(becomes_idle(&mut reactor));
    other.set_len(1000).unwrap();
    assert!(read_all_turning(&mut reactor, &client).is_err(), "the part appears complete");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::UnexpectedEof);
    assert_eq!(log.reasons(), ["Aborted"]);
}

#[test]
#[cfg(target_os = "linux")]
fn file_error_aborts_and_reports_its_kind() {
    use std::os::fd::OwnedFd;
    let (reader, _writer) = std::io::pipe().unwrap();
    let fifo = File::from(OwnedFd::from(reader));
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    pull(&mut reactor, id, noting_outcome(FileSender::new(fifo), &outcome));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(outcome.take().unwrap().unwrap_err().0, ErrorKind::NotSeekable);
    assert_eq!(log.reasons(), ["Aborted"]);
    assert_eq!(end_of(&client), Some(ErrorKind::ConnectionReset));
}

#[test]
fn on_done_may_register_the_next_file() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let second = noting_outcome(FileSender::new(file(&pattern(200_000))), &outcome);
    let first = FileSender::new(file(&pattern(100_000))).on_done(move |context, result| {
        assert_eq!(result.unwrap(), 100_000);
        context.transport(id).unregister_producer();
        context.transport(id).register_pull_producer(second).unwrap();
        context.close(id);
    });
    pull(&mut reactor, id, first);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == [pattern(100_000), pattern(200_000)].concat(), "{} bytes", got.len());
    assert_eq!(outcome.take(), Some(Ok(200_000)));
}

/// One event reports received data and free buffer space, and is not repeated.
#[test]
fn file_continues_when_data_and_space_coincide() {
    let (log, outcome) = (Log::default(), Outcome::default());
    let (mut reactor, id, client) = one(&log);
    let file = tempfile();
    file.set_len(50_000_000).unwrap();
    pull(&mut reactor, id, noting_outcome(FileSender::new(file), &outcome));
    let mut progress = Instant::now();
    while outcome.borrow().is_none() {
        assert!(becomes_idle(&mut reactor));
        let mut buffer = vec![0; 10_000_000];
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut got = 0;
        while let Ok(count) = (&client).read(&mut buffer) {
            assert!(count > 0, "the end");
            got += count;
        }
        // The system may delay the update of a window that has opened again.
        if got > 0 {
            progress = Instant::now();
        }
        assert!(progress.elapsed() < PATIENCE, "the file does not continue");
        (&client).write_all(b".").unwrap();
    }
    assert_eq!(outcome.take(), Some(Ok(50_000_000)));
}
