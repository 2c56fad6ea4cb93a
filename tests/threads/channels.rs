//! Channels: messages of any thread for a receiver on the reactor's thread.

use crate::support::*;
use ropewalk::{Context, Reactor, ReactorGone, Sender};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// The messages that a receiver was given.
type Received<T> = Rc<RefCell<Vec<T>>>;

/// Returns a channel with a receiver that records its messages.
fn recording<T: 'static>(context: &mut Context) -> (Sender<T>, Received<T>) {
    let messages = Received::default();
    let note = Rc::clone(&messages);
    (context.channel(move |_, message| note.borrow_mut().push(message)), messages)
}

/// Counts its drops.
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn messages_of_eight_threads_arrive_once_in_order() {
    const THREADS: usize = 8;
    const MESSAGES: u32 = 20_000;
    let (mut reactor, address) = up(|| Echo);
    let (sender, messages) = recording(reactor.context());
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
        messages.borrow().len() == THREADS * MESSAGES as usize
    });
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    turns(&mut reactor, 2);
    for thread in 0..THREADS {
        let messages = messages.borrow();
        let of_thread = messages.iter().filter(|(from, _)| *from == thread);
        assert!(of_thread.map(|(_, number)| *number).eq(0..MESSAGES), "thread {thread}");
    }
    assert!(answers > 0);
}

#[test]
fn no_wake_is_lost_in_ping_pong() {
    const ROUNDS: u32 = 5_000;
    let mut reactor = Reactor::new().unwrap();
    let (sender, messages) = recording(reactor.context());
    let (to_thread, from_reactor) = std::sync::mpsc::channel::<u32>();
    let other = thread::spawn(move || {
        for number in from_reactor {
            sender.send(number).unwrap();
        }
    });
    for number in 0..ROUNDS {
        to_thread.send(number).unwrap();
        while messages.borrow().len() <= number as usize {
            // Only the message can end this wait.
            reactor.turn(None).unwrap();
        }
    }
    drop(to_thread);
    other.join().unwrap();
    assert!(messages.borrow().iter().copied().eq(0..ROUNDS));
}

#[test]
fn channels_share_a_budget() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let (first, received_first) = recording(reactor.context());
    let (second, received_second) = recording(reactor.context());
    let mut small = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    for number in 0..3_000 {
        first.send(number).unwrap();
        second.send(number).unwrap();
    }
    small.write_all(b"small").unwrap();
    let received = || received_first.borrow().len() + received_second.borrow().len();
    for turn in 1..=4 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
        assert_eq!(received(), turn * 1_024);
    }
    assert_eq!(log.data(), b"small", "the socket was served in between");
    // The channels alternate.
    assert_eq!((received_first.borrow().len(), received_second.borrow().len()), (2_048, 2_048));
    turn_until(&mut reactor, "all", |_| received() == 6_000);
    assert!(received_second.borrow().iter().copied().eq(0..3_000));
}

#[test]
fn remaining_messages_need_no_further_event() {
    let mut reactor = Reactor::new().unwrap();
    let (sender, messages) = recording(reactor.context());
    for number in 0..1_025 {
        sender.send(number).unwrap();
    }
    let begin = Instant::now();
    reactor.turn(Some(2 * PATIENCE)).unwrap();
    // The wake-up for this message arrives while one of the first remains.
    sender.send(1_025).unwrap();
    while messages.borrow().len() < 1_026 {
        reactor.turn(Some(PATIENCE)).unwrap();
        assert!(begin.elapsed() < PATIENCE, "the poll waited although a message remained");
    }
}

#[test]
fn flood_of_messages_does_not_starve_sockets() {
    let (mut reactor, address) = up(|| Echo);
    let count = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&count);
    let sender = reactor.context().channel(move |_, _: u64| counted.set(counted.get() + 1));
    let over = Arc::new(AtomicBool::new(false));
    let flood = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // Bounded, so that the queue does not exhaust memory.
                if sender.waiting() < 100_000 {
                    sender.send(0).unwrap();
                } else {
                    thread::yield_now();
                }
            }
        })
    };
    turn_until(&mut reactor, "the flood has begun", |_| count.get() > 0);
    assert_client_is_echoed(&mut reactor, address);
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn receiver_sending_to_itself_does_not_starve_sockets() {
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
fn panic_costs_only_the_message() {
    let (mut reactor, address) = up(|| Echo);
    let messages = Received::default();
    let note = Rc::clone(&messages);
    let sender = reactor.context().channel(move |_, number: u32| {
        assert!(number.is_multiple_of(2), "a panic on purpose");
        note.borrow_mut().push(number);
    });
    (0..10).for_each(|number| sender.send(number).unwrap());
    turn_until(&mut reactor, "received", |_| messages.borrow().len() == 5);
    sender.send(10).unwrap();
    let mut client = client(address);
    client.write_all(b"survives").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 8), b"survives");
    assert_eq!(*messages.borrow(), [0, 2, 4, 6, 8, 10]);
}

