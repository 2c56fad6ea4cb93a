//! The faults of other event loops, played: time, callbacks, calls from elsewhere, and the end of a run
//! (B6 to B8, B14).

#[path = "support/scene.rs"]
#[allow(dead_code)]
mod scene;

use ropewalk::{Context, TimerId};
use ropewalk_simulation::{Costs, FaultKind, World};
use scene::*;
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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

#[test]
fn a_panic_in_any_callback_costs_the_one_connection_and_is_told() {
    for place in 0..4 {
        let mut world = World::new(1);
        let panicked = Cell::new(false);
        let server = Cast::new(move |transport, cue| {
            let here = match cue {
                Cue::Made => 0,
                Cue::Data(_) => 1,
                Cue::Eof => 2,
                Cue::Lost(_) => 3,
                Cue::Paused | Cue::Resumed => unreachable!("nothing waits"),
            };
            if here == place && !panicked.replace(true) {
                resume_unwind(Box::new("on purpose"));
            }
            close_at_end(transport, cue);
        });
        let node = listens(&mut world, &server);
        let client = Cast::new(|transport, cue| {
            if let Cue::Made = cue {
                transport.write(b"hello");
                transport.close();
            }
        });
        connects(&mut world, &client);
        world.run_for(seconds(1));
        assert_eq!(server.heard.reasons().len(), 1, "at place {place}");
        assert_eq!(server.heard.alive.get(), 0, "at place {place}");
        connects(&mut world, &Cast::quiet());
        world.run_for(seconds(1));
        let context = world.reactor(node).unwrap().context();
        assert_eq!(context.connections().count(), 1, "the listener lives, at place {place}");
    }
}

#[test]
fn two_who_answer_each_other_for_ever_do_so_without_growing_the_stack() {
    let mut world = World::new(1);
    let rounds = Rc::new(Cell::new(0));
    let theirs = rounds.clone();
    let cast = Cast::new(move |transport, cue| match cue {
        Cue::Made => transport.write(b"!"),
        Cue::Data(data) if theirs.get() < 200_000 => {
            theirs.set(theirs.get() + 1);
            transport.write(data);
        }
        _ => {}
    });
    world.add_node("both", move |reactor| {
        reactor.listen_tcp("127.0.0.1:7000", cast.clone())?;
        reactor.connect_tcp("127.0.0.1:7000", cast.clone()).map(drop)
    });
    assert!(world.run_until(seconds(600), |_| rounds.get() == 200_000));
}

#[test]
fn a_pair_of_which_either_is_closed_with_the_other_is_told_once_each() {
    let mut world = World::new(1);
    let backend = Cast::echo();
    let theirs = backend.clone();
    world.add_node("backend", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7001", theirs.clone()).map(drop)
    });
    // Whoever of a pair is lost closes the other.
    let pair = Rc::new(Cell::new([None, None]));
    let half = |side: usize, pair: Rc<Cell<[Option<_>; 2]>>| {
        Cast::new(move |transport, cue| {
            let mut ids = pair.get();
            match cue {
                Cue::Made => {
                    ids[side] = Some(transport.id());
                    pair.set(ids);
                }
                Cue::Data(data) => {
                    ids[1 - side].inspect(|id| transport.context().write(*id, data));
                }
                Cue::Lost(_) => {
                    ids[1 - side].inspect(|id| transport.context().close(*id));
                }
                cue => close_at_end(transport, cue),
            }
        })
    };
    let (front, back) = (half(0, pair.clone()), half(1, pair.clone()));
    let casts = (front.clone(), back.clone());
    let node = world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7000", casts.0.clone())?;
        reactor.connect_tcp("backend:7001", casts.1.clone()).map(drop)
    });
    let client = Cast::says("hello");
    connects(&mut world, &client);
    world.run_for(seconds(1));
    assert_eq!(client.heard.received(), 5);
    let context = world.reactor(node).unwrap().context();
    pair.get().into_iter().flatten().for_each(|id| context.close(id));
    world.run_for(seconds(5));
    assert_eq!((front.heard.reasons().len(), back.heard.reasons().len()), (1, 1));
    assert_eq!((client.heard.reasons().len(), backend.heard.reasons().len()), (1, 1));
}

