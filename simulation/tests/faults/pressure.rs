//! Faults of other event loops: queued data, fairness, and leaks.

use crate::scripts::*;
use ropewalk::{Context, ListenOptions, SocketOption};
use ropewalk_simulation::World;
use std::cell::RefCell;
use std::rc::Rc;

/// An upper limit of the data that the system buffers.
const MUCH: usize = 1_000_000;

#[test]
fn an_echo_stops_reading_under_backpressure() {
    let mut world = World::new(1);
    let server = Script::new(|transport, event| match event {
        Event::Data(data) => transport.write(data),
        Event::Paused => transport.pause(),
        Event::Resumed => transport.resume(),
        event => close_at_end(transport, event),
    });
    let node = add_server(&mut world, &server);
    let client = Script::new(|transport, event| match event {
        Event::Made => {
            pause_for(transport, seconds(60));
            transport.write(&pattern(10 * MUCH));
        }
        Event::Data(_) => transport.write_eof(),
        _ => {}
    });
    add_client(&mut world, &client);
    world.run_for(seconds(30));
    let waiting = world.reactor(node).unwrap().context().statistics().queued;
    assert!(waiting > 64 * 1024 && waiting < 64 * 1024 + 256 * 1024, "{waiting}");
    world.run_for(seconds(300));
    assert!(*client.record.data.borrow() == pattern(10 * MUCH));
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let mut world = World::new(1);
    let members = Rc::new(RefCell::new(Vec::new()));
    let shared = members.clone();
    let server = Script::new(move |transport, event| {
        if let Event::Made = event {
            transport.set_write_limit(MUCH);
            shared.borrow_mut().push(transport.id());
        }
    });
    let node = add_server(&mut world, &server);
    let (stuck, readers) = (sending_and(0, |transport| transport.pause()), Script::silent());
    add_client(&mut world, &stuck);
    for _ in 0..39 {
        add_client(&mut world, &readers);
    }
    world.run_for(seconds(1));
    assert_eq!(members.borrow().len(), 40);
    for _ in 0..100 {
        let context = world.reactor(node).unwrap().context();
        for id in members.borrow().iter() {
            context.transport(*id).write(&[b'x'; 30_000]);
        }
        world.run_for(milliseconds(50));
    }
    world.run_for(seconds(10));
    assert_eq!(server.record.reasons(), ["WriteLimit"]);
    assert_eq!(readers.record.received(), 39 * 100 * 30_000);
}

#[test]
fn two_floods_do_not_starve_a_third_client() {
    let mut world = World::new(1);
    let server = Script::echo();
    let shared = server.clone();
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().option(SocketOption::ReceiveBuffer(MUCH));
        let context = reactor.context();
        options.listen_tcp(context, "0.0.0.0:7000", shared.clone()).map(drop)
    });
    let floods = || {
        Script::new(|transport, event| match event {
            Event::Made => transport.write(&pattern(MUCH)),
            Event::Data(data) => transport.write(data),
            _ => {}
        })
    };
    let (pinging, slowest) = pinging();
    for script in [floods(), floods(), pinging.clone()] {
        add_client(&mut world, &script);
    }
    world.run_for(milliseconds(100));
    assert!(pinging.record.received() > 50, "{}", pinging.record.received());
    assert!(slowest.get() < milliseconds(10), "{slowest:?}");
}

#[test]
fn ten_thousand_short_connections_leak_nothing() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    fn again(context: &mut Context, clients: Script, left: u32) {
        for _ in 0..20 {
            assert!(context.connect_tcp("server:7000", clients.clone()).is_ok());
        }
        if left > 20 {
            context.call_later(milliseconds(20), move |context| again(context, clients, left - 20));
        }
    }
    let clients = Script::new(|transport, event| match event {
        Event::Made => transport.write(b"hello"),
        Event::Data(_) => transport.close(),
        _ => {}
    });
    let shared = clients.clone();
    run_on_node(&mut world, "clients", move |context| again(context, shared.clone(), 10_000));
    world.run_for(seconds(20));
    assert_eq!(clients.record.reasons(), vec!["Closed"; 10_000]);
    assert_eq!((clients.record.alive.get(), server.record.alive.get()), (0, 0));
    let last = server.record.id.get().unwrap();
    assert!(slot(last) < 100, "slots are reused: {last}");
    assert_nothing_left(&mut world);
    assert!(world.run_until_quiet(seconds(60)), "timers are left");
    let _ = node;
}
