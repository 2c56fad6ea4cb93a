//! Overlapping faults, requests of the caller, and cuts: the end of a fault ends that fault only.

use crate::scripts::*;
use ropewalk::{Context, Reactor};
use ropewalk_simulation::{Fault, FaultKind, NodeId, Plan, World};
use std::cell::Cell;
use std::rc::Rc;

fn plan(faults: &[(u64, u64, Fault)]) -> Plan {
    let mut plan = Plan::none();
    for (from, until, fault) in faults {
        plan.add(seconds(*from), seconds(*until), fault.clone());
    }
    plan
}

/// The observable state of a node.
#[derive(Debug, Default, PartialEq)]
struct Observed {
    starts: usize,
    ticks: u32,
    looked_up: u32,
    made: usize,
    echoed: usize,
}

fn tick(context: &mut Context, ticks: Rc<Cell<u32>>, found: Rc<Cell<u32>>) {
    ticks.set(ticks.get() + 1);
    if ticks.get().is_multiple_of(10) {
        let counted = Rc::clone(&found);
        let resolved = move |_: &mut Context, result: Result<_, _>| {
            counted.set(counted.get() + u32::from(result.is_ok()));
        };
        context.resolve("client:7001", resolved).unwrap();
    }
    context.call_later(milliseconds(100), move |context| tick(context, ticks, found));
}

/// Returns what is observed of a server with these faults, from the sixth to the sixteenth second.
fn observe(faults: &[(u64, u64, Fault)]) -> Observed {
    let mut world = World::new(1);
    let starts = Rc::new(Cell::new(0));
    let (ticks, found): (Rc<Cell<u32>>, Rc<Cell<u32>>) = Default::default();
    let server = Script::new(|transport, event| match event {
        Event::Data(data) => transport.write(data),
        event => close_at_end(transport, event),
    });
    let (script, counts) = (server.clone(), (starts.clone(), Rc::clone(&ticks), Rc::clone(&found)));
    let node = world.add_node("server", move |reactor: &mut Reactor| {
        counts.0.set(counts.0.get() + 1);
        reactor.listen_tcp("0.0.0.0:7000", script.clone())?;
        tick(reactor.context(), counts.1.clone(), counts.2.clone());
        Ok(())
    });
    let client = world.add_node("client", |_| Ok(()));
    assert_eq!((node, client), (NodeId::from(0), NodeId::from(1)));
    world.add_faults(&plan(faults));
    world.run_for(seconds(6));
    starts.set(0);
    ticks.set(0);
    found.set(0);
    let asking = Script::sending(vec![b'x'; 4_000]);
    for _ in 0..10 {
        let context = world.reactor(client).unwrap().context();
        context.connect_tcp("server:7000", asking.clone()).unwrap();
        world.run_for(seconds(1));
    }
    Observed {
        starts: starts.get(),
        ticks: ticks.get(),
        looked_up: found.get(),
        made: server.record.made.get(),
        echoed: asking.record.received(),
    }
}

#[test]
fn a_fault_outlasts_a_shorter_same_fault() {
    let (node, other) = (NodeId::from(0), NodeId::from(1));
    let calm = observe(&[]);
    for kind in FaultKind::ALL {
        let fault = Fault::new(*kind, node).towards(other);
        let alone = observe(&[(1, 20, fault.clone())]);
        let both = observe(&[(1, 20, fault.clone()), (3, 5, fault.clone())]);
        assert_eq!(both, alone, "{kind}");
        let over = observe(&[(1, 4, fault.clone()), (2, 5, fault.clone())]);
        let (ticks, echoed) = (over.ticks.abs_diff(calm.ticks), over.echoed);
        assert!(ticks <= 1 && echoed == calm.echoed, "{kind}: {over:?} for {calm:?}");
    }
    for kind in [FaultKind::Stall, FaultKind::Crash, FaultKind::Drift, FaultKind::Names] {
        let fault = Fault::new(kind, node).towards(other);
        assert_ne!(observe(&[(1, 20, fault)]), calm, "{kind} has an effect");
    }
}

/// Returns how many connections to the server are made, and how many fail, one attempt per second.
fn reached(world: &mut World, client: NodeId, times: u64) -> (usize, usize) {
    let script = Script::silent();
    for _ in 0..times {
        let context = world.reactor(client).unwrap().context();
        context.connect_tcp("server:7000", script.clone()).unwrap();
        world.run_for(seconds(1));
    }
    (script.record.made.get(), script.record.failed.borrow().len())
}

#[test]
fn the_end_of_a_fault_keeps_cuts() {
    for kind in [FaultKind::Cut, FaultKind::Partition] {
        let mut world = World::new(1);
        let node = add_server(&mut world, &Script::silent());
        let client = world.add_node("client", |_| Ok(()));
        let fault = Fault::new(kind, node).towards(client);
        world.add_faults(&plan(&[(1, 5, fault.clone()), (20, 30, fault)]));
        world.run_for(seconds(2));
        world.cut([client], [node]);
        world.run_for(seconds(4));
        assert_eq!(reached(&mut world, client, 3), (0, 0), "{kind}");
        world.heal();
        assert_eq!(reached(&mut world, client, 3), (3, 0), "{kind}");
        world.run_for(seconds(10));
        world.heal();
        assert_eq!(reached(&mut world, client, 3), (0, 0), "{kind} is in force, healed or not");
    }
}

