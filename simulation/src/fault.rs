//! Faults.

use crate::node::NodeId;
use std::fmt;
use std::str::FromStr;

/// A fault that lasts for a limited time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// The affected node. A fault of the network affects all paths from and to this node.
    pub node: NodeId,
    /// For [`FaultKind::Cut`], the destination: nothing gets from `node` to it.
    pub other: NodeId,
    /// The severity, from 0 to 1. At 1 the fault has the effect in the description of its kind.
    pub severity: f64,
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of a fault. Each kind has a name, by which it is written in a list: `loss,crash`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* $kind,)*
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Returns the name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

fault_kinds! {
    /// The node sends 1,000 bytes per second.
    Bandwidth = "bandwidth",
    /// Sockets made during the fault have buffers of 1 byte.
    Buffers = "buffers",
    /// The node crashes, and restarts when the fault ends.
    Crash = "crash",
    /// Nothing gets from the node to the other node.
    Cut = "cut",
    /// No file descriptors are left.
    Descriptors = "descriptors",
    /// The clock runs fast by half, or, below half the severity, slow by half.
    Drift = "drift",
    /// Every datagram is duplicated.
    Duplication = "duplication",
    /// The network drops all segments of the node's current connections, and no end is notified.
    HalfOpen = "half-open",
    /// The clock jumps ahead by an hour, once.
    Jump = "jump",
    /// The latency rises by 1 to 2 seconds.
    Latency = "latency",
    /// Half of all segments and datagrams are lost.
    Loss = "loss",
    /// Name lookups fail.
    Names = "names",
    /// Nothing gets to the node or from it.
    Partition = "partition",
    /// Connection attempts are refused.
    Refusal = "refusal",
    /// Every datagram is delayed by up to 20 ms, so that later ones overtake it.
    Reordering = "reordering",
    /// One of a hundred segments breaks its connection, at any of its bytes.
    Reset = "reset",
    /// All reads and writes are cut short.
    ShortIo = "short-io",
    /// Every segment causes an event for a socket that is not ready.
    Spurious = "spurious",
    /// The node does nothing, like a process that is stopped or out of memory: a slow reader.
    Stall = "stall",
    /// Connection attempts are not answered.
    Unanswered = "unanswered",
    /// Half of all reads and writes return `WouldBlock`.
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
            format!("unknown fault `{name}`; known faults: {}", names.join(", "))
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
    /// Returns a fault of full severity at one node. A [cut](FaultKind::Cut) also needs [a
    /// destination](Self::towards).
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

    /// Sets the destination of a [cut](FaultKind::Cut).
    #[must_use]
    pub fn towards(mut self, other: NodeId) -> Self {
        self.other = other;
        self
    }

    /// Sets the severity, from 0 to 1.
    #[must_use]
    pub fn severity(mut self, severity: f64) -> Self {
        self.severity = severity.clamp(0.0, 1.0);
        self
    }
}
