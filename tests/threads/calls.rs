//! Calls that other threads make through a handle.

use crate::support::*;
use ropewalk::{Context, Reactor, ReactorGone, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

thread_local! {
    /// The calls that ran on the reactor's thread, as (thread, number).
    static MADE: RefCell<Vec<(usize, u32)>> = const { RefCell::new(Vec::new()) };
}

fn made() -> usize {
    MADE.with_borrow(Vec::len)
}

fn note(thread: usize, number: u32) -> impl FnOnce(&mut Context) + Send + 'static {
    move |_| MADE.with_borrow_mut(|made| made.push((thread, number)))
}

#[test]
fn calls_of_eight_threads_run_once_in_order() {
    const THREADS: usize = 8;
    const CALLS: u32 = 20_000;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    client.write_all(b"ping").unwrap();
    let callers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let handle = reactor.handle();
            thread::spawn(move || {
                for number in 0..CALLS {
                    handle.call(note(thread, number)).unwrap();
                }
            })
        })
        .collect();
    let mut answers = 0;
    turn_until(&mut reactor, "all calls made", |_| {
        // A client keeps the reactor busy.
        if peek_now(&client, &mut [0; 4]).is_some() {
            answers += 1;
            client.write_all(b"ping").unwrap();
        }
        made() == THREADS * CALLS as usize
    });
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    turns(&mut reactor, 2);
    MADE.with_borrow(|made| {
        for thread in 0..THREADS {
            let numbers =
                made.iter().filter(|(from, _)| *from == thread).map(|(_, number)| *number);
            assert!(numbers.eq(0..CALLS), "thread {thread}: once each and in order");
        }
    });
    assert!(answers > 0);
}

#[test]
fn call_sent_while_others_remain_is_made() {
    // More calls than a turn makes. The next call's wake-up arrives while the remaining ones are made.
    for left_over in [1, 500, 1_023] {
        MADE.with_borrow_mut(Vec::clear);
        let mut reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        let first = 1_024 + left_over;
        for number in 0..first {
            handle.call(note(0, number)).unwrap();
        }
        reactor.turn(Some(Duration::ZERO)).unwrap();
        handle.call(note(1, 0)).unwrap();
        // Enough turns for all calls. Each waits for a moment, as an idle reactor does.
        turns(&mut reactor, 10);
        assert_eq!(made(), first as usize + 1, "{left_over} calls remained");
    }
}

#[test]
fn no_wake_is_lost_in_ping_pong() {
    const ROUNDS: u32 = 5_000;
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (to_thread, from_reactor) = mpsc::channel::<u32>();
    let other = thread::spawn(move || {
        for number in from_reactor {
            let to_thread = Arc::new(number);
            handle.call(note(0, *to_thread)).unwrap();
        }
    });
    for number in 0..ROUNDS {
        to_thread.send(number).unwrap();
        while made() <= number as usize {
            // Only the call can end this wait.
            reactor.turn(None).unwrap();
        }
    }
    drop(to_thread);
    other.join().unwrap();
    assert_eq!(made(), ROUNDS as usize);
}

#[test]
fn bursts_wake_a_sleeping_reactor() {
    const ROUNDS: usize = 300;
    let mut reactor = Reactor::new().unwrap();
    for round in 1..=ROUNDS {
        let callers: Vec<_> = (0..2)
            .map(|thread| {
                let handle = reactor.handle();
                thread::spawn(move || {
                    for number in 0..3 {
                        handle.call(note(thread, number)).unwrap();
                    }
                })
            })
            .collect();
        while made() < round * 6 {
            reactor.turn(None).unwrap();
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
    assert_eq!(made(), ROUNDS * 6);
}

#[test]
fn call_before_run_is_made_in_it() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    handle.call(note(0, 1)).unwrap();
    handle.call(Context::stop).unwrap();
    handle.call(note(0, 2)).unwrap();
    reactor.run().unwrap();
    assert_eq!(MADE.with_borrow(Clone::clone), [(0, 1), (0, 2)]);
}

#[test]
fn call_to_dropped_reactor_is_refused() {
    let reactor = Reactor::new().unwrap();
    let (handle, other) = (reactor.handle(), reactor.handle().clone());
    let runs = Arc::new(AtomicU32::new(0));
    drop(reactor);
    let counted = Arc::clone(&runs);
    let outcome = handle.call(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(outcome, Err(ReactorGone));
    assert_eq!(other.stop(), Err(ReactorGone));
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&runs), 1, "the call was dropped");
}

#[test]
fn dropped_reactor_makes_pending_calls() {
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    for number in 0..3_000 {
        handle.call(note(0, number)).unwrap();
    }
    let last = handle.clone();
    let outcome = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&outcome);
    let call = move |context: &mut Context| {
        assert!(context.is_stopping());
        *seen.lock().unwrap() = Some(last.call(|_| unreachable!("the call was refused")));
    };
    handle.call(call).unwrap();
    drop(reactor);
    assert_eq!(made(), 3_000);
    assert_eq!(*outcome.lock().unwrap(), Some(Err(ReactorGone)));
}

#[test]
fn calls_racing_with_drop_run_or_are_refused() {
    for _ in 0..50 {
        MADE.with_borrow_mut(Vec::clear);
        let reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        let caller = thread::spawn(move || {
            (0..u32::MAX).take_while(|number| handle.call(note(0, *number)).is_ok()).count()
        });
        drop(reactor);
        let accepted = caller.join().unwrap();
        assert_eq!(made(), accepted);
    }
}

#[test]
fn thread_stops_a_run() {
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..3 {
        let handle = reactor.handle();
        let stopper = thread::spawn(move || handle.stop());
        reactor.run().unwrap();
        stopper.join().unwrap().unwrap();
    }
}

#[test]
fn call_reaches_connections_by_id() {
    let log = Log::default();
    let (mut reactor, client) = up_with_client(&log, only_record);
    let (handle, id) = (reactor.handle(), log.ids()[0]);
    let worker = thread::spawn(move || {
        handle.call(move |context| context.transport(id).write(b"the answer")).unwrap();
        handle.call(move |context| context.close(id)).unwrap();
    });
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"the answer");
    worker.join().unwrap();
}

#[test]
fn stop_in_last_callback_spares_next_run() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(_) => {
            transport.write(&pattern(20_000_000));
            transport.context().stop();
        }
        // The grace is over: this is the last callback of the run.
        Event::Lost(_) => transport.context().handle().stop().unwrap(),
        _ => {}
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    reactor.set_grace(Duration::ZERO);
    let mut stuck = client(address);
    stuck.write_all(b"stop").unwrap();
    reactor.run().unwrap();
    assert_eq!(log.lost(), 1);
    let ran = Rc::new(Cell::new(false));
    let seen = Rc::clone(&ran);
    reactor.context().call_later(Duration::from_millis(1), move |context| {
        seen.set(true);
        context.stop();
    });
    reactor.run().unwrap();
    assert!(ran.get(), "the second run ended before its timer");
}
