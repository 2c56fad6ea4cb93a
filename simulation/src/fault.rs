//! What can go wrong.

use crate::node::NodeId;
use std::fmt;
use std::str::FromStr;

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
        write!(f, ", severity {severity:.2}")
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
}
