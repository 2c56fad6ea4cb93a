//! Timers: deadlines, order, and effects on each other.

use crate::script::Script;
use crate::support::*;
use ropewalk::{Context, Reactor, TimerId};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The names of the timers that have fired.
type Fired = Rc<RefCell<Vec<u32>>>;

fn note(fired: &Fired, name: u32) -> impl FnOnce(&mut Context) + 'static {
    let fired = Rc::clone(fired);
    move |_| fired.borrow_mut().push(name)
}

fn milliseconds(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn timers_fire_by_deadline_then_scheduling_order() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let when = context.now() + milliseconds(5);
    for (name, delay) in [(6, 50), (1, 2), (7, 50), (2, 2), (8, 50)] {
        context.call_later(milliseconds(delay), note(&fired, name));
    }
    for name in 3..6 {
        context.call_at(when, note(&fired, name));
    }
    turn_until(&mut reactor, "all fired", |_| fired.borrow().len() == 8);
    assert_eq!(*fired.borrow(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn timer_never_fires_early_and_fires_once() {
    let mut reactor = Reactor::new().unwrap();
    for delay in [Duration::from_micros(300), milliseconds(1), Duration::from_micros(7_900)] {
        let fired = Rc::new(Cell::new(0));
        let count = Rc::clone(&fired);
        let begin = Instant::now();
        reactor.context().call_later(delay, move |_| count.set(count.get() + 1));
        turn_until(&mut reactor, "fired", |_| fired.get() > 0);
        assert!(begin.elapsed() >= delay);
        turns(&mut reactor, 3);
        assert_eq!(fired.get(), 1);
    }
}

#[test]
fn waiting_for_a_timer_does_not_spin() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    reactor.context().call_later(Duration::from_micros(30_300), note(&fired, 1));
    let mut count = 0;
    while fired.borrow().is_empty() {
        reactor.turn(None).unwrap();
        count += 1;
    }
    assert!(count < 20, "{count} turns for one timer");
}

#[test]
fn timer_may_cancel_a_due_sibling() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let sibling: Rc<Cell<Option<TimerId>>> = Rc::default();
    let context = reactor.context();
    let cancels = {
        let (fired, sibling) = (Rc::clone(&fired), Rc::clone(&sibling));
        move |context: &mut Context| {
            fired.borrow_mut().push(1);
            let sibling = sibling.get().unwrap();
            assert!(context.is_active(sibling));
            assert!(context.cancel(sibling));
            assert!(!context.is_active(sibling) && !context.cancel(sibling));
        }
    };
    context.call_later(Duration::ZERO, cancels);
    sibling.set(Some(context.call_later(Duration::ZERO, note(&fired, 2))));
    context.call_later(Duration::ZERO, note(&fired, 3));
    turn_until(&mut reactor, "fired", |_| fired.borrow().len() == 2);
    turns(&mut reactor, 3);
    assert_eq!(*fired.borrow(), [1, 3]);
}

#[test]
fn timer_may_reset_its_siblings() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let others: Rc<Cell<Option<(TimerId, TimerId)>>> = Rc::default();
    let context = reactor.context();
    let moves = {
        let (fired, others) = (Rc::clone(&fired), Rc::clone(&others));
        move |context: &mut Context| {
            fired.borrow_mut().push(1);
            let (due, far) = others.get().unwrap();
            assert!(context.reset(due, milliseconds(20)));
            assert!(context.reset(far, Duration::ZERO));
        }
    };
    context.call_later(Duration::ZERO, moves);
    let due = context.call_later(Duration::ZERO, note(&fired, 3));
    let far = context.call_later(Duration::from_secs(3600), note(&fired, 2));
    others.set(Some((due, far)));
    turn_until(&mut reactor, "all fired", |_| fired.borrow().len() == 3);
    assert_eq!(*fired.borrow(), [1, 2, 3]);
}

