//! Everyone has a budget: floods of every kind leave the others their turn, and get through.

mod support;

use ropewalk::{Context, Id, Reactor, Transport};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::*;

/// A turn that does not wait.
fn one_turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_flood_is_read_within_a_budget_and_gets_through_without_another_notice() {
    // How much of a flood waits at our side when a turn begins is the system's affair, so a long
    // one is watched turn by turn: the receive window opens to megabytes on the way.
    const FLOOD: usize = 64 << 20;
    const READ_BUDGET: usize = 1 << 20;
    let received = Rc::new(Cell::new(0));
    let counter = Rc::clone(&received);
    let (mut reactor, address) = up(move || {
        let counter = Rc::clone(&counter);
        Recorder::new(&Log::forgetful(), move |_: &mut Transport<'_>, event: &Event| {
            if let Event::Data(data) = event {
                counter.set(counter.get() + data.len());
            }
        })
    });
    let mut flood = client(address);
    let writer = thread::spawn(move || flood.write_all(&vec![b'f'; FLOOD]));
    let (mut before, mut most) = (0, 0);
    turn_until(&mut reactor, "the flood is through", |_| {
        most = most.max(received.get() - before);
        before = received.get();
        before == FLOOD
    });
    writer.join().unwrap().unwrap();
    assert!(most <= READ_BUDGET, "{most} bytes in one turn");
}

#[test]
fn the_read_buffer_grows_while_reads_fill_it_up_to_a_limit() {
    const FLOOD: usize = 64 << 20;
    let received = Rc::new(Cell::new((0, 0)));
    let counter = Rc::clone(&received);
    let (mut reactor, address) = up(move || {
        let counter = Rc::clone(&counter);
        Recorder::new(&Log::forgetful(), move |_: &mut Transport<'_>, event: &Event| {
            if let Event::Data(data) = event {
                let (total, longest) = counter.get();
                counter.set((total + data.len(), longest.max(data.len())));
            }
        })
    });
    let mut flood = client(address);
    let writer = thread::spawn(move || flood.write_all(&vec![b'f'; FLOOD]));
    turn_until(&mut reactor, "the flood is through", |_| received.get().0 == FLOOD);
    writer.join().unwrap().unwrap();
    let (_, longest) = received.get();
    assert!(longest > 64 << 10, "the longest read returned {longest} bytes");
    assert!(longest <= 256 << 10, "the longest read returned {longest} bytes");
}

#[test]
fn who_waits_behind_a_flood_is_answered_before_it_is_through() {
    const FLOOD: usize = 2_000_000;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let (mut flood, mut small) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    // All of it waits in the kernel before the turn, and nothing is sent after it.
    flood.write_all(&vec![b'f'; FLOOD]).unwrap();
    small.write_all(b"small").unwrap();
    one_turn(&mut reactor);
    let mut answer = [0; 5];
    let served = |reactor: &mut Reactor, answer: &mut [u8]| {
        one_turn(reactor);
        peek_now(&small, answer).is_some()
    };
    assert!(served(&mut reactor, &mut answer) && &answer == b"small");
    assert!(log.data().len() < FLOOD, "the flood was through before the small one was answered");
    let got = read_turning(&mut reactor, &flood, FLOOD);
    assert_eq!(got.len(), FLOOD);
}

#[test]
fn endless_floods_let_a_small_client_have_its_answers() {
    // The floods begin with `f`, and nobody answers them.
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(data) if data[0] == b's') {
            echo(transport, event);
        }
    };
    // Each has a log of its own, which is thrown away: recording floods would take the memory.
    let (mut reactor, address) = up(move || Recorder::new(&Log::forgetful(), hook));
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
    // They may wait for us to read.
    turn_until(&mut reactor, "the end", |_| floods.iter().all(|flood| flood.is_finished()));
    floods.into_iter().for_each(|flood| flood.join().unwrap());
}

