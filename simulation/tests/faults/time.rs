//! The faults of other event loops, played: timers and clocks.

use crate::scene::*;
use ropewalk::{Context, TimerId};
use ropewalk_simulation::{Costs, FaultKind, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts how often `interval` has passed.
fn every(context: &mut Context, interval: Duration, count: Rc<Cell<u32>>) {
    context.call_later(interval, move |context| {
        count.set(count.get() + 1);
        every(context, interval, count);
    });
}

#[test]
fn the_farthest_timers_are_in_nobodys_way() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let theirs = count.clone();
    does(&mut world, "node", move |context| {
        for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 10), DAY * 365 * 30] {
            context.call_later(delay, |_| panic!("not in our time"));
        }
        every(context, DAY, theirs.clone());
    });
    world.run_for(DAY * 365 * 29 + seconds(1)); // each turn takes its time
    assert_eq!(count.get(), 365 * 29);
}

#[test]
fn a_timer_in_twenty_five_days_is_on_time() {
    let mut world = World::new(1);
    let late = Rc::new(Cell::new(None));
    let theirs = late.clone();
    does(&mut world, "node", move |context| {
        let (due, theirs) = (context.now() + DAY * 25, theirs.clone());
        context.call_later(DAY * 25, move |context| theirs.set(Some(context.now() - due)));
    });
    world.run_for(DAY * 24);
    assert_eq!(late.get(), None);
    world.run_for(DAY * 2);
    assert!(late.get().unwrap() < milliseconds(1));
}

#[test]
fn a_timer_of_a_third_of_a_millisecond_neither_spins_nor_is_early() {
    let mut world = World::new(1);
    let node = does(&mut world, "node", |context| {
        fn again(context: &mut Context, left: u32) {
            let due = context.now() + Duration::from_micros(300);
            context.call_later(Duration::from_micros(300), move |context| {
                assert!(context.now() >= due && context.now() < due + Duration::from_micros(10));
                if left > 0 {
                    again(context, left - 1);
                }
            });
        }
        again(context, 1000);
    });
    world.run_for(seconds(1));
    assert!(turns(&mut world, node) <= 1010);
}

#[test]
fn a_clock_that_jumps_fires_what_is_due_once() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let theirs = count.clone();
    let node = does(&mut world, "node", move |context| {
        every(context, milliseconds(100), theirs.clone());
    });
    world.run_for(seconds(1));
    assert_eq!(count.get(), 9, "each turn takes its time");
    has(&mut world, FaultKind::Jump, node, seconds(1)); // by an hour
    world.run_for(seconds(1));
    assert!((19..=21).contains(&count.get()), "{count:?}");
}

#[test]
fn a_clock_that_drifts_fires_by_its_own_time() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let theirs = count.clone();
    let node = does(&mut world, "node", move |context| {
        every(context, milliseconds(100), theirs.clone());
    });
    has(&mut world, FaultKind::Drift, node, seconds(10)); // fast by half
    world.run_for(seconds(10));
    assert!((145..=150).contains(&count.get()), "{count:?}");
}

#[test]
fn two_hundred_thousand_cancelled_timers_leave_nothing_to_do() {
    let mut world = World::new(1);
    let node = does(&mut world, "node", |context| {
        for _ in 0..200_000 {
            let timer = context.call_later(seconds(3600), |_| unreachable!());
            assert!(context.cancel(timer));
        }
    });
    assert!(world.run_until_quiet(seconds(1)));
    assert!(turns(&mut world, node) < 5);
}

#[test]
fn a_timer_may_cancel_itself_and_its_sibling_and_set_itself_anew() {
    let mut world = World::new(1);
    let fired = Rc::new(RefCell::new(Vec::new()));
    let theirs = fired.clone();
    does(&mut world, "node", move |context| {
        let (ids, fired) = (Rc::new(RefCell::new(Vec::<TimerId>::new())), theirs.clone());
        for number in 0..3 {
            let (siblings, fired) = (ids.clone(), fired.clone());
            let timer = context.call_later(milliseconds(10), move |context| {
                fired.borrow_mut().push(number);
                let siblings = siblings.borrow();
                assert!(!context.cancel(siblings[number]), "it is being made");
                context.cancel(siblings[1]);
                let fired = fired.clone();
                let again = move |_: &mut Context| fired.borrow_mut().push(number + 10);
                context.call_later(milliseconds(10), again);
            });
            ids.borrow_mut().push(timer);
        }
    });
    world.run_for(seconds(1));
    assert_eq!(*fired.borrow(), [0, 2, 10, 12]);
}

#[test]
fn a_hundred_thousand_timers_at_once_leave_the_sockets_their_turn() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let fired = Rc::new(RefCell::new(Vec::new()));
    let context = world.reactor(node).unwrap().context();
    for number in 0..100_000 {
        let fired = fired.clone();
        context.call_later(milliseconds(5), move |_| fired.borrow_mut().push(number));
    }
    let behind = Rc::new(Cell::new(0));
    let (theirs, storm) = (behind.clone(), fired.clone());
    let client = Cast::new(move |transport, cue| match cue {
        Cue::Made => {
            let id = transport.id();
            transport.context().call_later(milliseconds(5), move |context| context.write(id, b"?"));
        }
        Cue::Data(_) => theirs.set(storm.borrow().len()),
        _ => {}
    });
    connects(&mut world, &client);
    world.run_for(seconds(1));
    assert!(fired.borrow().iter().copied().eq(0..100_000));
    assert!((1..50_000).contains(&behind.get()), "answered after {} timers", behind.get());
}

#[test]
fn a_deadline_and_the_end_of_the_peer_in_one_turn_are_one_end() {
    let mut world = World::new(1);
    let server = Cast::new(|transport, cue| match cue {
        Cue::Made => {
            let id = transport.id();
            transport.context().call_later(milliseconds(10), move |context| context.close(id));
        }
        cue => close_at_end(transport, cue),
    });
    let node = listens(&mut world, &server);
    let client = Cast::new(|transport, cue| {
        if let Cue::Made = cue {
            let id = transport.id();
            transport.context().call_later(milliseconds(5), move |context| context.close(id));
        }
    });
    connects(&mut world, &client);
    world.run_for(milliseconds(2));
    has(&mut world, FaultKind::Stall, node, milliseconds(20));
    world.run_for(seconds(1));
    assert_eq!((server.heard.reasons().len(), client.heard.reasons().len()), (1, 1));
    assert_eq!(server.heard.alive.get(), 0);
}

#[test]
fn a_callback_slower_than_its_interval_piles_nothing_up() {
    let mut world = World::new(1).costs(Costs { callback: milliseconds(35), ..Costs::default() });
    let count = Rc::new(Cell::new(0));
    let theirs = count.clone();
    does(&mut world, "node", move |context| every(context, milliseconds(10), theirs.clone()));
    world.run_for(seconds(10));
    // What is scheduled in a turn counts from its beginning.
    assert!((200..=300).contains(&count.get()), "{count:?}");
}
