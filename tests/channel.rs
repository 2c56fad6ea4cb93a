//! Channels: each message once, in order, to a receiver that stays on its thread.

mod support;

use ropewalk::{Context, Reactor, ReactorGone, Sender};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;
use support::*;

type Heard<T> = Rc<RefCell<Vec<T>>>;

/// A channel whose receiver notes what it is given.
fn noting<T: 'static>(context: &mut Context) -> (Sender<T>, Heard<T>) {
    let heard = Heard::default();
    let note = Rc::clone(&heard);
    (context.channel(move |_, message| note.borrow_mut().push(message)), heard)
}

/// Counts how often it is dropped.
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn messages_of_eight_threads_each_arrive_once_and_in_order_while_the_reactor_is_busy() {
    const THREADS: usize = 8;
    const MESSAGES: u32 = 20_000;
    let (mut reactor, address) = up(|| Echo);
    let (sender, heard) = noting(reactor.context());
    let mut client = client(address);
    client.write_all(b"ping").unwrap();
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    sender.send((thread, number)).unwrap();
                }
            })
        })
        .collect();
    let mut answers = 0;
    turn_until(&mut reactor, "all messages received", |_| {
        if peek_now(&client, &mut [0; 4]).is_some() {
            answers += 1;
            client.write_all(b"ping").unwrap();
        }
        heard.borrow().len() == THREADS * MESSAGES as usize
    });
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    turns(&mut reactor, 2);
    for thread in 0..THREADS {
        let heard = heard.borrow();
        let of_thread = heard.iter().filter(|(from, _)| *from == thread);
        assert!(of_thread.map(|(_, number)| *number).eq(0..MESSAGES), "thread {thread}");
    }
    assert!(answers > 0);
}

#[test]
fn no_wake_is_lost_between_two_that_wait_for_each_other() {
    const ROUNDS: u32 = 5_000;
    let mut reactor = Reactor::new().unwrap();
    let (sender, heard) = noting(reactor.context());
    let (to_thread, from_reactor) = std::sync::mpsc::channel::<u32>();
    let opponent = thread::spawn(move || {
        for number in from_reactor {
            sender.send(number).unwrap();
        }
    });
    for number in 0..ROUNDS {
        to_thread.send(number).unwrap();
        while heard.borrow().len() <= number as usize {
            // Only the message can end this wait.
            reactor.turn(None).unwrap();
        }
    }
    drop(to_thread);
    opponent.join().unwrap();
    assert!(heard.borrow().iter().copied().eq(0..ROUNDS));
}

#[test]
fn channels_share_a_budget_and_a_socket_is_served_between() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let (first, heard_first) = noting(reactor.context());
    let (second, heard_second) = noting(reactor.context());
    let mut small = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    for number in 0..3_000 {
        first.send(number).unwrap();
        second.send(number).unwrap();
    }
    small.write_all(b"small").unwrap();
    let received = || heard_first.borrow().len() + heard_second.borrow().len();
    for turn in 1..=4 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
        assert_eq!(received(), turn * 1_024);
    }
    assert_eq!(log.data(), b"small", "it was served meanwhile");
    // The two had their turns in turn: none waits until the other is through.
    assert_eq!((heard_first.borrow().len(), heard_second.borrow().len()), (2_048, 2_048));
    turn_until(&mut reactor, "all", |_| received() == 6_000);
    assert!(heard_second.borrow().iter().copied().eq(0..3_000));
}

#[test]
fn messages_that_are_left_over_do_not_wait_for_news() {
    let mut reactor = Reactor::new().unwrap();
    let (sender, heard) = noting(reactor.context());
    for number in 0..1_025 {
        sender.send(number).unwrap();
    }
    let begin = Instant::now();
    reactor.turn(Some(2 * PATIENCE)).unwrap();
    // The wake-up for this one comes while the one that was left over waits.
    sender.send(1_025).unwrap();
    while heard.borrow().len() < 1_026 {
        reactor.turn(Some(PATIENCE)).unwrap();
        assert!(begin.elapsed() < PATIENCE, "it waited for news of what it knew");
    }
}

#[test]
fn a_flood_of_messages_leaves_sockets_their_turn() {
    let (mut reactor, address) = up(|| Echo);
    let count = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&count);
    let sender = reactor.context().channel(move |_, _: u64| counted.set(counted.get() + 1));
    let over = Arc::new(AtomicBool::new(false));
    let flood = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // Bounded, or the queue would grow as fast as memory can be had.
                if sender.waiting() < 100_000 {
                    sender.send(0).unwrap();
                } else {
                    thread::yield_now();
                }
            }
        })
    };
    turn_until(&mut reactor, "the flood has begun", |_| count.get() > 0);
    a_small_client_is_answered(&mut reactor, address);
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn a_receiver_that_sends_to_itself_leaves_sockets_their_turn() {
    let (mut reactor, address) = up(|| Echo);
    let (pass_on, to_pass_on) = std::sync::mpsc::channel::<Sender<()>>();
    let mut itself = None;
    let sender = reactor.context().channel(move |_, ()| {
        let itself = itself.get_or_insert_with(|| to_pass_on.recv().unwrap());
        assert!(itself.send(()).is_ok());
    });
    pass_on.send(sender.clone()).unwrap();
    sender.send(()).unwrap();
    let mut client = client(address);
    for _ in 0..3 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
    }
}