#[test]
fn no_call_is_lost_however_idle_the_reactor() {
    let mut world = World::new(1);
    let node = does(&mut world, "idle", |_| {});
    let handle = world.reactor(node).unwrap().handle();
    let made = Arc::new(AtomicU32::new(0));
    let counted = made.clone();
    does(&mut world, "caller", move |context| {
        fn call(context: &mut Context, handle: ropewalk::Handle, made: Arc<AtomicU32>, left: u32) {
            for _ in 0..left % 7 {
                let made = made.clone();
                handle.call(move |_| _ = made.fetch_add(1, Ordering::Relaxed)).unwrap();
            }
            if left > 0 {
                let delay = Duration::from_micros(u64::from(left) % 1000);
                context.call_later(delay, move |context| call(context, handle, made, left - 1));
            }
        }
        call(context, handle.clone(), counted.clone(), 10_000);
    });
    world.run_for(seconds(60));
    assert_eq!(made.load(Ordering::Relaxed), (0..=10_000_u32).map(|left| left % 7).sum::<u32>());
}

#[test]
fn a_flood_of_calls_leaves_the_sockets_their_turn() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let (handle, made) = (world.reactor(node).unwrap().handle(), Arc::new(AtomicU32::new(0)));
    let before_answer = Rc::new(Cell::new(0));
    let (theirs, counted) = (before_answer.clone(), made.clone());
    let client = Cast::new(move |transport, cue| match cue {
        Cue::Made => {
            transport.write(b"?");
            for _ in 0..100_000 {
                let made = counted.clone();
                handle.call(move |_| _ = made.fetch_add(1, Ordering::Relaxed)).unwrap();
            }
        }
        Cue::Data(_) => theirs.set(counted.load(Ordering::Relaxed)),
        _ => {}
    });
    connects(&mut world, &client);
    world.run_for(seconds(10));
    assert_eq!(made.load(Ordering::Relaxed), 100_000);
    assert!(before_answer.get() < 50_000, "answered after {} calls", before_answer.get());
}

#[test]
fn a_call_to_a_reactor_that_is_gone_is_refused() {
    let mut world = World::new(1);
    let stopped = does(&mut world, "stopped", |_| {});
    let crashed = does(&mut world, "crashed", |_| {});
    let handles = [stopped, crashed].map(|node| world.reactor(node).unwrap().handle());
    world.reactor(stopped).unwrap().context().stop();
    world.run_for(seconds(1));
    world.crash(crashed);
    assert!(world.reactor(stopped).is_none());
    for handle in handles {
        assert!(handle.call(|_| unreachable!()).is_err());
    }
}

#[test]
fn a_stop_sends_what_waits_to_a_slow_reader() {
    let mut world = World::new(1);
    let server = Cast::says(pattern(2_000_000));
    let node = listens(&mut world, &server);
    let client = Cast::new(|transport, cue| match cue {
        Cue::Data(_) => {
            transport.pause();
            let id = transport.id();
            transport.context().call_later(milliseconds(100), move |context| context.resume(id));
        }
        cue => close_at_end(transport, cue),
    });
    connects(&mut world, &client);
    world.run_for(milliseconds(500));
    world.reactor(node).unwrap().context().stop();
    world.run_for(seconds(30));
    assert!(*client.heard.data.borrow() == pattern(2_000_000), "{}", client.heard.received());
    assert_eq!(server.heard.reasons(), ["Stopped"]);
    assert!(world.reactor(node).is_none());
}

#[test]
fn one_that_a_stop_has_closed_is_lost_to_the_stop_though_its_peer_takes_nothing() {
    let mut world = World::new(1);
    let server = Cast::says(pattern(2_000_000));
    let node = listens(&mut world, &server);
    connects(
        &mut world,
        &Cast::new(|transport, cue| {
            if let Cue::Made = cue {
                transport.pause();
            }
        }),
    );
    world.run_for(seconds(1));
    let reactor = world.reactor(node).unwrap();
    reactor.set_grace(seconds(100)); // longer than the patience with a peer that takes nothing
    reactor.context().stop();
    world.run_for(seconds(99));
    assert_eq!(server.heard.reasons(), ["Stopped"]);
}