/// With a scripted clock, which stands still during a turn, so that the deadline does not delay it.
#[test]
fn timer_reset_to_zero_fires_next_turn() {
    let fired = Fired::default();
    let (_script, mut reactor) = Script::new();
    let far = reactor.context().call_later(Duration::from_secs(3600), note(&fired, 3));
    let resets = {
        let fired = Rc::clone(&fired);
        move |context: &mut Context| {
            fired.borrow_mut().push(1);
            assert!(context.reset(far, Duration::ZERO));
            context.call_later(Duration::ZERO, note(&fired, 4));
        }
    };
    reactor.context().call_later(Duration::ZERO, resets);
    reactor.context().call_later(Duration::ZERO, note(&fired, 2));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(*fired.borrow(), [1, 2], "the reset timer fired in the same turn");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(*fired.borrow(), [1, 2, 3, 4], "a reset timer counts as newly scheduled");
}

#[test]
fn firing_timer_cannot_be_cancelled_or_reset() {
    let own: Rc<Cell<Option<TimerId>>> = Rc::default();
    let seen = Rc::new(Cell::new(false));
    let mut reactor = Reactor::new().unwrap();
    let tries = {
        let (own, seen) = (Rc::clone(&own), Rc::clone(&seen));
        move |context: &mut Context| {
            let own = own.get().unwrap();
            assert!(!context.is_active(own));
            assert!(!context.cancel(own));
            assert!(!context.reset(own, Duration::ZERO));
            seen.set(true);
        }
    };
    own.set(Some(reactor.context().call_later(Duration::ZERO, tries)));
    turn_until(&mut reactor, "fired", |_| seen.get());
}

#[test]
fn stale_timer_id_reaches_no_other_timer() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let old = context.call_later(milliseconds(1), note(&fired, 1));
    assert!(context.cancel(old));
    let new = context.call_later(milliseconds(1), note(&fired, 2));
    assert_ne!(old, new);
    assert!(!context.cancel(old) && !context.reset(old, Duration::MAX) && !context.is_active(old));
    assert!(context.is_active(new));
    turn_until(&mut reactor, "fired", |_| *fired.borrow() == [2]);
}

#[test]
fn timer_ids_print_distinct_numbers() {
    let mut reactor = Reactor::new().unwrap();
    let mut name = || reactor.context().call_later(Duration::ZERO, |_| {}).to_string();
    assert_eq!([name(), name()], ["timer 0", "timer 1"]);
}

#[test]
fn past_deadline_fires_in_the_next_turn() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let past = Instant::now().checked_sub(milliseconds(1)).unwrap();
    reactor.context().call_at(past, note(&fired, 1));
    assert!(fired.borrow().is_empty());
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(*fired.borrow(), [1]);
}

#[test]
fn timer_scheduled_by_timer_fires_after_sockets() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, only_record);
    client.write_all(b"between").unwrap();
    let seen: Rc<RefCell<Vec<(u32, usize)>>> = Rc::default();
    let first = {
        let (seen, log) = (Rc::clone(&seen), log.clone());
        move |context: &mut Context| {
            seen.borrow_mut().push((1, log.data().len()));
            let (again, past) = (Rc::clone(&seen), context.now() - milliseconds(1));
            context.call_at(past, move |_| again.borrow_mut().push((2, log.data().len())));
        }
    };
    reactor.context().call_later(Duration::ZERO, first);
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(*seen.borrow(), [(1, 0)], "the second timer fired in the same turn");
    turn_until(&mut reactor, "the second timer", |_| seen.borrow().len() == 2);
    assert_eq!(*seen.borrow(), [(1, 0), (2, 7)], "no data between the timers");
}

#[test]
fn longest_delays_neither_panic_nor_fire() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let year = Duration::from_secs(365 * 24 * 3600);
    let mut far = Vec::new();
    for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 10), 30 * year, 25 * year / 365] {
        far.push(context.call_later(delay, |_| panic!("the timer fired")));
    }
    assert!(context.reset(far[2], Duration::MAX));
    // With these timers only, a turn waits for its whole limit.
    reactor.turn(Some(milliseconds(1))).unwrap();
    reactor.context().call_later(milliseconds(2), note(&fired, 1));
    while fired.borrow().is_empty() {
        reactor.turn(None).unwrap();
    }
    assert!(far.iter().all(|timer| reactor.context().is_active(*timer)));
    for timer in far {
        assert!(reactor.context().cancel(timer));
    }
    drop(reactor);
    Reactor::new().unwrap().context().call_later(Duration::MAX, |_| panic!("the timer fired"));
}