#[test]
fn a_huge_answer_to_a_fast_reader_leaves_the_others_their_turn() {
    // A reader in a thread keeps the socket writable, so the sender would never have to stop.
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
    let (mut greedy, mut small) = (client(address), client(address));
    greedy.write_all(b"huge").unwrap();
    let reader = thread::spawn(move || read_all(&greedy).len());
    turn_until(&mut reactor, "the huge answer has begun", |_| !log.data().is_empty());
    let id = log.ids()[0];
    let mut turns_taken = 0;
    let mut sent_in_a_turn = 0;
    small.write_all(b"small").unwrap();
    while log.lost() == 0 {
        let before = reactor.context().write_buffer_size(id);
        reactor.turn(Some(PATIENCE)).unwrap();
        let after = reactor.context().write_buffer_size(id);
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
fn a_flood_of_new_clients_leaves_a_connection_its_answers() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut old = client(address);
    turn_until(&mut reactor, "the old one is in", |_| log.made() == 1);
    let crowd: Vec<TcpStream> = (0..500).map(|_| client(address)).collect();
    old.write_all(b"ping").unwrap();
    let mut buffer = [0; 4];
    for _ in 0..2 {
        one_turn(&mut reactor);
    }
    assert!(log.made() < crowd.len(), "the crowd is not in yet: {}", log.made());
    assert_eq!(peek_now(&old, &mut buffer).unwrap().unwrap(), 4);
    turn_until(&mut reactor, "all in", |_| log.made() == 1 + crowd.len());
}

#[test]
fn a_timer_that_arms_itself_anew_without_delay_leaves_sockets_their_turn() {
    fn again(context: &mut Context, count: Rc<Cell<usize>>) {
        count.set(count.get() + 1);
        context.call_later(Duration::ZERO, move |context| again(context, count));
    }
    let log = Log::default();
    let count = Rc::new(Cell::new(0));
    let (mut reactor, address) = up(recorders(&log, echo));
    again(reactor.context(), Rc::clone(&count));
    let mut client = client(address);
    for n in 1..=50 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
        let before = count.get();
        one_turn(&mut reactor);
        assert_eq!(count.get(), before + 1, "once a turn, in round {n}");
    }
}

#[test]
fn a_storm_of_timers_leaves_sockets_their_turn_and_fires_entirely_and_in_order() {
    const STORM: usize = 100_000;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let fired = Rc::new(Cell::new(0));
    for n in 0..STORM {
        let fired = Rc::clone(&fired);
        reactor.context().call_later(Duration::ZERO, move |_| {
            assert_eq!(fired.get(), n);
            fired.set(n + 1);
        });
    }
    client.write_all(b"ping").unwrap();
    turn_until(&mut reactor, "the client is heard", |_| log.data() == b"ping");
    assert!(fired.get() < STORM, "all {STORM} came before it");
    turn_until(&mut reactor, "all fired", |_| fired.get() == STORM);
}

