//! What holds of the reactor whatever happens: random programs under random faults, from many seeds.
//!
//! `simulation/sabotage` breaks the reactor on purpose, and sees from which seed on that is found here.

#[path = "../support/acting.rs"]
mod acting;
#[path = "../support/books.rs"]
mod books;
mod clockwork;
mod crowds;
mod gulls;
mod post;
#[path = "../support/talker.rs"]
mod talker;

use acting::watch_for_spinning;
use books::Books;
use clockwork::Clockwork;
use gulls::Gull;
use post::Post;
use ropewalk::{ConnectOptions, Context, Error, ListenOptions, Reactor, SocketOption};
use ropewalk_simulation::{Exploration, FaultKind, NodeId, Plan, Random, World, twice};
use std::time::Duration;
use talker::Talkers;

const NODES: u32 = 4;

/// How long everything that is on its way or given up may take in the end: longer than the system tries.
const SETTLED: Duration = Duration::from_secs(1200);

/// How much the sockets of those hold whose way is narrow.
const NARROW: usize = 3000;

fn talkers(books: &Books, (seed, node): (u64, u64), connects: bool) -> Talkers {
    Talkers { books: books.clone(), seed, node, connects }
}

/// Connects to somebody, now and then.
fn roam(context: &mut Context, books: &Books, who: (u64, u64), mut random: Random) {
    if books.calm.get() {
        return;
    }
    let factory = talkers(books, who, true);
    let node = format!("node{}", random.below(u64::from(NODES)));
    let narrow = ConnectOptions::new().option(SocketOption::SendBuffer(NARROW));
    let connected = match random.below(10) {
        0 => context.connect_unix("/run/talk.sock", factory),
        1 => context.connect_tcp("nobody:7000", factory),
        2 => context.connect_tcp(format!("{node}:7009"), factory),
        3..6 => context.connect_tcp_with(format!("{node}:7001"), &narrow, factory),
        _ => context.connect_tcp(format!("{node}:7000"), factory),
    };
    if let Ok(id) = connected {
        books.with(|ledger| ledger.attempts += 1);
        if random.chance(0.05) {
            context.close(id); // It has changed its mind.
        }
    }
    let delay = random.duration(Duration::from_millis(50), Duration::from_millis(3000));
    let books = books.clone();
    context.call_later(delay, move |context| roam(context, &books, who, random));
}

fn program(
    reactor: &mut Reactor,
    books: &Books,
    post: &Post,
    (seed, node): (u64, u64),
) -> Result<(), Error> {
    let who = (seed, node);
    let mut random = Random::new(seed ^ node ^ books.number() << 8);
    books.forget(node);
    reactor.listen_tcp("0.0.0.0:7000", talkers(books, who, false))?;
    reactor.context().listen_tcp_with(
        "0.0.0.0:7001",
        &ListenOptions::new().option(SocketOption::SendBuffer(NARROW)),
        talkers(books, who, false),
    )?;
    reactor.listen_unix("/run/talk.sock", talkers(books, who, false))?;
    let mut another = || Random::new(random.below(u64::MAX));
    crowds::start(reactor, books, u64::from(NODES), another())?;
    Gull::start(reactor, books, (node, u64::from(NODES)), &mut another())?;
    let context = reactor.context();
    post.start(context, books, node as usize, another());
    Clockwork::start(context, books, another());
    watch_for_spinning(context, books, 0);
    roam(context, books, who, another());
    if random.chance(0.1) {
        let delay = random.duration(Duration::from_secs(1), Duration::from_secs(9));
        let books = books.clone();
        context.call_later(delay, move |context| {
            books.stopped.set(true);
            context.stop();
        });
    }
    Ok(())
}

/// What happens is drawn from the seed; and in the end everything is accounted for.
fn play(world: &mut World, plan: &Plan, length: Duration) -> Result<(), String> {
    let books = Books::new(plan.iter().map(|planned| planned.fault.kind).collect());
    let post = Post::default();
    let seed = world.seed();
    world.allow_panics(|message| message == "on purpose");
    let nodes: Vec<NodeId> = (0..NODES)
        .map(|node| {
            let (books, post) = (books.clone(), post.clone());
            world.add_node(&format!("node{node}"), move |reactor| {
                program(reactor, &books, &post, (seed, u64::from(node)))
            })
        })
        .collect();
    world.add_faults(plan);
    let run = |world: &mut World, length| {
        world.run_until(length, |_| books.has_failed());
        books.check().and_then(|()| post.check())
    };
    run(world, length)?;

    // Nobody begins anything new, and what was begun comes to its end.
    books.calm.set(true);
    run(world, SETTLED)?;
    books.check_all_arrived()?;
    post.check_all_arrived()?;

    for node in nodes {
        if let Some(reactor) = world.reactor(node) {
            reactor.context().stop();
        }
    }
    run(world, SETTLED)?;
    books.check_over()?;
    match world.connections() {
        0 => Ok(()),
        left => Err(format!("{left} connections are left in the network")),
    }
}

#[test]
fn the_rules_hold_whatever_happens() {
    let exploration = Exploration::new(0..300).faults(FaultKind::ALL, 8);
    exploration.length(Duration::from_secs(10)).run(NODES, play);
}

#[test]
fn the_same_seed_goes_the_same_way_and_has_the_same_result() {
    let length = Duration::from_secs(10);
    for seed in 0..5 {
        let plan = Plan::draw(seed, FaultKind::ALL, 8, length, (0..NODES).map(Into::into));
        let played = twice(seed, |world| (play(world, &plan, length), world.callbacks()));
        let (outcome, _) = played.unwrap_or_else(|parted| panic!("{parted}"));
        outcome.unwrap_or_else(|why| panic!("from the seed {seed}: {why}"));
    }
}
