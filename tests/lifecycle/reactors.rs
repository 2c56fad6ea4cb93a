//! Reactors: several at a time, one after another, and how long a turn waits.

use crate::support::*;
use ropewalk::{Context, Reactor, Transport};
use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn reactors_run_in_separate_threads() {
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let (sender, address) = mpsc::channel();
            let server = thread::spawn(move || {
                let log = Log::default();
                let (mut reactor, address) = up(recorders(&log, echo));
                sender.send((address, reactor.handle())).unwrap();
                reactor.run().unwrap();
                log.check(true);
                log.made()
            });
            (server, address.recv().unwrap())
        })
        .collect();
    for round in 0..5 {
        for (_, (address, _)) in &servers {
            let mut client = client(*address);
            let line = format!("round {round}");
            client.write_all(line.as_bytes()).unwrap();
            let mut answer = vec![0; line.len()];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, line.as_bytes());
        }
    }
    for (server, (_, handle)) in servers {
        handle.stop().unwrap();
        assert_eq!(server.join().unwrap(), 5);
    }
}

#[test]
fn two_reactors_share_one_thread_by_turns() {
    let (served, called) = (Log::default(), Log::default());
    let failures = Failures::default();
    let (mut server, address) = up(recorders(&served, echo));
    let mut caller = Reactor::new().unwrap();
    let count = Rc::new(Cell::new(0));
    let hook = {
        let count = Rc::clone(&count);
        move |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Made => transport.write(b"ball"),
            Event::Data(data) => {
                count.set(count.get() + 1);
                if count.get() < 200 { transport.write(data) } else { transport.close() }
            }
            _ => {}
        }
    };
    caller.connect_tcp(address, Caller::new(&called, &failures, hook)).unwrap();
    turn_until(&mut caller, "both lost", |_| {
        server.turn(Some(Duration::ZERO)).unwrap();
        served.lost() + called.lost() == 2
    });
    assert_eq!((count.get(), failures.borrow().len()), (200, 0));
    // Requests to one reactor do not reach the other, even if their ids are equal.
    server.context().stop();
    assert!(!caller.context().is_stopping());
    served.check(true);
    called.check(true);
}

#[test]
fn reactors_leak_no_descriptors() {
    if !is_child() {
        in_child(this_test!(), &[]);
        return;
    }
    let round = || {
        let log = Log::default();
        let failures = Failures::default();
        let (mut reactor, address) = up(recorders(&log, echo));
        let hook = |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Made => transport.write(b"hello"),
            Event::Data(_) => transport.close(),
            _ => {}
        };
        reactor.connect_tcp(address, Caller::new(&log, &failures, hook)).unwrap();
        reactor.connect_tcp(dead(), Caller::new(&log, &failures, only_record)).unwrap();
        let handle = reactor.handle();
        turn_until(&mut reactor, "all ended", |_| log.lost() == 2 && failures.borrow().len() == 1);
        reactor.context().call_later(Duration::ZERO, Context::stop);
        reactor.run().unwrap();
        // A handle may outlive its reactor.
        drop(reactor);
        assert!(handle.stop().is_err());
    };
    round();
    let before = descriptors();
    for _ in 0..100 {
        round();
    }
    assert_eq!(descriptors(), before);
}

#[test]
fn turn_waits_at_most_its_limit_without_work() {
    let mut reactor = Reactor::new().unwrap();
    assert!(becomes_idle(&mut reactor));
    let fired = Rc::new(Cell::new(false));
    let seen = Rc::clone(&fired);
    reactor.context().call_later(Duration::ZERO, move |_| seen.set(true));
    reactor.turn(None).unwrap();
    assert!(fired.get());
}

/// A turn that ran the callbacks of earlier requests waited for an event afterwards.
#[test]
fn turn_with_pending_callbacks_does_not_wait() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 2);
    let begin = Instant::now();
    reactor.context().abort(log.ids()[0]);
    while log.lost() == 0 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
    }
    assert!(begin.elapsed() < PATIENCE);
}

/// The timer was due in the same turn, since the turn's mark was set after calls from other
/// threads.
#[test]
fn timer_scheduled_by_call_fires_in_later_turn() {
    let mut reactor = Reactor::new().unwrap();
    let (sender, fired) = mpsc::channel();
    let call = move |context: &mut Context| {
        context.call_later(Duration::ZERO, move |_| sender.send(()).unwrap());
    };
    reactor.handle().call(call).unwrap();
    let mut turns_taken = 0;
    while fired.try_recv().is_err() {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        turns_taken += 1;
    }
    assert!(turns_taken >= 2);
}
