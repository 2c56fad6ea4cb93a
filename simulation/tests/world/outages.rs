//! Nodes that are killed: unlike one whose power is cut, a node that is killed has a system that closes its
//! sockets.

use crate::scene::*;
use ropewalk_simulation::{NodeId, World};

/// Ends a node.
type Outage = fn(&mut World, NodeId);

const KILLED: Outage = |world, node| world.kill(node);
const CRASHED: Outage = |world, node| world.crash(node);

/// A server that reads unless it pauses, and a client; then the outage of the server.
fn play(outage: Outage, pauses: bool) -> (World, NodeId, Cast, Cast) {
    let mut world = World::new(1);
    let server = Cast::new(move |transport, cue| match cue {
        Cue::Made if pauses => transport.pause(),
        cue => close_at_end(transport, cue),
    });
    let node = listens(&mut world, &server);
    let client = Cast::says("hello");
    connects(&mut world, &client);
    world.run_for(seconds(1));
    assert_eq!((server.heard.made.get(), client.heard.made.get()), (1, 1));
    outage(&mut world, node);
    world.run_for(seconds(10));
    assert_eq!(server.heard.reasons(), Vec::<String>::new(), "no protocol of it is told");
    assert_eq!(server.heard.alive.get(), 0);
    (world, node, server, client)
}

#[test]
fn the_peer_of_a_node_that_is_killed_meets_the_end_and_that_of_one_that_crashed_meets_nothing() {
    let (_world, _, _, client) = play(KILLED, false);
    assert_eq!((client.heard.ends.get(), client.heard.reasons()), (1, vec!["ClosedByPeer".into()]));
    let (_world, _, _, client) = play(CRASHED, false);
    assert_eq!((client.heard.ends.get(), client.heard.reasons().len()), (0, 0));
}

#[test]
fn a_connection_of_which_the_node_that_is_killed_had_not_read_all_is_reset() {
    let (_world, _, _, client) = play(KILLED, true);
    assert_eq!(client.heard.reasons(), ["Reset"]);
}

#[test]
fn what_a_node_wrote_before_it_was_killed_arrives() {
    let mut world = World::new(1);
    let server = Cast::says(vec![b'x'; 50_000]);
    let node = listens(&mut world, &server);
    let client = Cast::quiet();
    connects(&mut world, &client);
    while server.heard.made.get() == 0 {
        assert!(world.step());
    }
    world.kill(node);
    world.run_for(seconds(10));
    assert_eq!(client.heard.received(), 50_000);
    assert_eq!(client.heard.reasons(), ["ClosedByPeer"]);
}

#[test]
fn a_node_that_was_killed_refuses_until_it_is_started_and_one_that_crashed_keeps_silent() {
    for (outage, fails_soon) in [(KILLED, true), (CRASHED, false)] {
        let (mut world, node, server, _) = play(outage, false);
        let late = Cast::quiet();
        connects(&mut world, &late);
        world.run_for(seconds(5));
        assert_eq!(late.heard.failed.borrow().len(), usize::from(fails_soon));
        world.start(node);
        let again = Cast::quiet();
        connects(&mut world, &again);
        world.run_for(seconds(1));
        assert_eq!((again.heard.made.get(), server.heard.alive.get() > 0), (1, true));
    }
}

#[test]
fn a_node_that_is_killed_twice_is_killed_once() {
    let (mut world, node, ..) = play(KILLED, false);
    let records = world.records();
    world.kill(node);
    assert_eq!(world.records(), records);
    assert!(world.reactor(node).is_none());
}
