//! Faults of other event loops: readiness.

use crate::scripts::*;
use ropewalk::{Context, Id, ListenOptions, SocketOption};
use ropewalk_simulation::{FaultKind, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn data_before_the_end_survives_short_reads() {
    let mut world = World::new(1);
    let server = Script::silent();
    let node = add_server(&mut world, &server);
    add_fault(&mut world, FaultKind::ShortIo, node, seconds(60));
    let client = sending_and(100_000, |transport| transport.close());
    add_client(&mut world, &client);
    world.run_for(seconds(60));
    assert!(*server.record.data.borrow() == pattern(100_000), "{}", server.record.received());
    assert_eq!(
        (server.record.ends.get(), server.record.reasons()),
        (1, vec!["ClosedByPeer".into()])
    );
}

#[test]
fn all_data_is_read_after_a_stall() {
    const MUCH: usize = 4_000_000;
    let mut world = World::new(1);
    let server = Script::silent();
    let shared = server.clone();
    let node = world.add_node("server", move |reactor| {
        let options = ListenOptions::new().option(SocketOption::ReceiveBuffer(2 * MUCH));
        options.listen_tcp(reactor.context(), "0.0.0.0:7000", shared.clone()).map(drop)
    });
    add_client(&mut world, &Script::sending(pattern(MUCH)));
    world.run_for(milliseconds(1));
    assert_eq!(server.record.made.get(), 1);
    add_fault(&mut world, FaultKind::Stall, node, seconds(10));
    world.run_for(seconds(20));
    // No more data arrives, so no further event reports the rest.
    assert!(*server.record.data.borrow() == pattern(MUCH), "{}", server.record.received());
}

#[test]
fn a_reused_slot_receives_no_old_events() {
    let mut world = World::new(1);
    let ids = Rc::new(RefCell::new(Vec::<Id>::new()));
    let (shared, new) = (ids.clone(), Script::silent());
    let again = new.clone();
    // The first of 64 connections that receives data closes all others, and makes as many new ones.
    let server = Script::new(move |transport, event| match event {
        Event::Made => shared.borrow_mut().push(transport.id()),
        Event::Data(_) => {
            let first = transport.id();
            for id in shared.take().into_iter().filter(|id| *id != first) {
                transport.context().abort(id);
                let connected = transport.context().connect_tcp("client:7001", again.clone());
                assert!(connected.is_ok());
            }
        }
        _ => {}
    });
    let node = add_server(&mut world, &server);
    let silent = Script::silent();
    world.add_node("client", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7001", silent.clone())?;
        for _ in 0..64 {
            reactor.connect_tcp("server:7000", Script::sending("for old connections only"))?;
        }
        Ok(())
    });
    add_fault(&mut world, FaultKind::Stall, node, milliseconds(10));
    world.run_for(milliseconds(5));
    assert_eq!(ids.borrow().len(), 0, "all connections are made");
    world.run_for(seconds(10));
    assert_eq!((server.record.made.get(), new.record.made.get()), (64, 63));
    assert_eq!(new.record.received(), 0);
}

#[test]
fn data_arriving_with_the_end_is_received_first() {
    let mut world = World::new(1);
    let server = Script::new(|transport, event| match event {
        Event::Made => pause_for(transport, seconds(5)),
        event => close_at_end(transport, event),
    });
    add_server(&mut world, &server);
    let client = sending_and(50_000, |transport| transport.close());
    add_client(&mut world, &client);
    world.run_for(seconds(4));
    assert_eq!((server.record.received(), server.record.ends.get()), (0, 0));
    world.run_for(seconds(4));
    assert!(*server.record.data.borrow() == pattern(50_000));
    assert_eq!(server.record.reasons(), ["ClosedByPeer"]);
}

#[test]
fn a_thousand_ready_connections_are_served_soon() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let clients = Script::sending("hello");
    for _ in 0..10 {
        let clients = clients.clone();
        run_on_node(&mut world, "client", move |context| {
            for _ in 0..100 {
                let connected = context.connect_tcp("server:7000", clients.clone());
                assert!(connected.is_ok());
            }
        });
    }
    world.run_for(milliseconds(5));
    let before = turns(&mut world, node);
    add_fault(&mut world, FaultKind::Stall, node, seconds(1));
    world.run_for(seconds(2));
    assert_eq!(clients.record.received(), 5000);
    assert!(turns(&mut world, node) - before < 1000 / 64 + 20);
}

#[test]
fn zero_timers_do_not_starve_sockets() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    fn spin(context: &mut Context) {
        context.call_later(Duration::ZERO, spin);
    }
    world.reactor(node).unwrap().context().call_later(Duration::ZERO, spin);
    let client = Script::sending("hello");
    add_client(&mut world, &client);
    world.run_for(milliseconds(10));
    assert_eq!(client.record.received(), 5);
}

#[test]
fn spurious_readiness_is_ignored() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    add_fault(&mut world, FaultKind::Spurious, node, seconds(60));
    let asked = Rc::new(Cell::new(0));
    let asks = asked.clone();
    let client = Script::new(move |transport, event| match event {
        Event::Made | Event::Data(_) if asks.get() < 1000 => {
            asks.set(asks.get() + 1);
            transport.write(b"and?");
        }
        Event::Data(_) => transport.close(),
        _ => {}
    });
    add_client(&mut world, &client);
    world.run_for(seconds(60));
    assert_eq!((asked.get(), client.record.received()), (1000, 4000));
    assert_eq!((client.record.ends.get(), client.record.reasons()), (0, vec!["Closed".into()]));
    assert_eq!(server.record.reasons(), ["ClosedByPeer"]);
}

#[test]
fn overlapping_would_blocks_cause_few_turns() {
    let mut world = World::new(1);
    let server = Script::new(|transport, event| {
        if let Event::Made = event {
            transport.write(&pattern(100_000));
        }
    });
    let node = add_server(&mut world, &server);
    let client = Script::new(|transport, event| {
        if let Event::Made = event {
            transport.write(&pattern(100_000));
        }
    });
    add_client(&mut world, &client);
    // Each fault refuses every second call; together they refuse all calls.
    add_fault(&mut world, FaultKind::WouldBlock, node, seconds(10));
    add_fault(&mut world, FaultKind::WouldBlock, node, seconds(10));
    world.run_for(seconds(10));
    let before = turns(&mut world, node);
    assert!((5_000..25_000).contains(&before), "{before} turns, with an event every millisecond");
    world.run_for(seconds(10));
    assert_eq!(server.record.received() + client.record.received(), 200_000);
}
