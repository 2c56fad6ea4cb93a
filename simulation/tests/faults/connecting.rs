//! Faults of other event loops: listening and connecting.

use crate::scripts::*;
use ropewalk::{Address, ConnectOptions, Factory, Id, ListenOptions, Protocol};
use ropewalk_simulation::{FaultKind, World};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_listener_backs_off_when_accept_fails() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let first = Script::sending("first");
    add_client(&mut world, &first);
    world.run_for(seconds(1));
    let before = turns(&mut world, node);
    add_fault(&mut world, FaultKind::Descriptors, node, seconds(10));
    let clients = Script::sending("hello");
    let shared = clients.clone();
    run_on_node(&mut world, "crowd", move |context| {
        for _ in 0..100 {
            assert!(context.connect_tcp("server:7000", shared.clone()).is_ok());
        }
    });
    world.run_for(seconds(9));
    assert_eq!(clients.record.received(), 0);
    assert!(turns(&mut world, node) - before < 200, "it backs off, and tries again");
    world.run_for(seconds(2));
    assert_eq!(clients.record.received(), 500);
    assert!(first.record.reasons().is_empty(), "its connection is unaffected");
}

#[test]
fn a_flood_of_connections_does_not_starve_others() {
    let mut world = World::new(1);
    let server = Script::echo();
    add_server(&mut world, &server);
    let (pinging, slowest) = pinging();
    add_client(&mut world, &pinging);
    for _ in 0..5 {
        run_on_node(&mut world, "crowd", |context| {
            for _ in 0..500 {
                assert!(context.connect_tcp("server:7000", Script::sending("hello")).is_ok());
            }
        });
    }
    // Clients that find the queue full try again after one second, two more, and so on.
    world.run_for(seconds(10));
    assert_eq!(server.record.made.get(), 2501);
    assert!(pinging.record.received() > 500);
    assert!(slowest.get() < milliseconds(5), "{slowest:?}");
}

#[test]
fn stop_listening_in_the_first_callback_refuses_others() {
    let mut world = World::new(1);
    let port = Rc::new(Cell::new(None));
    let listener = port.clone();
    let server = Script::new(move |transport, event| {
        if let Event::Made = event {
            let id: Id = listener.get().unwrap();
            transport.context().close(id);
            transport.context().close(id);
        }
    });
    let shared = server.clone();
    let node = world.add_node("server", move |reactor| {
        port.set(Some(reactor.listen_tcp("0.0.0.0:7000", shared.clone())?.id()));
        Ok(())
    });
    let clients = Script::silent();
    add_fault(&mut world, FaultKind::Stall, node, milliseconds(10));
    world.run_for(milliseconds(1));
    for _ in 0..5 {
        add_client(&mut world, &clients);
    }
    world.run_for(seconds(1));
    assert_eq!((server.record.made.get(), clients.record.made.get()), (1, 5));
    assert_eq!(clients.record.reasons(), ["Reset"; 4]);
}

/// A factory that refuses, or panics.
struct RefusingFactory(bool);

impl Factory for RefusingFactory {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        if self.0 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        None
    }
}

#[test]
fn a_refusing_or_panicking_factory_ends_one_connection() {
    let mut world = World::new(1);
    world.allow_panics(|message| message == "on purpose");
    let server = Script::echo();
    let shared = server.clone();
    let node = world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7003", RefusingFactory(true))?;
        reactor.listen_tcp("0.0.0.0:7004", RefusingFactory(false))?;
        reactor.listen_tcp("0.0.0.0:7000", shared.clone()).map(drop)
    });
    let (refused, served) = (Script::silent(), Script::sending("hello"));
    for _ in 0..3 {
        let refused = refused.clone();
        run_on_node(&mut world, "client", move |context| {
            for port in [7003, 7004] {
                assert!(context.connect_tcp(("server", port), refused.clone()).is_ok());
            }
        });
    }
    add_client(&mut world, &served);
    world.run_for(seconds(5));
    assert_eq!((refused.record.made.get(), refused.record.reasons().len()), (6, 6));
    assert_eq!(served.record.received(), 5);
    assert_eq!(world.reactor(node).unwrap().context().connections().count(), 1);
}

