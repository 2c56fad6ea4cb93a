//! The faults of other event loops, played: listening and connecting.

use crate::scene::*;
use ropewalk::{Address, ConnectOptions, Factory, Id, ListenOptions, Protocol};
use ropewalk_simulation::{FaultKind, World};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn one_that_cannot_accept_neither_spins_nor_forgets_who_waits() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let first = Cast::says("first");
    connects(&mut world, &first);
    world.run_for(seconds(1));
    let before = turns(&mut world, node);
    has(&mut world, FaultKind::Descriptors, node, seconds(10));
    let clients = Cast::says("hello");
    let theirs = clients.clone();
    does(&mut world, "crowd", move |context| {
        for _ in 0..100 {
            assert!(context.connect_tcp("server:7000", theirs.clone()).is_ok());
        }
    });
    world.run_for(seconds(9));
    assert_eq!(clients.heard.received(), 0);
    assert!(turns(&mut world, node) - before < 200, "it rests, and asks again");
    world.run_for(seconds(2));
    assert_eq!(clients.heard.received(), 500);
    assert!(first.heard.reasons().is_empty(), "it has had no harm");
}

#[test]
fn a_flood_of_connections_does_not_starve_one_that_is_there() {
    let mut world = World::new(1);
    let server = Cast::echo();
    listens(&mut world, &server);
    let (pings, slowest) = pings();
    connects(&mut world, &pings);
    for _ in 0..5 {
        does(&mut world, "crowd", |context| {
            for _ in 0..1000 {
                assert!(context.connect_tcp("server:7000", Cast::says("hello")).is_ok());
            }
        });
    }
    // Those for whom the queue has no room come again after a second, two more, and so on.
    world.run_for(seconds(20));
    assert_eq!(server.heard.made.get(), 5001);
    assert!(pings.heard.received() > 1000);
    assert!(slowest.get() < milliseconds(5), "{slowest:?}");
}

#[test]
fn one_that_stops_listening_in_its_first_callback_serves_nobody_else() {
    let mut world = World::new(1);
    let port = Rc::new(Cell::new(None));
    let listener = port.clone();
    let server = Cast::new(move |transport, cue| {
        if let Cue::Made = cue {
            let id: Id = listener.get().unwrap();
            transport.context().close(id);
            transport.context().close(id);
        }
    });
    let theirs = server.clone();
    let node = world.add_node("server", move |reactor| {
        port.set(Some(reactor.listen_tcp("0.0.0.0:7000", theirs.clone())?.id()));
        Ok(())
    });
    let clients = Cast::quiet();
    has(&mut world, FaultKind::Stall, node, milliseconds(10));
    world.run_for(milliseconds(1));
    for _ in 0..5 {
        connects(&mut world, &clients);
    }
    world.run_for(seconds(1));
    assert_eq!((server.heard.made.get(), clients.heard.made.get()), (1, 5));
    assert_eq!(clients.heard.reasons(), ["Reset"; 4]);
}

/// Makes nothing: it refuses, or panics.
struct Unwilling(bool);

impl Factory for Unwilling {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        if self.0 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        None
    }
}

#[test]
fn a_factory_that_refuses_or_panics_costs_the_one_connection() {
    let mut world = World::new(1);
    world.allow_panics(|message| message == "on purpose");
    let server = Cast::echo();
    let theirs = server.clone();
    let node = world.add_node("server", move |reactor| {
        reactor.listen_tcp("0.0.0.0:7003", Unwilling(true))?;
        reactor.listen_tcp("0.0.0.0:7004", Unwilling(false))?;
        reactor.listen_tcp("0.0.0.0:7000", theirs.clone()).map(drop)
    });
    let (refused, served) = (Cast::quiet(), Cast::says("hello"));
    for _ in 0..3 {
        let refused = refused.clone();
        does(&mut world, "client", move |context| {
            for port in [7003, 7004] {
                assert!(context.connect_tcp(("server", port), refused.clone()).is_ok());
            }
        });
    }
    connects(&mut world, &served);
    world.run_for(seconds(5));
    assert_eq!((refused.heard.made.get(), refused.heard.reasons().len()), (6, 6));
    assert_eq!(served.heard.received(), 5);
    assert_eq!(world.reactor(node).unwrap().context().connections().count(), 1);
}

