//! Faults of other event loops: callbacks, and calls from other threads.

use crate::scripts::*;
use ropewalk::Context;
use ropewalk_simulation::World;
use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[test]
fn a_panic_in_any_callback_ends_its_connection() {
    for place in 0..4 {
        let mut world = World::new(1);
        world.allow_panics(|message| message == "on purpose");
        let panicked = Cell::new(false);
        let server = Script::new(move |transport, event| {
            let here = match event {
                Event::Made => 0,
                Event::Data(_) => 1,
                Event::Eof => 2,
                Event::Lost => 3,
                Event::Paused | Event::Resumed => unreachable!("nothing waits"),
            };
            if here == place && !panicked.replace(true) {
                resume_unwind(Box::new("on purpose"));
            }
            close_at_end(transport, event);
        });
        let node = add_server(&mut world, &server);
        let client = Script::new(|transport, event| {
            if let Event::Made = event {
                transport.write(b"hello");
                transport.close();
            }
        });
        add_client(&mut world, &client);
        world.run_for(seconds(1));
        assert_eq!(server.record.reasons().len(), 1, "at place {place}");
        assert_eq!(server.record.alive.get(), 0, "at place {place}");
        add_client(&mut world, &Script::silent());
        world.run_for(seconds(1));
        let context = world.reactor(node).unwrap().context();
        assert_eq!(context.connections().count(), 1, "the listener is kept, at place {place}");
    }
}

#[test]
fn endless_answers_do_not_grow_the_stack() {
    let mut world = World::new(1);
    let rounds = Rc::new(Cell::new(0));
    let shared = rounds.clone();
    let script = Script::new(move |transport, event| match event {
        Event::Made => transport.write(b"!"),
        Event::Data(data) if shared.get() < 50_000 => {
            shared.set(shared.get() + 1);
            transport.write(data);
        }
        _ => {}
    });
    world.add_node("both", move |reactor| {
        reactor.listen_tcp("127.0.0.1:7000", script.clone())?;
        reactor.connect_tcp("127.0.0.1:7000", script.clone()).map(drop)
    });
    assert!(world.run_until(seconds(600), |_| rounds.get() == 50_000));
}

#[test]
fn mutual_closes_are_reported_once_each() {
    let mut world = World::new(1);
    let backend = Script::echo();
    let shared = backend.clone();
    world.add_node("backend", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7001", shared.clone()).map(drop)
    });
    // When a connection of a pair is lost, it closes the other one.
    let pair = Rc::new(Cell::new([None, None]));
    let half = |side: usize, pair: Rc<Cell<[Option<_>; 2]>>| {
        Script::new(move |transport, event| {
            let mut ids = pair.get();
            match event {
                Event::Made => {
                    ids[side] = Some(transport.id());
                    pair.set(ids);
                }
                Event::Data(data) => {
                    ids[1 - side].inspect(|id| transport.context().transport(*id).write(data));
                }
                Event::Lost => {
                    ids[1 - side].inspect(|id| transport.context().close(*id));
                }
                event => close_at_end(transport, event),
            }
        })
    };
    let (front, back) = (half(0, pair.clone()), half(1, pair.clone()));
    let casts = (front.clone(), back.clone());
    let node = world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7000", casts.0.clone())?;
        reactor.connect_tcp("backend:7001", casts.1.clone()).map(drop)
    });
    let client = Script::sending("hello");
    add_client(&mut world, &client);
    world.run_for(seconds(1));
    assert_eq!(client.record.received(), 5);
    let context = world.reactor(node).unwrap().context();
    pair.get().into_iter().flatten().for_each(|id| context.close(id));
    world.run_for(seconds(5));
    assert_eq!((front.record.reasons().len(), back.record.reasons().len()), (1, 1));
    assert_eq!((client.record.reasons().len(), backend.record.reasons().len()), (1, 1));
}

#[test]
fn calls_to_an_idle_reactor_are_made() {
    let mut world = World::new(1);
    let node = run_on_node(&mut world, "idle", |_| {});
    let handle = world.reactor(node).unwrap().handle();
    let made = Arc::new(AtomicU32::new(0));
    let counted = made.clone();
    run_on_node(&mut world, "caller", move |context| {
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
fn a_flood_of_calls_does_not_starve_sockets() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let (handle, made) = (world.reactor(node).unwrap().handle(), Arc::new(AtomicU32::new(0)));
    let before_answer = Rc::new(Cell::new(0));
    let (shared, counted) = (before_answer.clone(), made.clone());
    let client = Script::new(move |transport, event| match event {
        Event::Made => {
            transport.write(b"?");
            for _ in 0..20_000 {
                let made = counted.clone();
                handle.call(move |_| _ = made.fetch_add(1, Ordering::Relaxed)).unwrap();
            }
        }
        Event::Data(_) => shared.set(counted.load(Ordering::Relaxed)),
        _ => {}
    });
    add_client(&mut world, &client);
    world.run_for(seconds(10));
    assert_eq!(made.load(Ordering::Relaxed), 20_000);
    assert!(before_answer.get() < 10_000, "answered after {} calls", before_answer.get());
}

#[test]
fn a_call_to_an_ended_reactor_is_refused() {
    let mut world = World::new(1);
    let stopped = run_on_node(&mut world, "stopped", |_| {});
    let crashed = run_on_node(&mut world, "crashed", |_| {});
    let handles = [stopped, crashed].map(|node| world.reactor(node).unwrap().handle());
    world.reactor(stopped).unwrap().context().stop();
    world.run_for(seconds(1));
    world.crash(crashed);
    assert!(world.reactor(stopped).is_none());
    for handle in handles {
        assert!(handle.call(|_| unreachable!()).is_err());
    }
}
