//! Triggers of startup and shutdown, holds, and calls when the reactor is running.

use crate::support::*;
use ropewalk::{Hold, Reactor, RunPhase, Transport};
use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

const PHASES: [RunPhase; 6] = [
    RunPhase::BeforeStartup,
    RunPhase::DuringStartup,
    RunPhase::AfterStartup,
    RunPhase::BeforeShutdown,
    RunPhase::DuringShutdown,
    RunPhase::AfterShutdown,
];

type Notes<T> = Rc<RefCell<Vec<T>>>;

/// Has each phase noted, together with whether the reactor was running.
fn note_phases(reactor: &mut Reactor) -> Notes<(RunPhase, bool)> {
    let notes = Notes::default();
    for phase in PHASES.into_iter().rev() {
        let notes = Rc::clone(&notes);
        phase.call(reactor.context(), move |context| {
            notes.borrow_mut().push((phase, context.is_running()));
        });
    }
    notes
}

fn all_phases() -> Vec<(RunPhase, bool)> {
    PHASES.into_iter().zip([false, true, true, true, false, false]).collect()
}

#[test]
fn each_trigger_is_called_once_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let notes = note_phases(&mut reactor);
    for _ in 0..2 {
        assert!(!reactor.is_running());
        reactor.context().call_when_running(|context| context.stop());
        reactor.run().unwrap();
        assert_eq!(*notes.borrow(), all_phases());
    }
}

#[test]
fn run_by_turns_reaches_each_phase() {
    let mut reactor = Reactor::new().unwrap();
    let notes = note_phases(&mut reactor);
    assert!(reactor.run_turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(*notes.borrow(), all_phases()[..3]);
    assert!(reactor.is_running());
    reactor.context().stop();
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(*notes.borrow(), all_phases());
}

#[test]
fn drop_in_a_run_reaches_the_shutdown() {
    let mut reactor = Reactor::new().unwrap();
    let notes = note_phases(&mut reactor);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let _hold = Hold::new(reactor.context());
    drop(reactor);
    assert_eq!(*notes.borrow(), all_phases());
}

#[test]
fn drop_without_a_run_drops_the_triggers() {
    let mut reactor = Reactor::new().unwrap();
    let notes = note_phases(&mut reactor);
    drop(reactor);
    assert!(notes.borrow().is_empty());
    assert_eq!(Rc::strong_count(&notes), 1);
}

#[test]
fn cancelled_trigger_is_not_called() {
    let mut reactor = Reactor::new().unwrap();
    let sibling = Rc::new(Cell::new(None));
    let found = Rc::clone(&sibling);
    RunPhase::AfterStartup.call(reactor.context(), move |context| {
        assert!(found.take().is_some_and(|id: ropewalk::TriggerId| id.cancel(context)));
        context.stop();
    });
    sibling.set(Some(RunPhase::AfterStartup.call(reactor.context(), |_| panic!("cancelled"))));
    let other = RunPhase::BeforeStartup.call(reactor.context(), |_| panic!("cancelled"));
    assert!(other.cancel(reactor.context()));
    assert!(!other.cancel(reactor.context()));
    reactor.run().unwrap();
    assert_eq!(reactor.context().statistics().panics, 0);
}

#[test]
fn panicking_trigger_does_not_stop_the_others() {
    for phase in PHASES {
        let mut reactor = Reactor::new().unwrap();
        phase.call(reactor.context(), |_| panic!("on purpose"));
        let notes = note_phases(&mut reactor);
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(*notes.borrow(), all_phases());
        assert_eq!(reactor.context().statistics().panics, 1);
    }
}

#[test]
fn trigger_added_in_its_phase_awaits_next_run() {
    let mut reactor = Reactor::new().unwrap();
    let count = Rc::new(Cell::new(0));
    fn add(context: &mut ropewalk::Context, phase: RunPhase, count: Rc<Cell<usize>>) {
        phase.call(context, move |context| {
            count.set(count.get() + 1);
            add(context, phase, count);
        });
    }
    for phase in PHASES {
        add(reactor.context(), phase, Rc::clone(&count));
    }
    for runs in 1..4 {
        reactor.context().stop();
        reactor.run().unwrap();
        assert_eq!(count.get(), runs * PHASES.len());
    }
}

#[test]
fn calls_when_running_are_made_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let notes = Notes::default();
    for number in 0..3 {
        let notes = Rc::clone(&notes);
        reactor.context().call_when_running(move |context| {
            let inner = Rc::clone(&notes);
            context.call_when_running(move |context| {
                inner.borrow_mut().push(number + 10);
                if number == 2 {
                    context.stop();
                }
            });
            // The call is not made inside this one.
            notes.borrow_mut().push(number);
        });
    }
    assert!(notes.borrow().is_empty());
    reactor.run().unwrap();
    assert_eq!(*notes.borrow(), [0, 10, 1, 11, 2, 12]);
}

#[test]
fn endless_calls_when_running_starve_no_timer() {
    fn again(context: &mut ropewalk::Context) {
        context.call_when_running(again);
    }
    let mut reactor = Reactor::new().unwrap();
    reactor.context().call_when_running(again);
    reactor.context().call_later(Duration::from_millis(2), |context| context.stop());
    // Without a bound this would not return.
    reactor.run_turn(Some(Duration::ZERO)).unwrap();
    while reactor.is_running() {
        reactor.run_turn(None).unwrap();
    }
}

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
