//! Floods of data and of clients: each is bounded in a turn and starves nothing else.

use crate::support::*;
use ropewalk::{Id, Reactor, Transport};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Makes a turn that does not wait.
pub(crate) fn one_turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn flood_is_read_within_a_budget() {
    // The system decides how much of the flood has arrived when a turn begins. The flood is long, so that the
    // receive window opens to megabytes.
    const FLOOD: usize = 64 << 20;
    const READ_BUDGET: usize = 1 << 20;
    let received = Rc::new(Cell::new(0));
    let counter = Rc::clone(&received);
    let (mut reactor, address) = up(move || {
        let counter = Rc::clone(&counter);
        Recorder::new(&Log::discarding(), move |_: &mut Transport<'_>, event: &Event| {
            if let Event::Data(data) = event {
                counter.set(counter.get() + data.len());
            }
        })
    });
    let mut flood = client(address);
    let writer = thread::spawn(move || flood.write_all(&vec![b'f'; FLOOD]));
    let (mut before, mut most) = (0, 0);
    turn_until(&mut reactor, "the whole flood", |_| {
        most = most.max(received.get() - before);
        before = received.get();
        before == FLOOD
    });
    writer.join().unwrap().unwrap();
    assert!(most <= READ_BUDGET, "{most} bytes in one turn");
}

#[test]
fn read_buffer_grows_up_to_a_limit() {
    const FLOOD: usize = 64 << 20;
    let received = Rc::new(Cell::new((0, 0)));
    let counter = Rc::clone(&received);
    let (mut reactor, address) = up(move || {
        let counter = Rc::clone(&counter);
        Recorder::new(&Log::discarding(), move |_: &mut Transport<'_>, event: &Event| {
            if let Event::Data(data) = event {
                let (total, longest) = counter.get();
                counter.set((total + data.len(), longest.max(data.len())));
            }
        })
    });
    let mut flood = client(address);
    let writer = thread::spawn(move || flood.write_all(&vec![b'f'; FLOOD]));
    turn_until(&mut reactor, "the whole flood", |_| received.get().0 == FLOOD);
    writer.join().unwrap().unwrap();
    let (_, longest) = received.get();
    assert!(longest > 64 << 10, "the longest read returned {longest} bytes");
    assert!(longest <= 256 << 10, "the longest read returned {longest} bytes");
}

#[test]
fn small_client_is_answered_during_a_flood() {
    const FLOOD: usize = 2_000_000;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let (mut flood, mut small) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    // All of it is in the kernel before the turn, and nothing follows.
    flood.write_all(&vec![b'f'; FLOOD]).unwrap();
    small.write_all(b"small").unwrap();
    one_turn(&mut reactor);
    let mut answer = [0; 5];
    let served = |reactor: &mut Reactor, answer: &mut [u8]| {
        one_turn(reactor);
        peek_now(&small, answer).is_some()
    };
    assert!(served(&mut reactor, &mut answer) && &answer == b"small");
    assert!(
        log.data().len() < FLOOD,
        "the whole flood was read before the small client was answered"
    );
    let got = read_turning(&mut reactor, &flood, FLOOD);
    assert_eq!(got.len(), FLOOD);
}

#[test]
fn endless_floods_do_not_starve_a_client() {
    // Data that begins with `f` is a flood and is not answered.
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(data) if data[0] == b's') {
            echo(transport, event);
        }
    };
    // The log keeps nothing, because recorded floods would exhaust memory.
    let (mut reactor, address) = up(move || Recorder::new(&Log::discarding(), hook));
    let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood = || {
        let (mut client, over, sent) = (client(address), Arc::clone(&over), Arc::clone(&sent));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) && client.write_all(&[b'f'; 65_536]).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let floods = [flood(), flood()];
    turn_until(&mut reactor, "the floods have begun", |_| sent.load(Ordering::Relaxed) > 100);
    let mut small = client(address);
    for _ in 0..100 {
        small.write_all(b"s").unwrap();
        assert_eq!(read_turning(&mut reactor, &small, 1), b"s");
    }
    over.store(true, Ordering::Relaxed);
    // The writers may block until the reactor reads.
    turn_until(&mut reactor, "the end", |_| floods.iter().all(|flood| flood.is_finished()));
    floods.into_iter().for_each(|flood| flood.join().unwrap());
}

