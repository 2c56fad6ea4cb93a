//! What can go wrong, and plans of it.

use crate::net::{Cut, nanos};
use crate::node::NodeId;
use crate::random::Random;
use crate::weather::Weather;
use crate::world::World;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Something that goes wrong for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// For whom. A fault of what lies between nodes is one of all ways from and to this one.
    pub node: NodeId,
    /// For [`FaultKind::Cut`], which way is cut: from this one to the other.
    pub other: NodeId,
    /// How bad it is, from 0 to 1. At 1 it is as bad as the kind's description says.
    pub severity: f64,
}

/// A fault, and when it begins and ends, counted from when it is
/// [added](World::add_faults) to a world.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Planned {
    pub from: Duration,
    pub until: Duration,
    pub fault: Fault,
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What can go wrong. Each has a name, by which it is written in a list: `loss,crash`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* $kind,)*
        }

        impl FaultKind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

fault_kinds! {
    /// Bytes leave slowly: 1,000 a second.
    Bandwidth = "bandwidth",
    /// Sockets that are made meanwhile hold little: 1 byte.
    Buffers = "buffers",
    /// The node crashes, and starts anew when the fault ends.
    Crash = "crash",
    /// Nothing gets from the node to the other.
    Cut = "cut",
    /// No descriptors are left.
    Descriptors = "descriptors",
    /// The clock is fast by half, or at less than half the severity slow by half.
    Drift = "drift",
    /// Every datagram comes twice.
    Duplication = "duplication",
    /// The connections that the node has now are forgotten by what lies between, and nobody is told.
    HalfOpen = "half-open",
    /// The clock jumps ahead by an hour, once.
    Jump = "jump",
    /// Everything takes a second longer, and up to a second more.
    Latency = "latency",
    /// Half of all segments and datagrams are lost.
    Loss = "loss",
    /// No name is found.
    Names = "names",
    /// Nothing gets to the node or from it.
    Partition = "partition",
    /// Those who connect are refused.
    Refusal = "refusal",
    /// Every datagram is held up, by 20 ms at most, and others overtake it.
    Reordering = "reordering",
    /// One of a hundred segments breaks its connection, at any of its bytes.
    Reset = "reset",
    /// All reads and writes are cut short.
    ShortIo = "short-io",
    /// Every segment has somebody told to be ready who is not.
    Spurious = "spurious",
    /// The node does nothing, as one that is out of memory, or stopped: a slow reader.
    Stall = "stall",
    /// Those who connect get no answer.
    Unanswered = "unanswered",
    /// Half of all reads and writes are told that nothing can be done now.
    WouldBlock = "would-block",
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name).copied();
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("there is no fault `{name}`; there are: {}", names.join(", "))
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, node, severity, .. } = self;
        write!(f, "{kind} at node {}", node.0)?;
        if *kind == FaultKind::Cut {
            write!(f, " towards node {}", self.other.0)?;
        }
        write!(f, ", {severity:.2} of the worst")
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from.as_secs_f64(), self.until.as_secs_f64());
        write!(f, "{from:9.3} s to {until:9.3} s: {}", self.fault)
    }
}

impl Fault {
    /// As bad as it can be, at one node; a [cut](FaultKind::Cut) also needs to know
    /// [towards](Self::towards) whom.
    ///
    /// ```
    /// use ropewalk_simulation::{Fault, FaultKind, Plan, World};
    /// use std::time::Duration;
    ///
    /// let mut world = World::new(1);
    /// let server = world.add_node("server", |_| Ok(()));
    /// let client = world.add_node("client", |_| Ok(()));
    /// let mut plan = Plan::none();
    /// let second = Duration::from_secs(1);
    /// plan.add(second, second * 3, Fault::new(FaultKind::Cut, server).towards(client));
    /// plan.add(second * 2, second * 9, Fault::new(FaultKind::Loss, client).severity(0.2));
    /// world.add_faults(&plan);
    /// world.run_for(second * 10);
    /// ```
    pub fn new(kind: FaultKind, node: NodeId) -> Self {
        Self { kind, node, other: node, severity: 1.0 }
    }

    /// Towards whom nothing gets from the node.
    #[must_use]
    pub fn towards(mut self, other: NodeId) -> Self {
        self.other = other;
        self
    }

    /// How bad it is, from 0 to 1.
    #[must_use]
    pub fn severity(mut self, severity: f64) -> Self {
        self.severity = severity.clamp(0.0, 1.0);
        self
    }

    /// Has it begin or end. It is the `number`th of its world.
    pub(crate) fn apply(&self, world: &mut World, number: u32, begins: bool) {
        match self.kind {
            FaultKind::Crash if begins => world.crash(self.node),
            FaultKind::Crash => world.start(self.node),
            FaultKind::Cut | FaultKind::Partition => self.cut(world, number, begins),
            FaultKind::HalfOpen if begins => world.net().borrow_mut().sever(self.node),
            FaultKind::HalfOpen => {}
            FaultKind::Jump => {
                if begins {
                    let by = nanos(Duration::from_secs(3600)) as f64 * self.severity;
                    let mut net = world.net().borrow_mut();
                    net.host_mut(self.node).clock.jump(by as u64);
                    net.call_up(self.node);
                }
            }
            FaultKind::Drift => {
                let mut net = world.net().borrow_mut();
                let (now, node) = (net.now, self.node);
                let drift = (self.severity * 2.0 - 1.0) * 500_000.0;
                let drift = if begins { drift as i32 } else { 0 };
                net.host_mut(node).clock.set_drift(now, drift);
                net.call_up(node); // It plans its next turn anew.
            }
            _ => {
                let mut net = world.net().borrow_mut();
                self.change(&mut net.host_mut(self.node).weather, begins);
                if self.kind == FaultKind::Stall && !begins {
                    net.call_up(self.node);
                }
            }
        }
    }