#[test]
fn a_queue_for_one_lets_everybody_in_one_after_the_other() {
    let mut world = World::new(1);
    let server = Cast::quiet();
    let theirs = server.clone();
    world.add_node("server", move |reactor| {
        let options = ListenOptions::new().backlog(1);
        let context = reactor.context();
        context.listen_tcp_with("0.0.0.0:7000", &options, theirs.clone()).map(drop)
    });
    let clients = Cast::quiet();
    for _ in 0..30 {
        connects(&mut world, &clients);
    }
    world.run_for(seconds(120));
    assert_eq!((server.heard.made.get(), clients.heard.failed.borrow().len()), (30, 0));
}

#[test]
fn a_server_that_crashed_listens_on_its_port_again() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let clients = Cast::says("hello");
    for _ in 0..50 {
        connects(&mut world, &clients);
    }
    world.run_for(seconds(1));
    world.crash(node);
    world.start(node);
    assert!(world.reactor(node).is_some(), "its program has not failed");
    connects(&mut world, &clients);
    world.run_for(seconds(1));
    assert_eq!(clients.heard.received(), 51 * 5);
}

#[test]
fn a_refusal_is_told_once_and_at_once() {
    let mut world = World::new(1);
    listens(&mut world, &Cast::quiet());
    let client = Cast::quiet();
    let theirs = client.clone();
    does(&mut world, "client", move |context| {
        assert!(context.connect_tcp("server:1", theirs.clone()).is_ok());
    });
    world.run_for(milliseconds(10));
    assert_eq!((client.heard.failed.borrow().len(), client.heard.made.get()), (1, 0));
}

#[test]
fn one_who_gets_no_answer_is_told_when_the_time_is_over() {
    let mut world = World::new(1);
    let node = listens(&mut world, &Cast::quiet());
    has(&mut world, FaultKind::Unanswered, node, seconds(60));
    let client = Cast::quiet();
    let (theirs, since) = (client.clone(), Rc::new(Cell::new(None)));
    let begun = since.clone();
    does(&mut world, "client", move |context| {
        let options = ConnectOptions::new().timeout(seconds(5));
        assert!(context.connect_tcp_with("10.0.0.1:7000", &options, theirs.clone()).is_ok());
        begun.set(Some(context.now()));
    });
    world.run_for(seconds(60));
    assert_eq!(client.heard.failed.borrow().len(), 1);
    let took = client.heard.at.get().unwrap() - since.get().unwrap();
    assert!((seconds(5)..seconds(5) + milliseconds(1)).contains(&took), "{took:?}");
}

#[test]
fn one_who_is_told_to_be_ready_before_it_is_connected_waits_on() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    has(&mut world, FaultKind::Spurious, node, seconds(60));
    has(&mut world, FaultKind::Latency, node, seconds(60));
    let client = Cast::says("hello");
    connects(&mut world, &client);
    world.run_for(seconds(60));
    assert_eq!((client.heard.made.get(), client.heard.received()), (1, 5));
}

#[test]
fn an_attempt_that_is_given_up_at_any_moment_has_one_outcome() {
    for microseconds in 0..400 {
        let mut world = World::new(microseconds);
        let server = Cast::quiet();
        let node = listens(&mut world, &server);
        let client = Cast::quiet();
        let theirs = client.clone();
        let other = does(&mut world, "client", move |context| {
            let id = context.connect_tcp("server:7000", theirs.clone()).unwrap();
            let delay = Duration::from_micros(microseconds);
            context.call_later(delay, move |context| context.close(id));
        });
        world.run_for(seconds(5));
        let failed = client.heard.failed.borrow().len();
        assert_eq!(failed + client.heard.reasons().len(), 1, "after {microseconds} µs");
        assert_eq!(server.heard.made.get(), server.heard.reasons().len());
        for node in [node, other] {
            assert_eq!(world.reactor(node).unwrap().context().connections().count(), 0);
        }
        assert_eq!(world.connections(), 0, "after {microseconds} µs");
    }
}

#[test]
fn of_the_addresses_of_a_name_the_first_that_answers_is_taken() {
    let mut world = World::new(1);
    let server = Cast::echo();
    let node = listens(&mut world, &server);
    let (dead, live) = (world.ipv6(node), world.ipv4(node));
    world.set_name("both", [dead, live]);
    let client = Cast::says("hello");
    let theirs = client.clone();
    does(&mut world, "client", move |context| {
        assert!(context.connect_tcp("both:7000", theirs.clone()).is_ok());
    });
    world.run_for(seconds(1));
    assert_eq!((client.heard.received(), client.heard.failed.borrow().len()), (5, 0));
}