#[test]
fn a_stop_lets_those_go_at_once_who_have_nothing_to_say() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    let node = listens(&mut world, &server);
    let clients = Cast::quiet();
    for _ in 0..100 {
        connects(&mut world, &clients);
    }
    world.run_for(seconds(1));
    world.reactor(node).unwrap().context().stop();
    world.run_for(milliseconds(10));
    assert!(world.reactor(node).is_none());
    assert_eq!(
        (server.heard.reasons(), clients.heard.ends.get()),
        (vec!["Stopped".into(); 100], 100)
    );
}

#[test]
fn a_stop_in_any_callback_ends_the_run_and_everyone_is_told() {
    for place in 0..4 {
        let mut world = World::new(1);
        let server = Cast::new(move |transport, cue| {
            let here = match cue {
                Cue::Made => 0,
                Cue::Data(_) => 1,
                Cue::Eof => 2,
                _ => 3,
            };
            if here == place {
                transport.context().stop();
                transport.context().stop();
            }
            close_at_end(transport, cue);
        });
        let node = listens(&mut world, &server);
        let context = world.reactor(node).unwrap().context();
        for _ in 0..10_000 {
            context.call_later(seconds(3600), |_| unreachable!());
        }
        for _ in 0..3 {
            connects(
                &mut world,
                &Cast::new(|transport, cue| {
                    if let Cue::Made = cue {
                        transport.write(b"hello");
                        transport.close();
                    }
                }),
            );
        }
        world.run_for(seconds(30));
        assert!(world.reactor(node).is_none(), "at place {place}");
        assert_eq!(server.heard.made.get(), server.heard.reasons().len());
        assert_eq!((server.heard.alive.get(), world.connections()), (0, 0));
    }
}

#[test]
fn deadlines_that_are_put_off_all_the_time_are_one_timer_each() {
    let mut world = World::new(1);
    let late = Rc::new(Cell::new(0));
    let theirs = late.clone();
    let deadlines = Rc::new(RefCell::new(std::collections::BTreeMap::new()));
    // Whoever says nothing for ten seconds is closed.
    let server = Cast::new(move |transport, cue| {
        let id = transport.id();
        match cue {
            Cue::Made => {
                let late = theirs.clone();
                let timer = transport.context().call_later(seconds(10), move |context| {
                    late.set(late.get() + 1);
                    context.close(id);
                });
                deadlines.borrow_mut().insert(id, timer);
            }
            Cue::Data(_) => {
                let timer = deadlines.borrow()[&id];
                assert!(transport.context().reset(timer, seconds(10)));
            }
            Cue::Lost(_) => {
                let timer = deadlines.borrow_mut().remove(&id).unwrap();
                transport.context().cancel(timer);
            }
            cue => close_at_end(transport, cue),
        }
    });
    let node = listens(&mut world, &server);
    // Half of them go on for a minute, and half fall silent after half of it.
    let talks = |rounds: u32| {
        Cast::new(move |transport, cue| {
            fn talk(context: &mut Context, id: ropewalk::Id, left: u32) {
                context.write(id, b"still here");
                if left > 0 {
                    context.call_later(seconds(5), move |context| talk(context, id, left - 1));
                }
            }
            if let Cue::Made = cue {
                let id = transport.id();
                talk(transport.context(), id, rounds);
            }
        })
    };
    for _ in 0..100 {
        connects(&mut world, &talks(12));
        connects(&mut world, &talks(6));
    }
    world.run_for(seconds(60));
    assert_eq!((late.get(), server.heard.reasons().len()), (100, 100));
    let before = turns(&mut world, node);
    world.run_for(seconds(20));
    assert_eq!(late.get(), 200);
    assert!(turns(&mut world, node) - before < 1000);
}
