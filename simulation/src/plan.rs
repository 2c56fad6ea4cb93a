//! Plans of faults.

use crate::fault::{Fault, FaultKind};
use crate::node::NodeId;
use crate::random::Random;
use std::fmt;
use std::time::Duration;

/// A fault with its beginning and end, counted from when it is [added](crate::World::add_faults) to a world.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Planned {
    pub from: Duration,
    pub until: Duration,
    pub fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from.as_secs_f64(), self.until.as_secs_f64());
        write!(f, "{from:9.3} s to {until:9.3} s: {}", self.fault)
    }
}

/// A list of faults with their times: drawn from a seed, or written by hand.
///
/// It prints one line per fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan(Vec<Planned>);

impl Plan {
    /// Returns an empty plan.
    pub fn none() -> Self {
        Self::default()
    }

    /// Draws `count` faults of these kinds from a seed, within `span`, at these nodes. All faults end within
    /// `span`.
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

    /// Returns the faults, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Planned> {
        self.0.iter()
    }

    /// Returns the number of faults.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no faults.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the end of the last fault, or zero if there is none.
    pub fn end(&self) -> Duration {
        let ends = self.0.iter().map(|planned| planned.until.max(planned.from));
        ends.max().unwrap_or_default()
    }

    /// Returns the faults for which `keep` returns true. `keep` receives the index of each fault.
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

/// Parses a list of kinds of faults: `all`, `none`, or names separated by commas.
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
/// If a kind is unknown. The text lists all kinds.
pub fn kinds(list: &str) -> Result<Vec<FaultKind>, String> {
    match list {
        "all" => Ok(FaultKind::ALL.to_vec()),
        "none" | "" => Ok(Vec::new()),
        list => list.split(',').map(|name| name.trim().parse()).collect(),
    }
}