    fn cut(&self, world: &mut World, number: u32, begins: bool) {
        let all: Vec<NodeId> = world.nodes().collect();
        let mut net = world.net().borrow_mut();
        // Numbers that are the world's own begin below.
        let number = (1 << 31) + 2 * number;
        if !begins {
            net.cuts.remove(&number);
            net.cuts.remove(&(number + 1));
            return;
        }
        if self.kind == FaultKind::Cut {
            net.cuts.insert(number, Cut { from: [self.node].into(), to: [self.other].into() });
            return;
        }
        let others = || all.iter().copied().filter(|node| *node != self.node).collect();
        net.cuts.insert(number, Cut { from: [self.node].into(), to: others() });
        net.cuts.insert(number + 1, Cut { from: others(), to: [self.node].into() });
    }

    /// Makes the weather worse, or as it was: what adds up is taken away again.
    fn change(&self, weather: &mut Weather, begins: bool) {
        let severity = self.severity;
        let add = |value: &mut f64, most: f64| {
            let by = most * severity;
            *value = if begins { *value + by } else { (*value - by).max(0.0) };
        };
        let add_time = |value: &mut Duration| {
            let by = Duration::from_secs(1).mul_f64(severity);
            *value = if begins { *value + by } else { value.saturating_sub(by) };
        };
        match self.kind {
            FaultKind::Bandwidth => {
                // From ten million bytes a second at the mildest.
                let bytes = (1e7 * 1e-4_f64.powf(severity)) as u64;
                weather.bandwidth = if begins { bytes.max(1) } else { 0 };
            }
            FaultKind::Buffers => {
                let bytes = (65_536.0 * (1.0 - severity)) as usize;
                weather.buffer = if begins { bytes.max(1) } else { 0 };
            }
            FaultKind::Descriptors => weather.no_descriptors = begins,
            FaultKind::Duplication => add(&mut weather.duplication, 1.0),
            FaultKind::Latency => {
                add_time(&mut weather.latency);
                add_time(&mut weather.jitter);
            }
            FaultKind::Loss => add(&mut weather.loss, 0.5),
            FaultKind::Names => weather.no_names = begins,
            FaultKind::Refusal => weather.refuses = begins,
            FaultKind::Reordering => add(&mut weather.reordering, 1.0),
            FaultKind::Reset => add(&mut weather.reset, 0.01),
            FaultKind::ShortIo => add(&mut weather.short, 1.0),
            FaultKind::Spurious => add(&mut weather.spurious, 1.0),
            FaultKind::Stall => weather.stalled = begins,
            FaultKind::Unanswered => weather.unanswering = begins,
            FaultKind::WouldBlock => add(&mut weather.would_block, 0.5),
            FaultKind::Crash
            | FaultKind::Cut
            | FaultKind::Drift
            | FaultKind::HalfOpen
            | FaultKind::Jump
            | FaultKind::Partition => {}
        }
    }
}

/// What is going to go wrong, and when: drawn from a seed, or written by hand.
///
/// It prints one fault a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan(Vec<Planned>);

impl Plan {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// So many faults of these kinds, drawn from a seed: within `span`, at these nodes. All of them are over
    /// at its end.
    ///
    /// # Panics
    ///
    /// If there are no nodes.
    pub fn draw(
        seed: u64,
        kinds: &[FaultKind],
        count: usize,
        span: Duration,
        nodes: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        let nodes: Vec<NodeId> = nodes.into_iter().collect();
        let mut random = Random::of(seed, u64::MAX, 0);
        let mut plan = Self::none();
        for _ in 0..if kinds.is_empty() { 0 } else { count } {
            let (one, other) =
                (random.duration(Duration::ZERO, span), random.duration(Duration::ZERO, span));
            let fault = Fault {
                kind: *random.choose(kinds),
                node: *random.choose(&nodes),
                other: *random.choose(&nodes),
                severity: random.below(1001) as f64 / 1000.0,
            };
            plan.add(one.min(other), one.max(other), fault);
        }
        plan
    }

    /// Adds a fault.
    pub fn add(&mut self, from: Duration, until: Duration, fault: Fault) {
        self.0.push(Planned { from, until, fault });
    }

    /// The faults, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Planned> {
        self.0.iter()
    }

    /// How many faults there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those for which `keep` says so; it is given the place of each.
    #[must_use]
    pub fn only(&self, mut keep: impl FnMut(usize) -> bool) -> Self {
        let kept = self.0.iter().enumerate().filter(|(place, _)| keep(*place));
        Self(kept.map(|(_, planned)| planned.clone()).collect())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|planned| writeln!(f, "{planned}"))
    }
}

/// The kinds that a word or a list of words stands for: `all`, `none`, or names with commas between.
///
/// ```
/// use ropewalk_simulation::{FaultKind, kinds};
///
/// assert_eq!(kinds("none"), Ok(vec![]));
/// assert_eq!(kinds("loss,crash"), Ok(vec![FaultKind::Loss, FaultKind::Crash]));
/// assert!(kinds("gremlins").unwrap_err().contains("half-open"));
/// ```
///
/// # Errors
///
/// If there is no such kind; the text lists those that there are.
pub fn kinds(list: &str) -> Result<Vec<FaultKind>, String> {
    match list {
        "all" => Ok(FaultKind::ALL.to_vec()),
        "none" | "" => Ok(Vec::new()),
        list => list.split(',').map(|name| name.trim().parse()).collect(),
    }
}
