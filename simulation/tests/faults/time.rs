//! Faults of other event loops: timers and clocks.

use crate::scripts::*;
use ropewalk::{Context, TimerId};
use ropewalk_simulation::{Costs, FaultKind, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts the intervals that have passed.
fn every(context: &mut Context, interval: Duration, count: Rc<Cell<u32>>) {
    context.call_later(interval, move |context| {
        count.set(count.get() + 1);
        every(context, interval, count);
    });
}

#[test]
fn distant_timers_do_not_affect_others() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let shared = count.clone();
    run_on_node(&mut world, "node", move |context| {
        for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 10), DAY * 365 * 30] {
            context.call_later(delay, |_| panic!("a distant timer fired"));
        }
        every(context, DAY, shared.clone());
    });
    world.run_for(DAY * 365 * 29 + seconds(1)); // each turn takes time
    assert_eq!(count.get(), 365 * 29);
}

#[test]
fn a_timer_after_25_days_is_punctual() {
    let mut world = World::new(1);
    let late = Rc::new(Cell::new(None));
    let shared = late.clone();
    run_on_node(&mut world, "node", move |context| {
        let (due, shared) = (context.now() + DAY * 25, shared.clone());
        context.call_later(DAY * 25, move |context| shared.set(Some(context.now() - due)));
    });
    world.run_for(DAY * 24);
    assert_eq!(late.get(), None);
    world.run_for(DAY * 2);
    assert!(late.get().unwrap() < milliseconds(1));
}

#[test]
fn a_submillisecond_timer_is_never_early() {
    let mut world = World::new(1);
    let node = run_on_node(&mut world, "node", |context| {
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
fn a_clock_jump_fires_timers_once() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let shared = count.clone();
    let node = run_on_node(&mut world, "node", move |context| {
        every(context, milliseconds(100), shared.clone());
    });
    world.run_for(seconds(1));
    assert_eq!(count.get(), 9, "each turn takes time");
    add_fault(&mut world, FaultKind::Jump, node, seconds(1)); // by an hour
    world.run_for(seconds(1));
    assert!((19..=21).contains(&count.get()), "{count:?}");
}

#[test]
fn timers_follow_a_drifting_clock() {
    let mut world = World::new(1);
    let count = Rc::new(Cell::new(0));
    let shared = count.clone();
    let node = run_on_node(&mut world, "node", move |context| {
        every(context, milliseconds(100), shared.clone());
    });
    add_fault(&mut world, FaultKind::Drift, node, seconds(10)); // fast by half
    world.run_for(seconds(10));
    assert!((145..=150).contains(&count.get()), "{count:?}");
}

#[test]
fn cancelled_timers_cause_no_work() {
    let mut world = World::new(1);
    let node = run_on_node(&mut world, "node", |context| {
        for _ in 0..200_000 {
            let timer = context.call_later(seconds(3600), |_| unreachable!());
            assert!(context.cancel(timer));
        }
    });
    assert!(world.run_until_quiet(seconds(1)));
    assert!(turns(&mut world, node) < 5);
}

#[test]
fn a_timer_can_cancel_and_set_timers() {
    let mut world = World::new(1);
    let fired = Rc::new(RefCell::new(Vec::new()));
    let shared = fired.clone();
    run_on_node(&mut world, "node", move |context| {
        let (ids, fired) = (Rc::new(RefCell::new(Vec::<TimerId>::new())), shared.clone());
        for number in 0..3 {
            let (siblings, fired) = (ids.clone(), fired.clone());
            let timer = context.call_later(milliseconds(10), move |context| {
                fired.borrow_mut().push(number);
                let siblings = siblings.borrow();
                assert!(!context.cancel(siblings[number]), "the timer is running");
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
fn simultaneous_timers_do_not_starve_sockets() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let fired = Rc::new(RefCell::new(Vec::new()));
    let context = world.reactor(node).unwrap().context();
    for number in 0..40_000 {
        let fired = fired.clone();
        context.call_later(milliseconds(5), move |_| fired.borrow_mut().push(number));
    }
    let behind = Rc::new(Cell::new(0));
    let (shared, storm) = (behind.clone(), fired.clone());
    let client = Script::new(move |transport, event| match event {
        Event::Made => {
            let id = transport.id();
            transport
                .context()
                .call_later(milliseconds(5), move |context| context.transport(id).write(b"?"));
        }
        Event::Data(_) => shared.set(storm.borrow().len()),
        _ => {}
    });
    add_client(&mut world, &client);
    world.run_for(seconds(1));
    assert!(fired.borrow().iter().copied().eq(0..40_000));
    assert!((1..20_000).contains(&behind.get()), "answered after {} timers", behind.get());
}

#[test]
fn a_simultaneous_deadline_and_end_are_one_end() {
    let mut world = World::new(1);
    let server = Script::new(|transport, event| match event {
        Event::Made => {
            let id = transport.id();
            transport.context().call_later(milliseconds(10), move |context| context.close(id));
        }
        event => close_at_end(transport, event),
    });
    let node = add_server(&mut world, &server);
    let client = Script::new(|transport, event| {
        if let Event::Made = event {
            let id = transport.id();
            transport.context().call_later(milliseconds(5), move |context| context.close(id));
        }
    });
    add_client(&mut world, &client);
    world.run_for(milliseconds(2));
    add_fault(&mut world, FaultKind::Stall, node, milliseconds(20));
    world.run_for(seconds(1));
    assert_eq!((server.record.reasons().len(), client.record.reasons().len()), (1, 1));
    assert_eq!(server.record.alive.get(), 0);
}

#[test]
fn a_slow_callback_does_not_accumulate_timers() {
    let mut world = World::new(1).costs(Costs { callback: milliseconds(35), ..Costs::default() });
    let count = Rc::new(Cell::new(0));
    let shared = count.clone();
    run_on_node(&mut world, "node", move |context| {
        every(context, milliseconds(10), shared.clone())
    });
    world.run_for(seconds(10));
    // Timers set in a turn count from its beginning.
    assert!((200..=300).contains(&count.get()), "{count:?}");
}