#[test]
fn huge_answer_does_not_starve_a_client() {
    // A reader in a thread keeps the socket writable, so that only the budget stops the sender.
    const HUGE: usize = 60_000_000;
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(data) if data == b"huge" => {
            transport.write(&vec![b'h'; HUGE]);
            transport.close();
        }
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut large, mut small) = (client(address), client(address));
    large.write_all(b"huge").unwrap();
    let reader = thread::spawn(move || read_all(&large).len());
    turn_until(&mut reactor, "the huge answer has begun", |_| !log.data().is_empty());
    let id = log.ids()[0];
    let mut turns_taken = 0;
    let mut sent_in_a_turn = 0;
    small.write_all(b"small").unwrap();
    while log.lost() == 0 {
        let before = reactor.context().transport(id).write_buffer_size();
        reactor.turn(Some(PATIENCE)).unwrap();
        let after = reactor.context().transport(id).write_buffer_size();
        sent_in_a_turn = sent_in_a_turn.max(before.saturating_sub(after));
        turns_taken += 1;
        assert!(turns_taken < 1_000_000);
    }
    assert!(sent_in_a_turn < HUGE / 10, "{sent_in_a_turn} bytes in one turn");
    assert_eq!(read_turning(&mut reactor, &small, 5), b"small");
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    assert_eq!(reader.join().unwrap(), HUGE);
}

#[test]
fn flood_of_clients_does_not_starve_a_connection() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut old = client(address);
    turn_until(&mut reactor, "the first client is accepted", |_| log.made() == 1);
    let crowd: Vec<TcpStream> = (0..500).map(|_| client(address)).collect();
    old.write_all(b"ping").unwrap();
    let mut buffer = [0; 4];
    for _ in 0..2 {
        one_turn(&mut reactor);
    }
    assert!(log.made() < crowd.len(), "all were accepted first: {}", log.made());
    assert_eq!(peek_now(&old, &mut buffer).unwrap().unwrap(), 4);
    turn_until(&mut reactor, "all accepted", |_| log.made() == 1 + crowd.len());
}

#[test]
fn half_closed_clients_are_served_in_a_flood() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.write_all(&vec![n as u8; 300_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for (n, client) in clients.iter_mut().enumerate() {
        let got = read_all_turning(&mut reactor, client).unwrap();
        assert!(got == vec![n as u8; 300_000], "{n}: {} bytes", got.len());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    turn_until(&mut reactor, "all lost", |_| log.lost() == 20);
    log.check(true);
}

/// Returns a connection with much queued data, for several budgets of which the peer has just made room, and the
/// data that the peer has read.
fn writable_connection() -> (Reactor, TcpStream, Id, Vec<u8>) {
    let log = Log::default();
    let (mut reactor, client) = up_with_client(&log, only_record);
    let id = log.ids()[0];
    reactor.context().transport(id).write(&pattern(4 * MUCH));
    turn_until(&mut reactor, "the socket is full", |reactor| {
        let before = reactor.context().transport(id).write_buffer_size();
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        before == reactor.context().transport(id).write_buffer_size()
    });
    let (mut got, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Some(Ok(count @ 1..)) = peek_now(&client, &mut buffer) {
        got.extend_from_slice(&buffer[..count]);
    }
    (reactor, client, id, got)
}

#[test]
fn connection_sends_within_a_budget() {
    let (mut reactor, client, id, mut got) = writable_connection();
    let before = reactor.context().transport(id).write_buffer_size();
    turn_until(&mut reactor, "it sends", |reactor| {
        reactor.context().transport(id).write_buffer_size() < before
    });
    let sent_in_a_turn = before - reactor.context().transport(id).write_buffer_size();
    assert!(sent_in_a_turn <= 256 * 1024 + 64 * 1024, "{sent_in_a_turn} bytes in one turn");
    got.extend(read_turning(&mut reactor, &client, 4 * MUCH - got.len()));
    assert!(got == pattern(4 * MUCH));
}

#[test]
fn turn_does_not_wait_while_work_is_queued() {
    let (mut reactor, _client, id, _) = writable_connection();
    let before = reactor.context().transport(id).write_buffer_size();
    let begin = Instant::now();
    // The writable event is reported once, and the peer reads no more, so no other event follows.
    while before - reactor.context().transport(id).write_buffer_size() < 1_000_000 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
    }
    assert!(begin.elapsed() < PATIENCE, "the poll waited although a connection was queued");
}
