//! Timers, calls and callbacks that cause more of their kind.

use crate::floods::one_turn;
use crate::support::*;
use ropewalk::{Context, Transport};
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn self_rescheduling_timer_does_not_starve_sockets() {
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
        assert_eq!(count.get(), before + 1, "one call in a turn, in round {n}");
    }
}

#[test]
fn storm_of_timers_does_not_starve_sockets() {
    const STORM: usize = 100_000;
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, echo);
    let fired = Rc::new(Cell::new(0));
    for n in 0..STORM {
        let fired = Rc::clone(&fired);
        reactor.context().call_later(Duration::ZERO, move |_| {
            assert_eq!(fired.get(), n);
            fired.set(n + 1);
        });
    }
    client.write_all(b"ping").unwrap();
    turn_until(&mut reactor, "the client's data", |_| log.data() == b"ping");
    assert!(fired.get() < STORM, "all {STORM} fired before it");
    turn_until(&mut reactor, "all fired", |_| fired.get() == STORM);
}

#[test]
fn flood_of_calls_does_not_starve_sockets() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let handle = reactor.handle();
    let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood = {
        let (over, made) = (Arc::clone(&over), Arc::clone(&made));
        thread::spawn(move || {
            for sent in 0.. {
                // Bounded, so that the queue does not exhaust memory.
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
    assert_client_is_echoed(&mut reactor, address);
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn self_repeating_call_does_not_starve_sockets() {
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
fn calls_are_made_within_a_budget() {
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

#[test]
fn ping_pong_does_not_grow_the_stack() {
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
    // A thread with a small stack, which recursion would overflow.
    let player = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let rounds = Rc::new(Cell::new(0));
        let player = {
            let rounds = Rc::clone(&rounds);
            move || Player { rounds: Rc::clone(&rounds) }
        };
        let (mut reactor, address) = up(player.clone());
        let id = reactor.connect_tcp(address, player).unwrap();
        reactor.context().transport(id).write(b"ball");
        while rounds.get() < ROUNDS {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        rounds.get()
    });
    assert_eq!(player.unwrap().join().unwrap(), ROUNDS);
}
