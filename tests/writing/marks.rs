//! Marks and limits of the send buffer, with real sockets.

use super::{on_data, on_made, reading};
use crate::support::*;
use ropewalk::Transport;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::thread;

#[test]
fn pauses_and_resumes_at_marks_alternate() {
    for limits in [None, Some((100_000, 0)), Some((0, 0)), Some((10, 5_000))] {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Made => {
                if let Some((high, low)) = limits {
                    transport.set_write_buffer_limits(high, low);
                }
            }
            Event::Data(_) => transport.write(&vec![0; MUCH]),
            Event::PauseWriting => {
                let high = limits.map_or(65_536, |(high, _)| high);
                assert!(transport.write_buffer_size() > high);
            }
            Event::ResumeWriting => {
                let low = limits.map_or(16_384, |(high, low)| low.min(high));
                assert!(transport.write_buffer_size() <= low);
            }
            _ => {}
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let mut client = client(address);
        for round in 1..=3 {
            client.write_all(b"go").unwrap();
            let pauses = || log.count(|event| *event == Event::PauseWriting);
            turn_until(&mut reactor, "paused", |_| pauses() == round);
            let id = log.ids()[0];
            assert!(reactor.context().transport(id).write_buffer_size() > 0);
            let got = read_turning(&mut reactor, &client, MUCH);
            assert_eq!(got.len(), MUCH);
            let resumes = || log.count(|event| *event == Event::ResumeWriting);
            turn_until(&mut reactor, "resumed", |_| resumes() == round);
            assert_eq!(reactor.context().transport(id).write_buffer_size(), 0);
        }
        let flow = |event: &Event| matches!(event, Event::PauseWriting | Event::ResumeWriting);
        let events: Vec<Event> =
            log.all().into_iter().map(|(_, event)| event).filter(|event| flow(event)).collect();
        let pair = [Event::PauseWriting, Event::ResumeWriting];
        assert_eq!(events, [pair.clone(), pair.clone(), pair].concat(), "{limits:?}");
    }
}

#[test]
fn new_marks_apply_immediately() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_data(|t| t.write(&vec![0; MUCH]))));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    let id = log.ids()[0];
    reactor.context().transport(id).set_write_buffer_limits(10 * MUCH, 10 * MUCH);
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    reactor.context().transport(id).set_write_buffer_limits(0, 0);
    turn_until(&mut reactor, "paused again", |_| log.count(|e| *e == Event::PauseWriting) == 2);
}

#[test]
fn write_limit_disconnects_peer_that_never_reads() {
    const MIB: usize = 1024 * 1024;
    for limit in [None, Some(100_000), Some(0)] {
        let log = Log::default();
        let (mut reactor, mut client) = up_with_client(&log, only_record);
        let id = log.ids()[0];
        if let Some(limit) = limit {
            reactor.context().transport(id).set_write_limit(limit);
        }
        let (chunk, mut most) = (vec![0; MIB], 0);
        turn_until(&mut reactor, "disconnected", |reactor| {
            reactor.context().transport(id).write(&chunk);
            most = most.max(reactor.context().transport(id).write_buffer_size());
            log.lost() == 1
        });
        assert_eq!(log.reasons(), ["WriteLimit"]);
        let limit = limit.unwrap_or(64 * MIB);
        assert!(most <= limit + MIB, "{most} bytes were queued");
        assert!(most >= limit.min(32 * MIB), "{most} bytes were queued");
        let error = client.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the data must not appear complete");
    }
}

#[test]
fn write_limit_is_set_per_connection() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => transport.set_write_limit(10_000),
        Event::Data(_) => transport.set_write_limit(64 * 1024 * 1024),
        _ => {}
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (_guest, mut member) = (client(address), client(address));
    member.write_all(b"login").unwrap();
    turn_until(&mut reactor, "logged in", |_| log.made() == 2 && log.data() == b"login");
    for id in log.ids() {
        reactor.context().transport(id).write(&pattern(MUCH));
        turns(&mut reactor, 2);
        reactor.context().transport(id).write(b"and more");
    }
    turn_until(&mut reactor, "one disconnected", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["WriteLimit"]);
    assert_eq!(read_turning(&mut reactor, &member, MUCH + 8)[MUCH..], *b"and more");
}

#[test]
fn stuck_broadcast_member_is_dropped_others_receive_everything() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_made(|t| t.set_write_limit(1_000_000))));
    let stuck = client(address);
    turn_until(&mut reactor, "the stuck client", |_| log.made() == 1);
    let others: Vec<TcpStream> = (0..10).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all clients", |_| log.made() == 11);
    let ids = log.ids();
    let line = vec![b'l'; 100_000];
    for _ in 0..120 {
        for id in &ids {
            reactor.context().transport(*id).write(&line);
        }
        for other in &others {
            assert_eq!(read_turning(&mut reactor, other, line.len()).len(), line.len());
        }
    }
    turn_until(&mut reactor, "disconnected", |_| log.lost() > 0);
    assert_eq!(log.reasons(), ["WriteLimit"]);
    assert!(matches!(log.of(ids[0]).last(), Some(Event::Lost(_))));
    drop(stuck);
}

#[test]
fn pausing_echo_buffers_little_for_slow_reader() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::PauseWriting => transport.pause(),
        Event::ResumeWriting => transport.resume(),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    let data = pattern(20_000_000);
    let sender = {
        let (mut client, data) = (client.try_clone().unwrap(), data.clone());
        thread::spawn(move || {
            client.write_all(&data).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    turns(&mut reactor, 50);
    let id = log.ids()[0];
    let waiting = reactor.context().transport(id).write_buffer_size();
    assert!(waiting < 1_000_000, "{waiting} bytes are queued");
    assert!(reactor.context().transport(id).is_paused() && !sender.is_finished());
    let reader = reading(client);
    turn_until(&mut reactor, "all echoed", |_| reader.is_finished());
    assert!(reader.join().unwrap().unwrap() == data);
    sender.join().unwrap();
}

/// Marks that were crossed in a callback, and crossed again when it was flushed, were not reported:
/// a protocol that stopped at the mark never continued.
#[test]
fn writer_stopping_at_mark_receives_resume_writing() {
    const ALL: usize = 3_000_000;
    for (high, chunk) in [(64 * 1024, 200_000), (10_000, 3_000), (0, 1)] {
        let log = Log::default();
        let left = Rc::new(Cell::new(if high == 0 { 100 } else { ALL }));
        let rest = Rc::clone(&left);
        let (mut reactor, address) = up(recorders(&log, move |transport, event| {
            if *event == Event::Made {
                transport.set_write_buffer_limits(high, high / 4);
            }
            if matches!(event, Event::Made | Event::ResumeWriting) {
                while rest.get() > 0 && transport.write_buffer_size() <= high {
                    let length = chunk.min(rest.get());
                    transport.write(&vec![0; length]);
                    rest.set(rest.get() - length);
                }
            }
        }));
        let client = client(address);
        let all = left.get();
        assert_eq!(read_turning(&mut reactor, &client, all).len(), all);
        turn_until(&mut reactor, "all written", |_| left.get() == 0);
    }
}

/// Gathered data counted toward the limit before the socket had been offered it.
#[test]
fn gathered_writes_do_not_count_toward_limit() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if *event == Event::Made {
            transport.set_write_limit(10);
            for _ in 0..100 {
                transport.write(b"a greeting; ");
            }
        }
    }));
    let client = client(address);
    assert_eq!(read_turning(&mut reactor, &client, 1_200), b"a greeting; ".repeat(100));
    assert_eq!(log.lost(), 0);
}
