//! Faults of other event loops: names, and the addresses of one name.

use crate::scripts::*;
use ropewalk::{ConnectOptions, Context};
use ropewalk_simulation::{FaultKind, NameAnswer, NodeId, World};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

/// Returns a world with a server and a client that connects to `name`.
fn world(name: &str, answer: impl FnOnce(&World, NodeId) -> NameAnswer) -> (World, Script) {
    let mut world = World::new(1);
    let server = add_server(&mut world, &Script::echo());
    let answer = answer(&world, server);
    world.set_name_answer(name, answer);
    let client = Script::sending("hello");
    let (shared, target) = (client.clone(), format!("{name}:7000"));
    run_on_node(&mut world, "client", move |context| {
        context.connect_tcp(target.as_str(), shared.clone()).unwrap();
    });
    (world, client)
}

/// Returns the kind and the text of the only failure.
fn failure(client: &Script) -> (ErrorKind, String) {
    let failed = client.record.failed.borrow();
    assert_eq!((failed.len(), client.record.made.get()), (1, 0), "one outcome");
    (failed[0].kind(), failed[0].to_string())
}

#[test]
fn a_hanging_look_up_stalls_nothing() {
    let (mut world, client) = world("slow", |_, _| NameAnswer::new().hangs());
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    run_on_node(&mut world, "clock", move |context| {
        fn tick(context: &mut Context, ticks: Rc<Cell<u32>>) {
            ticks.set(ticks.get() + 1);
            context.call_later(milliseconds(10), move |context| tick(context, ticks));
        }
        _ = context.connect_tcp("slow:7000", Script::silent());
        tick(context, Rc::clone(&counted));
    });
    world.run_for(seconds(29));
    assert!(ticks.get() > 2800 && client.record.failed.borrow().is_empty());
    world.run_for(seconds(2));
    let (kind, text) = failure(&client);
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(text.contains("slow:7000: the look-up of the name timed out"), "{text}");
}

#[test]
fn a_late_answer_still_connects() {
    let answer = |world: &World, server| NameAnswer::new().address(seconds(20), world.ipv4(server));
    let (mut world, client) = world("late", answer);
    world.run_for(seconds(19));
    assert_eq!(client.record.made.get(), 0);
    world.run_for(seconds(2));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 5));
}

#[test]
fn an_answer_after_the_close_is_ignored() {
    let mut world = World::new(1);
    let server = add_server(&mut world, &Script::echo());
    let answer = NameAnswer::new().address(milliseconds(50), world.ipv4(server));
    world.set_name_answer("late", answer);
    let client = Script::silent();
    let shared = client.clone();
    run_on_node(&mut world, "client", move |context| {
        let id = context.connect_tcp("late:7000", shared.clone()).unwrap();
        context.call_later(milliseconds(10), move |context| context.close(id));
        // Its id has the same slot.
        let next = shared.clone();
        context.call_later(milliseconds(20), move |context| {
            _ = context.connect_tcp("server:7000", next);
        });
    });
    world.run_for(seconds(1));
    assert_eq!((client.record.failed.borrow().len(), client.record.made.get()), (1, 1));
}

#[test]
fn a_name_without_addresses_is_not_found() {
    for answer in [NameAnswer::new(), NameAnswer::new().ends(milliseconds(5))] {
        let (mut world, client) = world("empty", |_, _| answer);
        world.run_for(seconds(1));
        assert_eq!(failure(&client).0, ErrorKind::NotFound);
    }
    let (mut world, client) = world("fails", |_, _| {
        NameAnswer::new().fails(milliseconds(5), ErrorKind::ConnectionRefused)
    });
    world.run_for(seconds(1));
    assert_eq!(failure(&client).0, ErrorKind::ConnectionRefused);
}

#[test]
fn one_of_a_hundred_addresses_is_found() {
    // No node has the others.
    let unreachable = |n: u8| IpAddr::from(Ipv4Addr::new(192, 0, 2, n));
    let answer = |world: &World, server| {
        let all =
            (0..100).fold(NameAnswer::new(), |all, n| all.address(Duration::ZERO, unreachable(n)));
        all.address(Duration::ZERO, world.ipv4(server))
    };
    let (mut world, client) = world("many", answer);
    world.run_for(seconds(1));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 5));
}

#[test]
fn each_of_a_hundred_addresses_is_listed() {
    let (mut world, client) = world("many", |_, _| {
        (0..100).fold(NameAnswer::new(), |all, n| {
            all.address(Duration::ZERO, Ipv4Addr::new(192, 0, 2, n).into())
        })
    });
    world.run_for(seconds(1));
    let (kind, text) = failure(&client);
    assert_eq!(kind, ErrorKind::HostUnreachable);
    assert!((0..100).all(|n| text.contains(&format!("192.0.2.{n}:7000: "))), "{text}");
}

#[test]
fn a_silent_first_address_costs_one_delay() {
    let mut world = World::new(1);
    let dead = add_server(&mut world, &Script::echo());
    let live = add_server(&mut world, &Script::echo());
    world.crash(dead);
    let addresses = [world.ipv6(dead), world.ipv4(live)];
    world.set_name("both", addresses);
    let client = Script::sending("hello");
    let shared = client.clone();
    run_on_node(&mut world, "client", move |context| {
        context.connect_tcp("both:7000", shared.clone()).unwrap();
    });
    world.run_for(milliseconds(249));
    assert_eq!(client.record.made.get(), 0);
    world.run_for(milliseconds(10));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 5));
    world.run_for(seconds(40));
    assert!(client.record.failed.borrow().is_empty());
}

#[test]
fn missing_descriptors_do_not_end_a_race() {
    let mut world = World::new(1);
    let dead = add_server(&mut world, &Script::echo());
    let live = add_server(&mut world, &Script::echo());
    world.crash(dead);
    let addresses = [world.ipv4(dead), world.ipv4(live)];
    world.set_name("both", addresses);
    let client = Script::sending("hello");
    let shared = client.clone();
    let node = run_on_node(&mut world, "client", move |context| {
        let options = ConnectOptions::new().timeout(seconds(5));
        options.connect_tcp(context, "both:7000", shared.clone()).unwrap();
    });
    world.run_for(milliseconds(100));
    add_fault(&mut world, FaultKind::Descriptors, node, seconds(1));
    world.run_for(seconds(1));
    assert_eq!((client.record.made.get(), client.record.failed.borrow().len()), (0, 0));
    world.run_for(seconds(1));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 5));
}

#[test]
fn a_crashed_node_receives_no_answer() {
    let answer = |world: &World, server| NameAnswer::new().address(seconds(1), world.ipv4(server));
    let (mut world, client) = world("late", answer);
    let node = world.nodes().last().unwrap();
    world.run_for(milliseconds(500));
    world.crash(node);
    world.run_for(seconds(2));
    world.start(node);
    world.run_for(milliseconds(900));
    assert_eq!(client.record.made.get(), 0, "the answer is to the look-up before the crash");
    world.run_for(milliseconds(200));
    assert_eq!(client.record.made.get(), 1);
}

#[test]
fn nodes_know_services_and_their_name() {
    let mut world = World::new(1);
    world.add_node("client", |reactor| {
        assert_eq!(reactor.host_name()?, "client");
        assert_eq!(reactor.service_port("https", "tcp")?, 443);
        let context = reactor.context();
        context
            .resolve("client:http", |_, found| assert_eq!(found.unwrap()[0].port(), 80))
            .map(drop)
    });
    world.run_for(seconds(1));
}
