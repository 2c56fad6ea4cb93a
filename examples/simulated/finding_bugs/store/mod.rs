//! A small key-value store in a simulated world, with a bug of choice.
//!
//! Clients send requests to the primary, which numbers them, sends them to the backup over a link, and
//! answers a request when the backup has acknowledged it. Each side expects its connections to break: a
//! client sends what was not answered again on its next connection, and the primary does so on its next link.
//! What a node has stored outlives a crash; connections do not.

mod backup;
mod client;
mod primary;
mod verdict;
mod wire;

use ropewalk_simulation::{Exploration, FaultKind, Plan, Random, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use verdict::Verdict;

/// The nodes: the primary, the backup and the clients.
pub(crate) const NODES: u32 = 2 + CLIENTS;

const CLIENTS: u32 = 3;

/// For how long the clients make requests.
pub(crate) const LENGTH: Duration = Duration::from_secs(30);

/// How long the run goes on afterwards. What a link that was given up still has on its way arrives up to a
/// minute late, and a check that looks earlier does not see what it does.
const SETTLED: Duration = Duration::from_secs(200);

/// The kinds of faults with which the store is played.
pub(crate) const FAULTS: &[FaultKind] = &[
    FaultKind::Bandwidth,
    FaultKind::Buffers,
    FaultKind::Crash,
    FaultKind::Cut,
    FaultKind::HalfOpen,
    FaultKind::Latency,
    FaultKind::Loss,
    FaultKind::Partition,
    FaultKind::Reset,
    FaultKind::ShortIo,
    FaultKind::Stall,
];

/// A mistake that is often made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The servers take what one read returns for whole lines.
    Framing,
    /// The primary answers before the backup has acknowledged the request.
    EarlyAnswer,
    /// The primary does not recognise a request that a client sends again.
    RepeatedRequest,
    /// The backup applies a `put` whatever its number is, for "a `put` may be repeated".
    StaleLink,
    /// The primary does not send again, on a new link, what was lost with the old one.
    NoResend,
}

impl Bug {
    pub(crate) const ALL: [Self; 5] =
        [Self::Framing, Self::EarlyAnswer, Self::RepeatedRequest, Self::StaleLink, Self::NoResend];
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Framing => "a read is taken for whole lines",
            Self::EarlyAnswer => "the answer comes before the backup has the request",
            Self::RepeatedRequest => "a request that is sent again is counted twice",
            Self::StaleLink => "a write from a stale link overwrites a later one",
            Self::NoResend => "what a broken link has lost is not sent again",
        })
    }
}

/// The values of a node.
type Values = BTreeMap<String, i64>;

/// What all nodes share, because it is on a disk or belongs to the check.
#[derive(Clone, Default)]
struct Shared {
    /// Clients make no further requests.
    calm: Rc<Cell<bool>>,
    primary: Rc<RefCell<primary::State>>,
    backup: Rc<RefCell<backup::State>>,
    clients: Rc<RefCell<Vec<client::Client>>>,
    /// Every request, in each client's order.
    requests: Rc<RefCell<Vec<wire::Request>>>,
    /// The first request that was answered although the backup did not have it.
    unsafe_answer: Rc<RefCell<Option<wire::Request>>>,
}

/// Explores these seeds, with up to 12 faults of these kinds each.
pub(crate) fn exploration(seeds: Range<u64>, kinds: &[FaultKind]) -> Exploration {
    Exploration::new(seeds).faults(kinds, 12).length(LENGTH)
}

/// Plays the store from a seed, with its faults of these kinds.
pub(crate) fn play_seed(seed: u64, kinds: &[FaultKind], bug: Option<Bug>) -> Verdict {
    let plan = exploration(0..0, kinds).plan(seed, NODES);
    play(&mut World::new(seed), &plan, LENGTH, bug)
}

/// Plays the store in `world`, which is empty, and checks what has become of it.
pub(crate) fn play(world: &mut World, plan: &Plan, length: Duration, bug: Option<Bug>) -> Verdict {
    let shared = Shared::default();
    add_nodes(world, &shared, bug);
    world.add_faults(plan);
    world.run_for(length);
    shared.calm.set(true);
    world.run_for(SETTLED);
    Verdict::of(&shared)
}

fn add_nodes(world: &mut World, shared: &Shared, bug: Option<Bug>) {
    let seed = world.seed();
    let store = shared.clone();
    world.add_node("primary", move |reactor| primary::serve(reactor, &store, bug));
    let store = shared.clone();
    world.add_node("backup", move |reactor| backup::serve(reactor, &store, bug));
    for index in 0..CLIENTS {
        let random = Random::new(seed ^ u64::from(index + 1) << 32);
        let client = client::Client::new(index, random, shared);
        shared.clients.borrow_mut().push(client.clone());
        world.add_node(&format!("client{index}"), move |reactor| {
            client.start(reactor.context());
            Ok(())
        });
    }
}