#[test]
fn a_queue_of_one_accepts_all_in_turn() {
    let mut world = World::new(1);
    let server = Script::silent();
    let shared = server.clone();
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().backlog(1);
        let context = reactor.context();
        options.listen_tcp(context, "0.0.0.0:7000", shared.clone()).map(drop)
    });
    let clients = Script::silent();
    for _ in 0..30 {
        add_client(&mut world, &clients);
    }
    world.run_for(seconds(120));
    assert_eq!((server.record.made.get(), clients.record.failed.borrow().len()), (30, 0));
}

#[test]
fn a_restarted_server_listens_on_its_port() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let clients = Script::sending("hello");
    for _ in 0..50 {
        add_client(&mut world, &clients);
    }
    world.run_for(seconds(1));
    world.crash(node);
    world.start(node);
    assert!(world.reactor(node).is_some(), "its program has not failed");
    add_client(&mut world, &clients);
    world.run_for(seconds(1));
    assert_eq!(clients.record.received(), 51 * 5);
}

#[test]
fn a_refusal_is_reported_once_immediately() {
    let mut world = World::new(1);
    add_server(&mut world, &Script::silent());
    let client = Script::silent();
    let shared = client.clone();
    run_on_node(&mut world, "client", move |context| {
        assert!(context.connect_tcp("server:1", shared.clone()).is_ok());
    });
    world.run_for(milliseconds(10));
    assert_eq!((client.record.failed.borrow().len(), client.record.made.get()), (1, 0));
}

#[test]
fn an_unanswered_attempt_times_out() {
    let mut world = World::new(1);
    let node = add_server(&mut world, &Script::silent());
    add_fault(&mut world, FaultKind::Unanswered, node, seconds(60));
    let client = Script::silent();
    let (shared, since) = (client.clone(), Rc::new(Cell::new(None)));
    let begun = since.clone();
    run_on_node(&mut world, "client", move |context| {
        let options = ConnectOptions::new().timeout(seconds(5));
        assert!(options.connect_tcp(context, "10.0.0.1:7000", shared.clone()).is_ok());
        begun.set(Some(context.now()));
    });
    world.run_for(seconds(60));
    assert_eq!(client.record.failed.borrow().len(), 1);
    let took = client.record.at.get().unwrap() - since.get().unwrap();
    assert!((seconds(5)..seconds(5) + milliseconds(1)).contains(&took), "{took:?}");
}

#[test]
fn readiness_before_the_connection_is_ignored() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    add_fault(&mut world, FaultKind::Spurious, node, seconds(60));
    add_fault(&mut world, FaultKind::Latency, node, seconds(60));
    let client = Script::sending("hello");
    add_client(&mut world, &client);
    world.run_for(seconds(60));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 5));
}

#[test]
fn an_attempt_aborted_anytime_has_one_result() {
    for microseconds in 0..400 {
        let mut world = World::new(microseconds);
        let server = Script::silent();
        let node = add_server(&mut world, &server);
        let client = Script::silent();
        let shared = client.clone();
        let other = run_on_node(&mut world, "client", move |context| {
            let id = context.connect_tcp("server:7000", shared.clone()).unwrap();
            let delay = Duration::from_micros(microseconds);
            context.call_later(delay, move |context| context.close(id));
        });
        world.run_for(seconds(5));
        let failed = client.record.failed.borrow().len();
        assert_eq!(failed + client.record.reasons().len(), 1, "after {microseconds} µs");
        assert_eq!(server.record.made.get(), server.record.reasons().len());
        for node in [node, other] {
            assert_eq!(world.reactor(node).unwrap().context().connections().count(), 0);
        }
        assert_eq!(world.connections(), 0, "after {microseconds} µs");
    }
}

#[test]
fn the_first_address_that_answers_is_used() {
    let mut world = World::new(1);
    let server = Script::echo();
    let node = add_server(&mut world, &server);
    let (dead, live) = (world.ipv6(node), world.ipv4(node));
    world.set_name("both", [dead, live]);
    let client = Script::sending("hello");
    let shared = client.clone();
    run_on_node(&mut world, "client", move |context| {
        assert!(context.connect_tcp("both:7000", shared.clone()).is_ok());
    });
    world.run_for(seconds(1));
    assert_eq!((client.record.received(), client.record.failed.borrow().len()), (5, 0));
}
