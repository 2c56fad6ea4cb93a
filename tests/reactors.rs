//! A reactor is a value: several side by side, one after another, and none leaves a trace.

mod support;

use ropewalk::{Context, Reactor, Transport};
use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::*;

#[test]
fn several_reactors_run_in_threads_of_one_process() {
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let (tell, address) = mpsc::channel();
            let server = thread::spawn(move || {
                let log = Log::default();
                let (mut reactor, address) = up(recorders(&log, echo));
                tell.send((address, reactor.handle())).unwrap();
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
fn two_reactors_of_one_thread_talk_to_each_other_by_turns() {
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
    // What one is asked does not reach the other, though their ids may be equal.
    server.context().stop();
    assert!(!caller.context().is_stopping());
    served.check(true);
    called.check(true);
}

#[test]
fn reactors_made_run_and_dropped_many_times_leave_no_descriptor() {
    if !is_child() {
        in_child("reactors_made_run_and_dropped_many_times_leave_no_descriptor", &[]);
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
        turn_until(&mut reactor, "played", |_| log.lost() == 2 && failures.borrow().len() == 1);
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
fn a_turn_waits_no_longer_than_it_is_told_and_not_at_all_when_there_is_work() {
    let mut reactor = Reactor::new().unwrap();
    assert!(comes_to_rest(&mut reactor));
    let fired = Rc::new(Cell::new(false));
    let seen = Rc::clone(&fired);
    reactor.context().call_later(Duration::ZERO, move |_| seen.set(true));
    reactor.turn(None).unwrap();
    assert!(fired.get());
}
