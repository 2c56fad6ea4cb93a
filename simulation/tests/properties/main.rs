//! Properties of the reactor, of filters, of a chat and of a store: random programs under random faults, from many seeds.
//!
//! `simulation/sabotage` breaks the reactor on purpose, and prints from which seed on this is detected here.

mod chat;
mod crowds;
mod datagrams;
mod filters;
mod finding_bugs;
mod messages;
#[path = "../support/model.rs"]
mod model;
#[path = "../support/operations.rs"]
mod operations;
#[path = "../support/protocol_state.rs"]
mod protocol_state;
#[path = "../support/random_protocol.rs"]
mod random_protocol;
mod timers;

use datagrams::RandomSocket;
use messages::Messages;
use model::Model;
use operations::watch_turns;
use random_protocol::RandomFactory;
use ropewalk::{ConnectOptions, Context, Error, ListenOptions, Reactor, SocketOption};
use ropewalk_simulation::{Exploration, FaultKind, NodeId, Plan, Random, World, seeds, twice};
use std::time::Duration;
use timers::Timers;

const NODES: u32 = 4;

/// How long data in flight and connection attempts may take to end: longer than the system retransmits.
const SETTLED: Duration = Duration::from_secs(1200);

/// The send buffer of some connections.
const NARROW: usize = 3000;

fn random_factory(model: &Model, (seed, node): (u64, u64), connects: bool) -> RandomFactory {
    RandomFactory { model: model.clone(), seed, node, connects }
}

/// Connects to a node, and schedules the next attempt.
fn roam(context: &mut Context, model: &Model, who: (u64, u64), mut random: Random) {
    if model.is_ending.get() {
        return;
    }
    let factory = random_factory(model, who, true);
    let node = format!("node{}", random.below(u64::from(NODES)));
    let narrow = ConnectOptions::new().option(SocketOption::SendBuffer(NARROW));
    let connected = match random.below(10) {
        0 => context.connect_unix("/run/talk.sock", factory),
        1 => context.connect_tcp("nobody:7000", factory),
        2 => context.connect_tcp(format!("{node}:7009"), factory),
        3..6 => narrow.connect_tcp(context, format!("{node}:7001"), factory),
        _ => context.connect_tcp(format!("{node}:7000"), factory),
    };
    if let Ok(id) = connected {
        model.with(|records| records.attempts += 1);
        if random.chance(0.05) {
            context.close(id); // The attempt is cancelled.
        }
    }
    let delay = random.duration(Duration::from_millis(50), Duration::from_millis(3000));
    let model = model.clone();
    context.call_later(delay, move |context| roam(context, &model, who, random));
}

fn program(
    reactor: &mut Reactor,
    model: &Model,
    messages: &Messages,
    (seed, node): (u64, u64),
) -> Result<(), Error> {
    let who = (seed, node);
    let mut random = Random::new(seed ^ node ^ model.number() << 8);
    model.clear_lost(node);
    reactor.listen_tcp("0.0.0.0:7000", random_factory(model, who, false))?;
    ListenOptions::new().option(SocketOption::SendBuffer(NARROW)).listen_tcp(
        reactor.context(),
        "0.0.0.0:7001",
        random_factory(model, who, false),
    )?;
    reactor.listen_unix("/run/talk.sock", random_factory(model, who, false))?;
    let mut another = || Random::new(random.below(u64::MAX));
    crowds::start(reactor, model, u64::from(NODES), another())?;
    RandomSocket::start(reactor, model, (node, u64::from(NODES)), &mut another())?;
    let context = reactor.context();
    messages.start(context, model, node as usize, another());
    Timers::start(context, model, another());
    watch_turns(context, model, 0);
    roam(context, model, who, another());
    if random.chance(0.1) {
        let delay = random.duration(Duration::from_secs(1), Duration::from_secs(9));
        let model = model.clone();
        context.call_later(delay, move |context| {
            model.stopped.set(true);
            context.stop();
        });
    }
    Ok(())
}

/// Runs random programs, and checks that everything is accounted for in the end.
fn play(world: &mut World, plan: &Plan, length: Duration) -> Result<(), String> {
    let model = Model::new(plan.iter().map(|planned| planned.fault.kind).collect());
    let messages = Messages::default();
    let seed = world.seed();
    world.allow_panics(|message| message == "on purpose");
    let nodes: Vec<NodeId> = (0..NODES)
        .map(|node| {
            let (model, messages) = (model.clone(), messages.clone());
            world.add_node(&format!("node{node}"), move |reactor| {
                program(reactor, &model, &messages, (seed, u64::from(node)))
            })
        })
        .collect();
    world.add_faults(plan);
    let run = |world: &mut World, length| {
        world.run_until(length, |_| model.has_failed());
        model.check().and_then(|()| messages.check())
    };
    run(world, length)?;

    // No new operations begin, and the others come to an end.
    model.is_ending.set(true);
    run(world, SETTLED)?;
    model.check_all_arrived()?;
    messages.check_all_arrived()?;

    for node in nodes {
        if let Some(reactor) = world.reactor(node) {
            reactor.context().stop();
        }
    }
    run(world, SETTLED)?;
    model.check_over()?;
    match world.connections() {
        0 => Ok(()),
        left => Err(format!("{left} connections are left in the network")),
    }
}

#[test]
fn the_rules_hold_under_random_faults() {
    let exploration = Exploration::new(0..40).faults(FaultKind::ALL, 8);
    exploration.length(Duration::from_secs(10)).run(NODES, play);
}

#[test]
fn the_same_seed_has_the_same_run() {
    let length = Duration::from_secs(10);
    for seed in seeds(0..3).take(50) {
        let plan = Plan::draw(seed, FaultKind::ALL, 8, length, (0..NODES).map(Into::into));
        let played = twice(seed, |world| (play(world, &plan, length), world.callbacks()));
        let (outcome, _) = played.unwrap_or_else(|parted| panic!("{parted}"));
        outcome.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

#[test]
fn turns_in_steps_are_the_same_run() {
    let length = Duration::from_secs(10);
    for seed in seeds(0..3).take(50) {
        let plan = Plan::draw(seed, FaultKind::ALL, 8, length, (0..NODES).map(Into::into));
        let mut by_steps = false;
        let played = twice(seed, |world| {
            world.turn_by_steps(by_steps);
            by_steps = true; // The second run.
            (play(world, &plan, length), world.callbacks())
        });
        played.unwrap_or_else(|parted| panic!("{parted}")).0.unwrap();
    }
}