#[test]
fn a_panic_costs_the_message_and_nothing_else() {
    let (mut reactor, address) = up(|| Echo);
    let heard = Heard::default();
    let note = Rc::clone(&heard);
    let sender = reactor.context().channel(move |_, number: u32| {
        assert!(number.is_multiple_of(2), "the receiver's own panic");
        note.borrow_mut().push(number);
    });
    (0..10).for_each(|number| sender.send(number).unwrap());
    turn_until(&mut reactor, "received", |_| heard.borrow().len() == 5);
    sender.send(10).unwrap();
    let mut client = client(address);
    client.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"unharmed");
    assert_eq!(*heard.borrow(), [0, 2, 4, 6, 8, 10]);
}

#[test]
fn the_receiver_is_dropped_when_the_last_sender_is_and_after_what_was_sent() {
    let (dropped, heard) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut reactor = Reactor::new().unwrap();
    let (mark, note, seen) = (Dropped(dropped.clone()), heard.clone(), dropped.clone());
    let sender = reactor.context().channel(move |_, count: u32| {
        assert_eq!(seen.get(), 0);
        let _ = &mark;
        note.set(note.get() + count);
    });
    let other = sender.clone();
    drop(sender);
    turns(&mut reactor, 2);
    assert_eq!(dropped.get(), 0);
    // More than a turn's: it is dropped only when the last has been received.
    (0..2_000).for_each(|_| other.send(1).unwrap());
    thread::spawn(move || drop(other)).join().unwrap();
    turn_until(&mut reactor, "dropped", |_| dropped.get() == 1);
    assert_eq!(heard.get(), 2_000);
    // Another one that was never used.
    let mark = Dropped(dropped.clone());
    drop(reactor.context().channel(move |_, ()| _ = &mark));
    turn_until(&mut reactor, "dropped", |_| dropped.get() == 2);
}

#[test]
fn receivers_go_with_the_reactor_after_what_was_sent_and_senders_are_told() {
    let dropped = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    let (sender, heard) = noting(reactor.context());
    let mark = Dropped(dropped.clone());
    let idle = reactor.context().channel(move |_, ()| _ = &mark);
    (0..3_000).for_each(|number| sender.send(number).unwrap());
    drop(reactor);
    assert!(heard.borrow().iter().copied().eq(0..3_000));
    assert_eq!(Rc::strong_count(&heard), 1, "its receiver is dropped");
    assert_eq!(dropped.get(), 1);
    assert_eq!(sender.send(3_000), Err(ReactorGone));
    assert_eq!(idle.send(()), Err(ReactorGone));
}

#[test]
fn a_receiver_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the receiver's own panic");
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let (sender, heard) = noting(reactor.context());
    for keep in [false, true] {
        let bomb = Bomb;
        let sender = reactor.context().channel(move |_, ()| _ = &bomb);
        if keep {
            std::mem::forget(sender);
        }
    }
    sender.send(1).unwrap();
    turn_until(&mut reactor, "received", |_| *heard.borrow() == [1]);
    sender.send(2).unwrap();
    drop(reactor);
    assert_eq!(*heard.borrow(), [1, 2]);
}

#[test]
fn messages_that_race_with_the_drop_are_received_or_refused_and_nothing_between() {
    for _ in 0..50 {
        let mut reactor = Reactor::new().unwrap();
        let (sender, heard) = noting(reactor.context());
        let thread = thread::spawn(move || {
            (0..u32::MAX).take_while(|number| sender.send(*number).is_ok()).count()
        });
        drop(reactor);
        let accepted = thread.join().unwrap();
        assert_eq!(heard.borrow().len(), accepted);
    }
}

#[test]
fn a_receiver_may_open_a_channel_and_use_connections() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let opener = reactor.context().channel(move |context, words: [&'static str; 2]| {
        let sender = context.channel(move |context, word: &str| {
            context.write(id, word.as_bytes());
        });
        words.into_iter().for_each(|word| sender.send(word).unwrap());
    });
    thread::spawn(move || opener.send(["one ", "two"]).unwrap()).join().unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 7), b"one two");
}

#[test]
fn what_is_sent_before_the_run_is_received_in_it() {
    let mut reactor = Reactor::new().unwrap();
    let sender = reactor.context().channel(|context, ()| context.stop());
    sender.send(()).unwrap();
    assert_eq!(sender.waiting(), 1);
    reactor.run().unwrap();
    assert_eq!(sender.waiting(), 0);
    assert!(comes_to_rest(&mut reactor));
}