#[test]
fn a_flood_of_calls_leaves_sockets_their_turn() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let handle = reactor.handle();
    let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood = {
        let (over, made) = (Arc::clone(&over), Arc::clone(&made));
        thread::spawn(move || {
            for sent in 0.. {
                // Bounded, or the queue would grow as fast as memory can be had.
                while sent > made.load(Ordering::Relaxed) + 100_000 {
                    thread::yield_now();
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
                let made = Arc::clone(&made);
                let count = move |_: &mut Context| {
                    made.fetch_add(1, Ordering::Relaxed);
                };
                if over.load(Ordering::Relaxed) || handle.call(count).is_err() {
                    return;
                }
            }
        })
    };
    turn_until(&mut reactor, "the flood has begun", |_| made.load(Ordering::Relaxed) > 0);
    a_small_client_is_answered(&mut reactor, address);
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn a_call_that_sends_itself_anew_leaves_sockets_their_turn() {
    fn again(context: &mut Context) {
        context.handle().call(again).unwrap_or_default();
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    again(reactor.context());
    let mut client = client(address);
    client.write_all(b"ping").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
}

#[test]
fn two_connections_of_one_reactor_play_ping_pong_without_growing_the_stack() {
    const ROUNDS: usize = 100_000;
    struct Player {
        rounds: Rc<Cell<usize>>,
    }
    impl ropewalk::Protocol for Player {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            self.rounds.set(self.rounds.get() + 1);
            if self.rounds.get() < ROUNDS { transport.write(data) } else { transport.close() }
        }
    }
    // A thread with a small stack: recursion would end it soon.
    let player = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let rounds = Rc::new(Cell::new(0));
        let player = {
            let rounds = Rc::clone(&rounds);
            move || Player { rounds: Rc::clone(&rounds) }
        };
        let (mut reactor, address) = up(player.clone());
        let id = reactor.connect_tcp(address, player).unwrap();
        reactor.context().write(id, b"ball");
        while rounds.get() < ROUNDS {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        rounds.get()
    });
    assert_eq!(player.unwrap().join().unwrap(), ROUNDS);
}

#[test]
fn a_client_that_ends_its_side_in_a_flood_is_still_served_in_turn() {
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

/// A connection that has much to send, and whose peer has just made room for much more than a
/// budget's worth of it. With what the peer got until then.
fn one_with_room() -> (Reactor, TcpStream, Id, Vec<u8>) {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    reactor.context().write(id, &pattern(4 * MUCH));
    turn_until(&mut reactor, "the socket is full", |reactor| {
        let before = reactor.context().write_buffer_size(id);
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        before == reactor.context().write_buffer_size(id)
    });
    let (mut got, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Some(Ok(count @ 1..)) = peek_now(&client, &mut buffer) {
        got.extend_from_slice(&buffer[..count]);
    }
    (reactor, client, id, got)
}

#[test]
fn a_connection_sends_within_a_budget_in_a_turn() {
    let (mut reactor, client, id, mut got) = one_with_room();
    let before = reactor.context().write_buffer_size(id);
    turn_until(&mut reactor, "it sends again", |reactor| {
        reactor.context().write_buffer_size(id) < before
    });
    let sent_in_a_turn = before - reactor.context().write_buffer_size(id);
    assert!(sent_in_a_turn <= 256 * 1024 + 64 * 1024, "{sent_in_a_turn} bytes in one turn");
    got.extend(read_turning(&mut reactor, &client, 4 * MUCH - got.len()));
    assert!(got == pattern(4 * MUCH));
}

#[test]
fn a_turn_does_not_wait_while_somebody_is_not_done() {
    let (mut reactor, _client, id, _) = one_with_room();
    let before = reactor.context().write_buffer_size(id);
    let begin = Instant::now();
    // The poll tells of the room once; the peer reads no more, so nothing else will happen.
    while before - reactor.context().write_buffer_size(id) < 1_000_000 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
    }
    assert!(begin.elapsed() < PATIENCE, "it waited for news of one that it knew to be ready");
}

#[test]
fn calls_are_made_a_budget_at_a_time_and_a_socket_is_served_between() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut small = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let made = Arc::new(AtomicU64::new(0));
    for _ in 0..5_000 {
        let made = Arc::clone(&made);
        let count = move |_: &mut Context| _ = made.fetch_add(1, Ordering::Relaxed);
        reactor.handle().call(count).unwrap();
    }
    small.write_all(b"small").unwrap();
    one_turn(&mut reactor);
    let made_in_a_turn = made.load(Ordering::Relaxed);
    assert!((1..5_000).contains(&made_in_a_turn), "{made_in_a_turn} calls in one turn");
    assert_eq!(log.data(), b"small", "it was served in that turn");
    turn_until(&mut reactor, "all calls", |_| made.load(Ordering::Relaxed) == 5_000);
}
