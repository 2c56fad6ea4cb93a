//! Plans of what goes wrong.

use crate::fault::{Fault, FaultKind};
use crate::node::NodeId;
use crate::random::Random;
use std::fmt;
use std::time::Duration;

/// A fault, and when it begins and ends, counted from when it is
/// [added](crate::World::add_faults) to a world.
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

    /// When the last of them ends; zero, if there is none.
    pub fn end(&self) -> Duration {
        let ends = self.0.iter().map(|planned| planned.until.max(planned.from));
        ends.max().unwrap_or_default()
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