#[test]
fn timeout_may_exceed_the_clocks_range() {
    let (log, failures) = (Log::default(), Failures::default());
    let (mut reactor, address) = up(|| Echo);
    let options = ropewalk::ConnectOptions::new().timeout(Duration::MAX);
    let caller = Caller::new(&log, &failures, only_record);
    options.connect_tcp(reactor.context(), address, caller).unwrap();
    reactor.set_grace(Duration::MAX);
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    reactor.context().stop();
    reactor.run().unwrap();
    log.check(true);
}

#[test]
fn unfired_timers_survive_between_runs() {
    let fired = Fired::default();
    let mut reactor = Reactor::new().unwrap();
    let timer = reactor.context().call_later(milliseconds(5), note(&fired, 1));
    reactor.context().stop();
    reactor.run().unwrap();
    assert!(fired.borrow().is_empty() && reactor.context().is_active(timer));
    let stop = |context: &mut Context| context.stop();
    reactor.context().call_later(milliseconds(10), stop);
    reactor.run().unwrap();
    assert_eq!(*fired.borrow(), [1]);
}

#[test]
fn slow_interval_does_not_pile_up() {
    fn tick(context: &mut Context, ticks: Rc<Cell<u32>>) {
        ticks.set(ticks.get() + 1);
        let begin = Instant::now();
        while begin.elapsed() < milliseconds(8) {}
        context.call_later(milliseconds(2), move |context| tick(context, ticks));
    }
    let ticks = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    tick(reactor.context(), Rc::clone(&ticks));
    for turn in 1..=10 {
        let before = ticks.get();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert!(ticks.get() <= before + 1, "more than one tick in turn {turn}");
    }
}

#[test]
fn timer_close_and_peer_end_lose_once() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    for round in 1..=10 {
        let client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == round);
        let id = log.ids()[round - 1];
        drop(client);
        // Timers run before sockets, and both are due in one turn.
        reactor.context().call_later(Duration::ZERO, move |context| context.close(id));
        turn_until(&mut reactor, "lost", |_| log.lost() == round);
    }
    turns(&mut reactor, 3);
    log.check(true);
}

#[test]
fn cancelled_timers_leave_no_entries() {
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    for _ in 0..100_000 {
        let timer = context.call_later(Duration::from_secs(3600), |_| panic!("cancelled"));
        assert!(context.cancel(timer));
    }
    assert!(format!("{context:?}").contains("timers: 0"), "{context:?}");
}

#[test]
fn cancelled_timer_is_dropped_after_the_callback() {
    let held = Rc::new(());
    let mut reactor = Reactor::new().unwrap();
    let inside = Rc::clone(&held);
    let timer = reactor.context().call_later(Duration::from_secs(3600), move |_| drop(inside));
    assert_eq!(Rc::strong_count(&held), 2);
    let (same, counts) = (Rc::clone(&held), Rc::new(Cell::new([0; 2])));
    let noted = Rc::clone(&counts);
    reactor.context().call_later(Duration::ZERO, move |context| {
        let before = Rc::strong_count(&same);
        assert!(context.cancel(timer));
        noted.set([before, Rc::strong_count(&same)]);
    });
    turns(&mut reactor, 1);
    assert_eq!(counts.get(), [3, 3]);
    assert_eq!(Rc::strong_count(&held), 1);
    let inside = Rc::clone(&held);
    reactor.context().call_later(Duration::from_secs(3600), move |_| drop(inside));
    drop(reactor);
    assert_eq!(Rc::strong_count(&held), 1);
}
