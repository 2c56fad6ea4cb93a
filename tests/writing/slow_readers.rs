//! Policies for slow readers.

use super::numbered::{
    CHUNK, LIMIT, chunk, counts, increases, numbers, one_connection, rest, write_until_dropped,
};
use crate::support::*;
use ropewalk::{ConnectOptions, FileSender, Reactor, Reason, SlowReader};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

#[test]
fn disconnect_policy_ends_slow_reader_without_pause() {
    let log = Log::default();
    let limit = 300_000;
    let (mut reactor, id, mut client) = one_connection(&log, SlowReader::Disconnect(limit));
    let mut most = 0;
    turn_until(&mut reactor, "lost", |reactor| {
        reactor.context().transport(id).write(&[b'x'; 10_000]);
        most = most.max(reactor.context().transport(id).write_buffer_size());
        log.lost() == 1
    });
    assert_eq!(log.of(id), [Event::Made, Event::Lost("WriteLimit".into())]);
    assert!(most > limit && most <= limit + 10_000, "{most} bytes were queued");
    client.read_to_end(&mut Vec::new()).expect_err("a reset: it is not the whole");
}

#[test]
fn default_policy_pauses_the_writer() {
    let log = Log::default();
    let (mut reactor, client) = up_with_client(&log, only_record);
    let id = log.ids()[0];
    reactor.context().transport(id).write(&pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    assert!(read_turning(&mut reactor, &client, MUCH) == pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    assert_eq!(counts(&mut reactor, id).dropped, 0);
}

#[test]
fn policy_can_change_while_data_is_queued() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    // From here on nothing may be dropped: the protocol receives `pause_writing`, and writes on.
    reactor.context().transport(id).set_slow_reader(SlowReader::Pause);
    for number in written..written + 200 {
        reactor.context().transport(id).write(&chunk(number));
    }
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    assert_eq!(counts(&mut reactor, id).dropped, dropped);
    // With the first policy again, the paused protocol may write immediately.
    reactor.context().transport(id).set_slow_reader(SlowReader::DropOldest(LIMIT / 2));
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    for number in written + 200..written + 400 {
        reactor.context().transport(id).write(&chunk(number));
    }
    let now = counts(&mut reactor, id).dropped;
    assert_eq!(now - dropped, 200 - (LIMIT / 2 / CHUNK) as u64);
    let got = rest(&mut reactor, id, &client);
    assert!(increases(&got));
    let newest: Vec<u32> = (written + 390..written + 400).collect();
    assert!(got.ends_with(&newest));
    assert_eq!(got.len() as u64 + now, u64::from(written) + 400);
}

#[test]
fn client_can_choose_policy_before_connecting() {
    for early in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (log, failures) = (Log::default(), Failures::default());
        let mut reactor = Reactor::new().unwrap();
        let mut options = ConnectOptions::new();
        if !early {
            options = options.slow_reader(SlowReader::DropOldest(LIMIT));
        }
        let address = listener.local_addr().unwrap();
        let caller = Caller::new(&log, &failures, only_record);
        let id = options.connect_tcp(reactor.context(), address, caller).unwrap();
        if early {
            reactor.context().transport(id).set_slow_reader(SlowReader::DropOldest(LIMIT));
        }
        let (server, _) = listener.accept().unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let written = write_until_dropped(&mut reactor, id);
        let dropped = counts(&mut reactor, id).dropped;
        let got = rest(&mut reactor, id, &server);
        assert!(increases(&got));
        assert_eq!(got.len() as u64 + dropped, u64::from(written));
    }
}

#[test]
fn half_close_waits_for_queued_chunks() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    reactor.context().transport(id).write_eof();
    let got = numbers(&read_all_turning(&mut reactor, &client).unwrap());
    assert_eq!(got.last(), Some(&(written - 1)));
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn file_follows_queued_chunks_and_arrives_whole() {
    let path = std::env::temp_dir().join(format!("ropewalk-feed-{}", std::process::id()));
    let whole = pattern(1_000_000);
    std::fs::write(&path, &whole).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    write_until_dropped(&mut reactor, id);
    let sender = FileSender::new(file);
    reactor.context().transport(id).register_pull_producer(sender).unwrap();
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    let (chunks, sent) = got.split_at(got.len() - whole.len());
    assert!(sent == whole);
    assert!(increases(&numbers(chunks)));
}

#[cfg(unix)]
#[test]
fn detach_returns_queued_chunks() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    let counted = counts(&mut reactor, id);
    let detached = reactor.context().transport(id).detach().unwrap();
    assert_eq!(detached.unsent.len(), counted.queued);
    turn_until(&mut reactor, "disconnected", |_| log.lost() == 1);
    let statistics = reactor.context().statistics();
    assert_eq!((statistics.sent, statistics.queued), (counted.sent, 0));
    assert_eq!(statistics.lost_by(&Reason::Detached), 1);
    let sender = thread::spawn(move || {
        let mut socket = TcpStream::from(detached.socket);
        socket.set_nonblocking(false).unwrap();
        socket.write_all(&detached.unsent).unwrap();
    });
    let got = numbers(&read_all(&client));
    sender.join().unwrap();
    assert!(increases(&got));
    assert_eq!(got.len() as u64 + counted.dropped, u64::from(written));
}
