//! The faults of other event loops, played: the end of a run, and deadlines.

use crate::scene::*;
use ropewalk::Context;
use ropewalk_simulation::World;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

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
            Cue::Lost => {
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
