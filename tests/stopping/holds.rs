//! Holds, which delay the startup or the shutdown.

use crate::support::*;
use crate::triggers::{Notes, PHASES, all_phases, note_phases};
use ropewalk::{Hold, Reactor, RunPhase, Transport};
use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[test]
fn hold_delays_the_shutdown_until_release() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    reactor.set_grace(3 * PATIENCE);
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let hold = Hold::new(reactor.context());
    let closing = Rc::new(Cell::new(false));
    let noted = Rc::clone(&closing);
    RunPhase::DuringShutdown.call(reactor.context(), move |_| noted.set(true));
    reactor.context().stop();
    for _ in 0..3 {
        assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    }
    // The connection is served meanwhile.
    assert!(!closing.get() && reactor.is_running());
    let asking = thread::spawn(move || {
        use std::io::{Read, Write};
        let mut client = client;
        client.write_all(b"still there?").unwrap();
        client.read_exact(&mut [0; 12]).unwrap();
        drop(hold);
        read_all(&client)
    });
    while reactor.run_turn(None).unwrap() {}
    assert!(closing.get());
    assert_eq!(asking.join().unwrap(), b"");
    assert_eq!(log.reasons(), ["Stopped"]);
}

/// Notes the phases of the startup. Returns the hold that a trigger makes before it.
fn held_startup(reactor: &mut Reactor) -> (Notes<RunPhase>, Rc<Cell<Option<Hold>>>) {
    let (phases, hold): (Notes<RunPhase>, Rc<Cell<Option<Hold>>>) = Default::default();
    for phase in PHASES {
        let noted = Rc::clone(&phases);
        phase.call(reactor.context(), move |_| noted.borrow_mut().push(phase));
    }
    let made = Rc::clone(&hold);
    RunPhase::BeforeStartup.call(reactor.context(), move |context| {
        made.set(Some(Hold::new(context)));
    });
    (phases, hold)
}

#[test]
fn hold_delays_the_startup_until_release() {
    let (mut reactor, address) = up(|| Echo);
    let (phases, hold) = held_startup(&mut reactor);
    // Sockets are served meanwhile.
    assert_client_is_echoed(&mut reactor, address);
    assert!(!reactor.is_running());
    assert_eq!(*phases.borrow(), PHASES[..1]);
    drop(hold.take());
    turn(&mut reactor);
    assert!(reactor.is_running());
    assert_eq!(*phases.borrow(), PHASES[..3]);
    // A later hold delays the shutdown.
    let later = Hold::new(reactor.context());
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(*phases.borrow(), PHASES[..4]);
    drop(later);
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), PHASES);
}

#[test]
fn grace_period_bounds_a_hold_of_the_startup() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_grace(Duration::from_millis(5));
    let (phases, hold) = held_startup(&mut reactor);
    reactor.context().call_when_running(|context| context.stop());
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), PHASES);
    drop(hold.take());
    turn(&mut reactor);
}

#[test]
fn stop_ends_a_startup_that_is_held() {
    let mut reactor = Reactor::new().unwrap();
    let (phases, hold) = held_startup(&mut reactor);
    let timer = |context: &mut ropewalk::Context| context.stop();
    reactor.context().call_later(Duration::from_millis(1), timer);
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), [&PHASES[..1], &PHASES[3..]].concat());
    // The triggers of the startup are called in the next run, once the hold is released.
    drop(hold.take());
    reactor.context().call_when_running(|context| context.stop());
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), [&PHASES[..1], &PHASES[3..], &PHASES[1..3]].concat());
}

/// Before the shutdown a trigger sends a report to another server, and holds the shutdown until that has it.
#[test]
fn connections_are_opened_while_held() {
    let log = Log::default();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let received = thread::spawn(move || read_all(&server.accept().unwrap().0));
    let mut reactor = Reactor::new().unwrap();
    reactor.set_grace(3 * PATIENCE);
    let recorder = recorders(&log, |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.write(b"a report");
            transport.close();
        }
    });
    RunPhase::BeforeShutdown.call(reactor.context(), move |context| {
        let hold = Hold::new(context);
        context.connect_tcp(address, recorder).unwrap();
        thread::spawn(move || {
            assert_eq!(received.join().unwrap(), b"a report");
            drop(hold);
        });
    });
    let late = Rc::new(Cell::new(false));
    let refused = Rc::clone(&late);
    RunPhase::DuringShutdown.call(reactor.context(), move |context| {
        refused.set(context.connect_tcp(address, || Echo).is_err());
    });
    reactor.context().stop();
    reactor.run().unwrap();
    assert_eq!(log.reasons(), ["Closed"]);
    assert!(late.get(), "the shutdown opens no connections");
}

/// The first hold delays the startup, one of a protocol's callback the shutdown.
#[test]
fn hold_made_while_the_startup_is_held_delays_the_shutdown() {
    let mut reactor = Reactor::new().unwrap();
    let (phases, startup) = held_startup(&mut reactor);
    let shutdown = Rc::new(Cell::new(None));
    let made = Rc::clone(&shutdown);
    reactor.context().call_later(Duration::ZERO, move |context| {
        made.set(Some(Hold::new(context)));
    });
    turn(&mut reactor);
    drop(startup.take());
    turn(&mut reactor);
    assert_eq!(*phases.borrow(), PHASES[..3], "the second hold delays no startup");
    reactor.context().stop();
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(*phases.borrow(), PHASES[..4]);
    drop(shutdown.take());
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), PHASES);
}

#[test]
fn released_holds_delay_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let (phases, hold) = held_startup(&mut reactor);
    RunPhase::BeforeStartup.call(reactor.context(), move |_| drop(hold.take()));
    reactor.context().call_later(Duration::ZERO, |context| {
        assert!(context.is_running());
        context.stop();
    });
    reactor.run().unwrap();
    assert_eq!(*phases.borrow(), PHASES);
}

#[test]
fn hold_made_during_the_shutdown_delays_its_end() {
    for releases in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        reactor.set_grace(if releases { 3 * PATIENCE } else { Duration::from_millis(5) });
        let (sender, receiver) = mpsc::channel::<Hold>();
        let ended = Arc::new(AtomicBool::new(false));
        let work = Arc::clone(&ended);
        thread::spawn(move || {
            let hold = receiver.recv().unwrap();
            match releases {
                true => {
                    thread::sleep(Duration::from_millis(30)); // Work that takes some time.
                    work.store(true, Ordering::SeqCst);
                }
                false => thread::park(),
            }
            drop(hold);
        });
        RunPhase::DuringShutdown.call(reactor.context(), move |context| {
            sender.send(Hold::new(context)).unwrap();
        });
        let noted = Arc::clone(&ended);
        RunPhase::AfterShutdown.call(reactor.context(), move |_| {
            assert_eq!(noted.load(Ordering::SeqCst), releases);
        });
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(reactor.context().statistics().panics, 0);
    }
}

#[test]
fn grace_period_bounds_a_hold() {
    for grace in [Duration::ZERO, Duration::from_millis(5)] {
        let mut reactor = Reactor::new().unwrap();
        reactor.set_grace(grace);
        let notes = note_phases(&mut reactor);
        let _hold = Hold::new(reactor.context());
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(*notes.borrow(), all_phases());
    }
}
