//! The same thing from many seeds.

use crate::fault::FaultKind;
use crate::node::NodeId;
use crate::plan::Plan;
use crate::random::Random;
use crate::shrink::shrink;
use crate::world::World;
use std::any::Any;
use std::env;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// The chances with which a seed has a kind of fault at all.
const SHARES: [f64; 3] = [0.15, 0.5, 1.0];

/// Plays something from many seeds, each time with other faults, and if it fails once, says from which
/// seed, with which faults at least, and how to see it again.
///
/// ```
/// use ropewalk_simulation::{Exploration, FaultKind};
/// use std::time::Duration;
///
/// Exploration::new(0..10)
///     .faults(&[FaultKind::Loss, FaultKind::Latency], 3)
///     .length(Duration::from_secs(5))
///     .run(2, |world, plan, length| {
///         world.add_node("server", |_reactor| Ok(()));
///         world.add_node("client", |_reactor| Ok(()));
///         world.add_faults(plan);
///         world.run_for(length);
///         match world.now() >= length {
///             true => Ok(()),
///             false => Err("time stands still".to_owned()),
///         }
///     });
/// ```
///
/// # The environment
///
/// | Variable | What it does |
/// |---|---|
/// | `ROPEWALK_SEEDS` | other seeds: one, as in `17`, or from one up to another, as in `0..100000` |
/// | `ROPEWALK_TRACE` | if it is set, everything that happens is printed |
#[derive(Clone, Debug)]
pub struct Exploration {
    seeds: Range<u64>,
    kinds: Vec<FaultKind>,
    faults: usize,
    length: Duration,
}

impl Exploration {
    /// From these seeds, unless the environment says otherwise; a minute each time, without faults.
    pub fn new(seeds: Range<u64>) -> Self {
        let seeds = env::var("ROPEWALK_SEEDS").map_or(seeds, |text| parse(&text));
        Self { seeds, kinds: Vec::new(), faults: 0, length: Duration::from_secs(60) }
    }

    /// With up to `most` faults of these kinds. Each seed draws which of the kinds it has at all, and the
    /// faults from those.
    #[must_use]
    pub fn faults(mut self, kinds: &[FaultKind], most: usize) -> Self {
        (self.kinds, self.faults) = (kinds.to_vec(), most);
        self
    }