#[test]
fn receiver_is_dropped_after_the_last_sender() {
    let (dropped, sum) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut reactor = Reactor::new().unwrap();
    let (mark, note, seen) = (Dropped(dropped.clone()), sum.clone(), dropped.clone());
    let sender = reactor.context().channel(move |_, count: u32| {
        assert_eq!(seen.get(), 0);
        let _ = &mark;
        note.set(note.get() + count);
    });
    let other = sender.clone();
    drop(sender);
    turns(&mut reactor, 2);
    assert_eq!(dropped.get(), 0);
    // More than a turn receives. The receiver is dropped only after the last message.
    (0..2_000).for_each(|_| other.send(1).unwrap());
    thread::spawn(move || drop(other)).join().unwrap();
    turn_until(&mut reactor, "dropped", |_| dropped.get() == 1);
    assert_eq!(sum.get(), 2_000);
    // A channel that was never used.
    let mark = Dropped(dropped.clone());
    drop(reactor.context().channel(move |_, ()| _ = &mark));
    turn_until(&mut reactor, "dropped", |_| dropped.get() == 2);
}

#[test]
fn dropped_reactor_delivers_then_refuses_messages() {
    let dropped = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    let (sender, messages) = recording(reactor.context());
    let mark = Dropped(dropped.clone());
    let idle = reactor.context().channel(move |_, ()| _ = &mark);
    (0..3_000).for_each(|number| sender.send(number).unwrap());
    drop(reactor);
    assert!(messages.borrow().iter().copied().eq(0..3_000));
    assert_eq!(Rc::strong_count(&messages), 1, "the receiver is dropped");
    assert_eq!(dropped.get(), 1);
    assert_eq!(sender.send(3_000), Err(ReactorGone));
    assert_eq!(idle.send(()), Err(ReactorGone));
}

#[test]
fn receiver_may_panic_in_drop() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a panic on purpose");
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let (sender, messages) = recording(reactor.context());
    for keep in [false, true] {
        let bomb = Bomb;
        let sender = reactor.context().channel(move |_, ()| _ = &bomb);
        if keep {
            std::mem::forget(sender);
        }
    }
    sender.send(1).unwrap();
    turn_until(&mut reactor, "received", |_| *messages.borrow() == [1]);
    sender.send(2).unwrap();
    drop(reactor);
    assert_eq!(*messages.borrow(), [1, 2]);
}

#[test]
fn messages_racing_with_drop_arrive_or_are_refused() {
    for _ in 0..50 {
        let mut reactor = Reactor::new().unwrap();
        let (sender, messages) = recording(reactor.context());
        let thread = thread::spawn(move || {
            (0..u32::MAX).take_while(|number| sender.send(*number).is_ok()).count()
        });
        drop(reactor);
        let accepted = thread.join().unwrap();
        assert_eq!(messages.borrow().len(), accepted);
    }
}

#[test]
fn receiver_may_open_channels_and_use_connections() {
    let log = Log::default();
    let (mut reactor, client) = up_with_client(&log, only_record);
    let id = log.ids()[0];
    let opener = reactor.context().channel(move |context, words: [&'static str; 2]| {
        let sender = context.channel(move |context, word: &str| {
            context.transport(id).write(word.as_bytes());
        });
        words.into_iter().for_each(|word| sender.send(word).unwrap());
    });
    thread::spawn(move || opener.send(["one ", "two"]).unwrap()).join().unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 7), b"one two");
}

#[test]
fn message_before_run_is_received_in_it() {
    let mut reactor = Reactor::new().unwrap();
    let sender = reactor.context().channel(|context, ()| context.stop());
    sender.send(()).unwrap();
    assert_eq!(sender.waiting(), 1);
    reactor.run().unwrap();
    assert_eq!(sender.waiting(), 0);
    assert!(becomes_idle(&mut reactor));
}