#[test]
fn a_partition_separates_nodes_added_later() {
    let mut world = World::new(1);
    let node = add_server(&mut world, &Script::silent());
    world.add_faults(&plan(&[(1, 10, Fault::new(FaultKind::Partition, node))]));
    world.run_for(seconds(2));
    let client = world.add_node("client", |_| Ok(()));
    assert_eq!(reached(&mut world, client, 3), (0, 0));
    world.run_for(seconds(10));
    assert_eq!(reached(&mut world, client, 3), (3, 0));
}

#[test]
fn a_fault_applies_to_a_node_added_later() {
    let mut world = World::new(1);
    let late = NodeId::from(1);
    let crash = Fault::new(FaultKind::Crash, late);
    world.add_faults(&plan(&[(1, 5, crash), (1, 9, Fault::new(FaultKind::Refusal, late))]));
    let client = world.add_node("client", |_| Ok(()));
    world.run_for(seconds(2));
    assert_eq!(add_server(&mut world, &Script::silent()), late);
    assert!(world.reactor(late).is_none());
    world.run_for(seconds(4));
    assert!(world.reactor(late).is_some());
    assert_eq!(reached(&mut world, client, 2), (0, 2));
    world.run_for(seconds(2));
    assert_eq!(reached(&mut world, client, 2), (2, 0));
}

#[test]
fn a_crashs_end_starts_no_stopped_node() {
    let ends: [fn(&mut World, NodeId); 3] =
        [|world, node| world.reactor(node).unwrap().context().stop(), World::kill, World::crash];
    for during in [false, true] {
        for end in ends {
            let mut world = World::new(1);
            let node = world.add_node("server", |_| Ok(()));
            world.add_faults(&plan(&[(2, 5, Fault::new(FaultKind::Crash, node))]));
            world.run_for(seconds(if during { 3 } else { 1 }));
            if !during {
                end(&mut world, node);
            } else if world.reactor(node).is_none() {
                world.crash(node);
            }
            world.run_for(seconds(9));
            assert!(world.reactor(node).is_none());
            world.start(node);
            assert!(world.reactor(node).is_some());
        }
    }
}

#[test]
fn a_start_during_a_crash_is_delayed() {
    let mut world = World::new(1);
    let node = world.add_node("server", |_| Ok(()));
    let crash = Fault::new(FaultKind::Crash, node);
    world.add_faults(&plan(&[(1, 5, crash.clone()), (3, 8, crash)]));
    world.run_for(seconds(2));
    world.start(node);
    for second in 2..10 {
        assert_eq!(world.reactor(node).is_some(), second >= 8, "after {second} seconds");
        world.run_for(seconds(1));
    }
}

#[test]
fn a_bandwidth_faults_end_empties_the_uplink() {
    for severity in [1.0, 0.9] {
        let mut world = World::new(1);
        let server = Script::sending(vec![b'x'; 100_000]);
        let node = add_server(&mut world, &server);
        let slow = Fault::new(FaultKind::Bandwidth, node).severity(severity);
        world.add_faults(&plan(&[(0, 5, slow)]));
        let client = Script::silent();
        add_client(&mut world, &client);
        world.run_for(seconds(5));
        let before = client.record.received();
        assert!(before <= 16_000, "{before} bytes, at most 2,512 per second");
        world.run_for(milliseconds(10));
        assert_eq!(client.record.received(), 100_000);
    }
}

#[test]
fn a_lower_bandwidth_slows_queued_data() {
    let mut world = World::new(1);
    let server = Script::sending(vec![b'x'; 60_000]);
    let node = add_server(&mut world, &server);
    let slow = |severity| Fault::new(FaultKind::Bandwidth, node).severity(severity);
    // 10,000 bytes per second, and then 1,000.
    world.add_faults(&plan(&[(0, 100, slow(0.75)), (3, 23, slow(1.0))]));
    let client = Script::silent();
    add_client(&mut world, &client);
    // 30,000 in three seconds, 20,000 in twenty, and 10,000 in one.
    world.run_for(milliseconds(23_900));
    assert_eq!(client.record.received(), 0, "they are one segment");
    world.run_for(milliseconds(200));
    assert_eq!(client.record.received(), 60_000);
}

#[test]
fn a_crash_discards_packets_in_the_uplink() {
    let mut world = World::new(1);
    let server = Script::sending(vec![b'x'; 60_000]);
    let node = add_server(&mut world, &server);
    world.add_faults(&plan(&[(0, 5, Fault::new(FaultKind::Bandwidth, node))]));
    let client = Script::silent();
    add_client(&mut world, &client);
    world.run_for(seconds(2));
    world.crash(node);
    world.run_for(seconds(100));
    assert_eq!((client.record.made.get(), client.record.received()), (1, 0));
}
