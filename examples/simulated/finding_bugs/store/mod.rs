//! A key-value store in the simulation, with a selectable bug.
//!
//! Clients send requests to the primary, which numbers them, sends them to the backup over a link, and answers a
//! request when the backup has acknowledged it. Connections can be lost: a client sends unanswered requests again on
//! its next connection, and the primary sends unacknowledged ones again on its next link. Stored data survives a crash;
//! connections do not.

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

/// The time for which the clients send requests.
pub(crate) const LENGTH: Duration = Duration::from_secs(30);

/// The time from the last request to the checks. Data of an abandoned link can be delivered a minute late, and an
/// earlier check would miss its effect.
const DRAIN: Duration = Duration::from_secs(200);

/// The kinds of faults.
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

/// A common mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The servers treat the data of each read as whole lines.
    Framing,
    /// The primary answers before the backup has acknowledged the request.
    EarlyAnswer,
    /// The primary does not recognise a repeated request.
    RepeatedRequest,
    /// The backup applies a `put` with any number, as if a `put` could always be repeated.
    StaleLink,
    /// The primary does not send lost requests again on a new link.
    NoResend,
}

impl Bug {
    pub(crate) const ALL: [Self; 5] =
        [Self::Framing, Self::EarlyAnswer, Self::RepeatedRequest, Self::StaleLink, Self::NoResend];
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Framing => "a read is treated as whole lines",
            Self::EarlyAnswer => "a request is answered before the backup has it",
            Self::RepeatedRequest => "a repeated request is applied twice",
            Self::StaleLink => "a write from a stale link overwrites a later one",
            Self::NoResend => "requests of a lost link are not sent again",
        })
    }
}

/// The values of a node.
type Values = BTreeMap<String, i64>;

/// The state that all nodes share: the contents of disks, and the records for the checks.
#[derive(Clone, Default)]
struct Shared {
    /// True when clients send no more requests.
    is_ending: Rc<Cell<bool>>,
    primary: Rc<RefCell<primary::State>>,
    backup: Rc<RefCell<backup::State>>,
    clients: Rc<RefCell<Vec<client::Client>>>,
    /// All requests, in each client's order.
    requests: Rc<RefCell<Vec<wire::Request>>>,
    /// The first request that was answered before the backup had it.
    unsafe_answer: Rc<RefCell<Option<wire::Request>>>,
}

/// Returns an exploration of the seeds, with up to 12 faults of these kinds in each run.
pub(crate) fn exploration(seeds: Range<u64>, kinds: &[FaultKind]) -> Exploration {
    Exploration::new(seeds).faults(kinds, 12).length(LENGTH)
}

/// Runs the store from a seed, with faults of these kinds.
pub(crate) fn run_seed(seed: u64, kinds: &[FaultKind], bug: Option<Bug>) -> Verdict {
    let plan = exploration(0..0, kinds).plan(seed, NODES);
    run(&mut World::new(seed), &plan, LENGTH, bug)
}

/// Runs the store in the empty `world`, and checks the result.
pub(crate) fn run(world: &mut World, plan: &Plan, length: Duration, bug: Option<Bug>) -> Verdict {
    let shared = Shared::default();
    add_nodes(world, &shared, bug);
    world.add_faults(plan);
    world.run_for(length);
    shared.is_ending.set(true);
    world.run_for(DRAIN);
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
