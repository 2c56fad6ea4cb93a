//! What holds of the reactor whatever happens: random programs under random faults, from many seeds.

#[path = "support/books.rs"]
mod books;
#[path = "support/talker.rs"]
mod talker;

use books::Books;
use ropewalk::{Context, Error, Reactor};
use ropewalk_simulation::{Exploration, FaultKind, NodeId, Plan, Random, World};
use std::time::Duration;
use talker::Talkers;

const NODES: u32 = 4;

/// How long everything that is on its way or given up may take in the end: longer than the system tries.
const SETTLED: Duration = Duration::from_secs(1200);

fn talkers(books: &Books, (seed, node): (u64, u64), connects: bool) -> Talkers {
    Talkers { books: books.clone(), seed, node, connects }
}

/// Connects to somebody, now and then.
fn roam(context: &mut Context, books: &Books, who: (u64, u64), mut random: Random) {
    if books.calm.get() {
        return;
    }
    let factory = talkers(books, who, true);
    let connected = match random.below(10) {
        0 => context.connect_unix("/run/talk.sock", factory),
        1 => context.connect_tcp("nobody:7000", factory),
        2 => context.connect_tcp(format!("node{}:7001", random.below(u64::from(NODES))), factory),
        _ => context.connect_tcp(format!("node{}:7000", random.below(u64::from(NODES))), factory),
    };
    if connected.is_ok() {
        books.with(|ledger| ledger.attempts += 1);
    }
    let delay = random.duration(Duration::from_millis(50), Duration::from_millis(3000));
    let books = books.clone();
    context.call_later(delay, move |context| roam(context, &books, who, random));
}

fn program(reactor: &mut Reactor, books: &Books, seed: u64, node: u64) -> Result<(), Error> {
    let who = (seed, node);
    books.forget(node);
    reactor.listen_tcp("0.0.0.0:7000", talkers(books, who, false))?;
    reactor.listen_unix("/run/talk.sock", talkers(books, who, false))?;
    roam(reactor.context(), books, who, Random::new(seed ^ node ^ books.number() << 8));
    Ok(())
}

/// Who talks to whom is drawn from the seed; and in the end everything is accounted for.
fn talk(world: &mut World, plan: &Plan, length: Duration) -> Result<(), String> {
    let books = Books::default();
    let seed = world.seed();
    let nodes: Vec<NodeId> = (0..NODES)
        .map(|node| {
            let books = books.clone();
            world.add_node(&format!("node{node}"), move |reactor| {
                program(reactor, &books, seed, u64::from(node))
            })
        })
        .collect();
    world.add_faults(plan);
    world.run_for(length);
    books.check()?;

    // Nobody begins anything new, and what was begun comes to its end.
    books.calm.set(true);
    world.run_for(SETTLED);
    books.check()?;
    books.check_all_arrived()?;

    for node in nodes {
        if let Some(reactor) = world.reactor(node) {
            reactor.context().stop();
        }
    }
    world.run_for(SETTLED);
    books.check()?;
    let crashes = plan.iter().any(|planned| planned.fault.kind == FaultKind::Crash);
    books.check_over(!crashes)?;
    match world.connections() {
        0 => Ok(()),
        left => Err(format!("{left} connections are left in the network")),
    }
}

#[test]
fn the_rules_hold_whatever_happens() {
    let exploration = Exploration::new(0..300).faults(FaultKind::ALL, 8);
    exploration.length(Duration::from_secs(10)).run(NODES, talk);
}
