//! Killed and crashed nodes. The system of a killed node closes its sockets.

use crate::scripts::*;
use ropewalk_simulation::{NodeId, World};

/// Ends a node.
type Outage = fn(&mut World, NodeId);

const KILLED: Outage = |world, node| world.kill(node);
const CRASHED: Outage = |world, node| world.crash(node);

/// Runs a server, which reads if it is not paused, and a client, and then ends the server.
fn run(outage: Outage, pauses: bool) -> (World, NodeId, Script, Script) {
    let mut world = World::new(1);
    let server = Script::new(move |transport, event| match event {
        Event::Made if pauses => transport.pause(),
        event => close_at_end(transport, event),
    });
    let node = add_server(&mut world, &server);
    let client = Script::sending("hello");
    add_client(&mut world, &client);
    world.run_for(seconds(1));
    assert_eq!((server.record.made.get(), client.record.made.get()), (1, 1));
    outage(&mut world, node);
    world.run_for(seconds(10));
    assert_eq!(server.record.reasons(), Vec::<String>::new(), "its protocols receive no callbacks");
    assert_eq!(server.record.alive.get(), 0);
    (world, node, server, client)
}

#[test]
fn a_kill_ends_connections_but_not_a_crash() {
    let (_world, _, _, client) = run(KILLED, false);
    assert_eq!(
        (client.record.ends.get(), client.record.reasons()),
        (1, vec!["ClosedByPeer".into()])
    );
    let (_world, _, _, client) = run(CRASHED, false);
    assert_eq!((client.record.ends.get(), client.record.reasons().len()), (0, 0));
}

#[test]
fn a_kill_resets_connections_with_unread_data() {
    let (_world, _, _, client) = run(KILLED, true);
    assert_eq!(client.record.reasons(), ["Reset"]);
}

#[test]
fn data_written_before_a_kill_arrives() {
    let mut world = World::new(1);
    let server = Script::sending(vec![b'x'; 50_000]);
    let node = add_server(&mut world, &server);
    let client = Script::silent();
    add_client(&mut world, &client);
    while server.record.made.get() == 0 {
        assert!(world.step());
    }
    world.kill(node);
    world.run_for(seconds(10));
    assert_eq!(client.record.received(), 50_000);
    assert_eq!(client.record.reasons(), ["ClosedByPeer"]);
}

#[test]
fn killed_nodes_refuse_and_crashed_nodes_are_silent() {
    for (outage, fails_soon) in [(KILLED, true), (CRASHED, false)] {
        let (mut world, node, server, _) = run(outage, false);
        let late = Script::silent();
        add_client(&mut world, &late);
        world.run_for(seconds(5));
        assert_eq!(late.record.failed.borrow().len(), usize::from(fails_soon));
        world.start(node);
        let again = Script::silent();
        add_client(&mut world, &again);
        world.run_for(seconds(1));
        assert_eq!((again.record.made.get(), server.record.alive.get() > 0), (1, true));
    }
}

#[test]
fn a_second_kill_has_no_effect() {
    let (mut world, node, ..) = run(KILLED, false);
    let records = world.records();
    world.kill(node);
    assert_eq!(world.records(), records);
    assert!(world.reactor(node).is_none());
}