    /// How long the faults may last, and what `play` is given as its length.
    #[must_use]
    pub fn length(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// Plays it. `play` is given an empty world and a plan for its first `nodes` nodes; it adds them, adds the
    /// faults, runs, and looks what has become of it. It must do the same each time.
    ///
    /// Returns how many callbacks there were, all together.
    ///
    /// # Panics
    ///
    /// If it fails from one of the seeds: with an error, or by a panic, also one of a
    /// [callback](World#a-panic-fails-the-run).
    pub fn run(
        &self,
        nodes: u32,
        play: impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
    ) -> u64 {
        let begin = Instant::now();
        let traces = env::var_os("ROPEWALK_TRACE").is_some();
        let mut callbacks = 0;
        for seed in self.seeds.clone() {
            let mut world = World::new(seed);
            if traces {
                world.on_record(|record| println!("{record}"));
            }
            let plan = self.plan(seed, nodes);
            let outcome = attempt(&mut world, &plan, self.length, &play);
            callbacks += world.callbacks();
            drop(world);
            if let Err(why) = outcome {
                self.report(seed, plan, &why, &play);
            }
        }
        let (count, took) = (self.seeds.end - self.seeds.start, begin.elapsed());
        println!("{count} seeds, {callbacks} callbacks in {took:.1?}");
        callbacks
    }

    /// The faults of a seed: none to `faults` of them, so that the rare and the calm are seen as well.
    fn plan(&self, seed: u64, nodes: u32) -> Plan {
        let count = seed as usize % (self.faults + 1);
        Plan::draw(seed, &self.swarm(seed), count, self.length, (0..nodes).map(NodeId))
    }

    /// The kinds of faults that a seed has at all: a few, half or all of them. A state that takes several
    /// faults of two kinds is rarely reached where each of twenty kinds has its share, and some kinds hide
    /// what others bring about (Groce and others, "Swarm Testing", ISSTA 2012).
    fn swarm(&self, seed: u64) -> Vec<FaultKind> {
        let mut random = Random::of(seed, u64::MAX, 1);
        let share = *random.choose(&SHARES);
        let kept = self.kinds.iter().copied().filter(|_| random.chance(share));
        match kept.collect::<Vec<_>>() {
            kept if kept.is_empty() => self.kinds.clone(),
            kept => kept,
        }
    }

    fn report(
        &self,
        seed: u64,
        plan: Plan,
        why: &str,
        play: &impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
    ) -> ! {
        let tried = seed - self.seeds.start + 1;
        let (plan, length) = shrink(plan, self.length, |plan, length| {
            attempt(&mut World::new(seed), plan, length, play).is_err()
        });
        let faults = match plan.is_empty() {
            true => "no fault at all\n".to_owned(),
            false => plan.to_string(),
        };
        panic!(
            "from the seed {seed}, the {tried}. that was tried: {why}\n\
             it takes {length:.3?} and {faults}\
             to see it again, run this test alone with ROPEWALK_SEEDS={seed} and ROPEWALK_TRACE=1"
        );
    }
}

/// A panic is a failure like any other.
fn attempt(
    world: &mut World,
    plan: &Plan,
    length: Duration,
    play: &impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
) -> Result<(), String> {
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        let outcome = play(world, plan, length);
        // Callbacks come yet, as connections are lost.
        world.close();
        world.pass_panic_on();
        outcome
    }));
    played.unwrap_or_else(|payload| Err(format!("a panic: {}", message(&*payload))))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn parse(text: &str) -> Range<u64> {
    let number = |text: &str| text.trim().parse().ok();
    let seeds = match text.split_once("..") {
        Some((from, to)) => number(from).zip(number(to)),
        None => number(text).map(|seed: u64| (seed, seed + 1)),
    };
    let (from, to) = seeds.expect("ROPEWALK_SEEDS is a seed, `17`, or a range of them, `0..1000`");
    from..to
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use std::collections::BTreeSet;

    #[test]
    #[should_panic(expected = "loss at node")]
    fn what_fails_is_told_with_its_seed_and_the_least_that_it_takes() {
        let is_loss = |fault: &Fault| fault.kind == FaultKind::Loss;
        let exploration = Exploration::new(0..200).faults(FaultKind::ALL, 9);
        exploration.run(2, |_world, plan, _length| {
            match plan.iter().any(|planned| is_loss(&planned.fault)) {
                true => Err("it fails".to_owned()),
                false => Ok(()),
            }
        });
    }

    #[test]
    fn each_seed_has_some_kinds_of_faults_only_and_every_kind_is_had_by_some() {
        let exploration = Exploration::new(0..1).faults(FaultKind::ALL, 8);
        let kinds = |seed| -> BTreeSet<FaultKind> {
            exploration.plan(seed, 4).iter().map(|planned| planned.fault.kind).collect()
        };
        let seeds = || (0..300).filter(|seed| seed % 9 == 8); // those with eight faults
        assert!(seeds().any(|seed| kinds(seed).len() <= 3), "a few kinds, again and again");
        assert!(seeds().any(|seed| kinds(seed).len() >= 7), "all sorts at once");
        assert_eq!((0..300).flat_map(kinds).collect::<BTreeSet<_>>().len(), FaultKind::ALL.len());
        let alone = Exploration::new(0..1).faults(&[FaultKind::Loss], 1);
        assert!((0..300).all(|seed| alone.plan(seed, 1).len() == seed as usize % 2));
    }

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(parse("17"), 17..18);
        assert_eq!(parse("3..9"), 3..9);
    }
}
