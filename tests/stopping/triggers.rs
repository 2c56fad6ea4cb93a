//! Triggers of startup and shutdown, and calls when the reactor is running.

use ropewalk::{Hold, Reactor, RunPhase};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub(crate) const PHASES: [RunPhase; 6] = [
    RunPhase::BeforeStartup,
    RunPhase::DuringStartup,
    RunPhase::AfterStartup,
    RunPhase::BeforeShutdown,
    RunPhase::DuringShutdown,
    RunPhase::AfterShutdown,
];

pub(crate) type Notes<T> = Rc<RefCell<Vec<T>>>;

/// Has each phase noted, together with whether the reactor was running.
pub(crate) fn note_phases(reactor: &mut Reactor) -> Notes<(RunPhase, bool)> {
    let notes = Notes::default();
    for phase in PHASES.into_iter().rev() {
        let notes = Rc::clone(&notes);
        phase.call(reactor.context(), move |context| {
            notes.borrow_mut().push((phase, context.is_running()));
        });
    }
    notes
}

pub(crate) fn all_phases() -> Vec<(RunPhase, bool)> {
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
