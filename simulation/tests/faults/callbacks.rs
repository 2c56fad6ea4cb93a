//! The faults of other event loops, played: callbacks, and calls from elsewhere.

use crate::scene::*;
use ropewalk::Context;
use ropewalk_simulation::World;
use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[test]
fn a_panic_in_any_callback_costs_the_one_connection_and_is_told() {
    for place in 0..4 {
        let mut world = World::new(1);
        world.allow_panics(|message| message == "on purpose");
        let panicked = Cell::new(false);
        let server = Cast::new(move |transport, cue| {
            let here = match cue {
                Cue::Made => 0,
                Cue::Data(_) => 1,
                Cue::Eof => 2,
                Cue::Lost => 3,
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
                Cue::Lost => {
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
