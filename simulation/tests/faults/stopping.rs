//! Faults of other event loops: the end of a run, and deadlines.

use crate::scripts::*;
use ropewalk::Context;
use ropewalk_simulation::World;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[test]
fn a_stop_sends_queued_data_to_slow_readers() {
    let mut world = World::new(1);
    let server = Script::sending(pattern(2_000_000));
    let node = add_server(&mut world, &server);
    let client = Script::new(|transport, event| match event {
        Event::Data(_) => pause_for(transport, milliseconds(100)),
        event => close_at_end(transport, event),
    });
    add_client(&mut world, &client);
    world.run_for(milliseconds(500));
    world.reactor(node).unwrap().context().stop();
    world.run_for(seconds(30));
    assert!(*client.record.data.borrow() == pattern(2_000_000), "{}", client.record.received());
    assert_eq!(server.record.reasons(), ["Stopped"]);
    assert!(world.reactor(node).is_none());
}

#[test]
fn a_stop_closes_connections_without_readers() {
    let mut world = World::new(1);
    let server = Script::sending(pattern(2_000_000));
    let node = add_server(&mut world, &server);
    add_client(&mut world, &Script::pausing());
    world.run_for(seconds(1));
    let reactor = world.reactor(node).unwrap();
    reactor.set_grace(seconds(100)); // longer than the close timeout
    reactor.context().stop();
    world.run_for(seconds(99));
    assert_eq!(server.record.reasons(), ["Stopped"]);
}

#[test]
fn a_stop_closes_idle_connections_immediately() {
    let mut world = World::new(1);
    let server = Script::silent();
    let node = add_server(&mut world, &server);
    let clients = Script::silent();
    for _ in 0..100 {
        add_client(&mut world, &clients);
    }
    world.run_for(seconds(1));
    world.reactor(node).unwrap().context().stop();
    world.run_for(milliseconds(10));
    assert!(world.reactor(node).is_none());
    assert_eq!(
        (server.record.reasons(), clients.record.ends.get()),
        (vec!["Stopped".into(); 100], 100)
    );
}

#[test]
fn a_stop_in_any_callback_ends_the_run() {
    for place in 0..4 {
        let mut world = World::new(1);
        let server = Script::new(move |transport, event| {
            let here = match event {
                Event::Made => 0,
                Event::Data(_) => 1,
                Event::Eof => 2,
                _ => 3,
            };
            if here == place {
                transport.context().stop();
                transport.context().stop();
            }
            close_at_end(transport, event);
        });
        let node = add_server(&mut world, &server);
        let context = world.reactor(node).unwrap().context();
        for _ in 0..10_000 {
            context.call_later(seconds(3600), |_| unreachable!());
        }
        for _ in 0..3 {
            add_client(
                &mut world,
                &Script::new(|transport, event| {
                    if let Event::Made = event {
                        transport.write(b"hello");
                        transport.close();
                    }
                }),
            );
        }
        world.run_for(seconds(30));
        assert!(world.reactor(node).is_none(), "at place {place}");
        assert_eq!(server.record.made.get(), server.record.reasons().len());
        assert_eq!((server.record.alive.get(), world.connections()), (0, 0));
    }
}

/// Returns a server that closes connections that send nothing for ten seconds, and counts those in `late`.
fn server_with_deadlines(late: Rc<Cell<u32>>) -> Script {
    let deadlines = Rc::new(RefCell::new(std::collections::BTreeMap::new()));
    Script::new(move |transport, event| {
        let id = transport.id();
        match event {
            Event::Made => {
                let late = late.clone();
                let timer = transport.context().call_later(seconds(10), move |context| {
                    late.set(late.get() + 1);
                    context.close(id);
                });
                deadlines.borrow_mut().insert(id, timer);
            }
            Event::Data(_) => {
                let timer = deadlines.borrow()[&id];
                assert!(transport.context().reset(timer, seconds(10)));
            }
            Event::Lost => {
                let timer = deadlines.borrow_mut().remove(&id).unwrap();
                transport.context().cancel(timer);
            }
            event => close_at_end(transport, event),
        }
    })
}

/// Returns a client that sends every five seconds.
fn sending_client(rounds: u32) -> Script {
    fn send(context: &mut Context, id: ropewalk::Id, left: u32) {
        context.transport(id).write(b"still here");
        if left > 0 {
            context.call_later(seconds(5), move |context| send(context, id, left - 1));
        }
    }
    Script::new(move |transport, event| {
        if let Event::Made = event {
            let id = transport.id();
            send(transport.context(), id, rounds);
        }
    })
}

#[test]
fn a_postponed_deadline_is_one_timer() {
    let mut world = World::new(1);
    let late = Rc::new(Cell::new(0));
    let server = server_with_deadlines(late.clone());
    let node = add_server(&mut world, &server);
    // Half of the clients send for a minute, and the others for half a minute.
    for _ in 0..100 {
        add_client(&mut world, &sending_client(12));
        add_client(&mut world, &sending_client(6));
    }
    world.run_for(seconds(60));
    assert_eq!((late.get(), server.record.reasons().len()), (100, 100));
    let before = turns(&mut world, node);
    world.run_for(seconds(20));
    assert_eq!(late.get(), 200);
    assert!(turns(&mut world, node) - before < 1000);
}
