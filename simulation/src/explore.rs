//! Runs from many seeds.

use crate::failure::{Failure, Outcome};
use crate::fault::FaultKind;
use crate::node::NodeId;
use crate::plan::Plan;
use crate::random::Random;
use crate::selection::Selection;
use crate::world::World;
use std::any::Any;
use std::env;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// The probabilities that a seed includes a kind of fault.
const SHARES: [f64; 3] = [0.15, 0.5, 1.0];

/// Runs a simulation from many seeds, each with other faults. If a run fails, reports the seed, the fewest faults
/// that fail, and how to reproduce it.
///
/// The reported faults cause the same failure: the texts of two failures are the same apart from numbers. If fewer
/// faults cause a different failure, the report contains it. If the failure does not occur again from the same
/// seed with the same faults, or with another trace, the run is not deterministic: the report contains this, the
/// seed, the reason and all faults.
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
/// # Environment variables
///
/// | Variable | Effect |
/// |---|---|
/// | `ROPEWALK_SEEDS` | other seeds: one, such as `17`, or a range, such as `0..100000` |
/// | `ROPEWALK_FAULTS` | with one seed, the indices of the faults to use, such as `0,3`, or `none` |
/// | `ROPEWALK_LENGTH` | another length, in seconds, such as `2.5`; the faults stay those of the original length |
/// | `ROPEWALK_TRACE` | if set, all records are printed |
#[derive(Clone, Debug)]
pub struct Exploration {
    seeds: Range<u64>,
    kinds: Vec<FaultKind>,
    faults: usize,
    length: Duration,
    selection: Selection,
}

impl Exploration {
    /// Runs from these seeds, or those of the environment, for a minute each, without faults.
    ///
    /// # Panics
    ///
    /// If an environment variable is invalid: see [above](Self#environment-variables).
    pub fn new(seeds: Range<u64>) -> Self {
        Self::of(seeds, Selection::from_environment())
    }

    fn of(seeds: Range<u64>, selection: Selection) -> Self {
        let seeds = selection.seeds.clone().unwrap_or(seeds);
        let length = Duration::from_secs(60);
        Self { seeds, kinds: Vec::new(), faults: 0, length, selection }
    }

    /// Adds up to `most` faults of these kinds. Each seed draws which of the kinds it includes, and then the
    /// faults.
    #[must_use]
    pub fn faults(mut self, kinds: &[FaultKind], most: usize) -> Self {
        (self.kinds, self.faults) = (kinds.to_vec(), most);
        self
    }

    /// Sets the length that `play` receives, which also limits the faults. Default: one minute.
    #[must_use]
    pub fn length(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// Runs `play` for each seed. `play` receives an empty world and a plan of faults for its first `nodes` nodes.
    /// It adds the nodes and the faults, runs the world, and checks the result. It must be deterministic.
    ///
    /// Returns the number of callbacks in all runs.
    ///
    /// # Panics
    ///
    /// If a run fails: with an error, or by a panic, including that of a [callback](World#a-panic-fails-the-run).
    pub fn run(
        &self,
        nodes: u32,
        play: impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
    ) -> u64 {
        let begin = Instant::now();
        let length = self.selection.length.unwrap_or(self.length);
        let mut callbacks = 0;
        for seed in self.seeds.clone() {
            let plan = self.plan(seed, nodes);
            let places = self.places(&plan);
            let played = plan.only(|place| places.contains(&place));
            let mut world = self.world(seed);
            let Outcome { result, trace } = attempt(&mut world, &played, length, &play);
            callbacks += world.callbacks();
            drop(world);
            if let Err(why) = result {
                let play =
                    &|plan: &Plan, length| attempt(&mut World::new(seed), plan, length, &play);
                let tried = seed - self.seeds.start + 1;
                let failure = Failure { seed, tried, why, trace, plan, places, length, play };
                panic!("{}", failure.report());
            }
        }
        let (count, took) = (self.seeds.end - self.seeds.start, begin.elapsed());
        println!("{count} seeds, {callbacks} callbacks in {took:.1?}");
        callbacks
    }

    fn world(&self, seed: u64) -> World {
        let mut world = World::new(seed);
        if env::var_os("ROPEWALK_TRACE").is_some() {
            world.on_record(|record| println!("{record}"));
        }
        world
    }

    /// Returns the indices of the faults to use.
    fn places(&self, plan: &Plan) -> Vec<usize> {
        if let Some(beyond) =
            self.selection.faults.iter().flatten().find(|place| **place >= plan.len())
        {
            panic!(
                "ROPEWALK_FAULTS contains {beyond}, but the seed has {} faults, starting at 0",
                plan.len()
            );
        }
        (0..plan.len()).filter(|place| self.selection.has(*place)).collect()
    }

    /// Returns the faults of a seed: up to the maximum of [`faults`](Self::faults), of the kinds that the seed
    /// includes, for the first `nodes` nodes. [`run`](Self::run) uses them; a program with a search of its own can
    /// do the same.
    pub fn plan(&self, seed: u64, nodes: u32) -> Plan {
        let count = seed as usize % (self.faults + 1);
        Plan::draw(seed, &self.swarm(seed), count, self.length, (0..nodes).map(NodeId))
    }

    /// Draws the kinds of faults that a seed includes: few, half or all of them. A state that requires several
    /// faults of two kinds is rarely reached with equal shares of twenty kinds, and some kinds hide the effects of
    /// others (Groce and others, "Swarm Testing", ISSTA 2012).
    fn swarm(&self, seed: u64) -> Vec<FaultKind> {
        let mut random = Random::of(seed, u64::MAX, 1);
        let share = *random.choose(&SHARES);
        let kept = self.kinds.iter().copied().filter(|_| random.chance(share));
        match kept.collect::<Vec<_>>() {
            kept if kept.is_empty() => self.kinds.clone(),
            kept => kept,
        }
    }
}

/// Runs `play`. A panic is a failure.
fn attempt(
    world: &mut World,
    plan: &Plan,
    length: Duration,
    play: &impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
) -> Outcome {
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        let outcome = play(world, plan, length);
        // Lost connections cause further callbacks.
        world.close();
        world.propagate_panic();
        outcome
    }));
    let failed = |payload: Box<dyn Any + Send>| Err(format!("a panic: {}", message(&*payload)));
    Outcome { result: played.unwrap_or_else(failed), trace: world.trace() }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;

    #[test]
    #[should_panic(expected = "loss at node")]
    fn the_report_has_the_seed_and_fewest_faults() {
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
    fn seeds_include_different_kinds_of_faults() {
        let exploration = Exploration::new(0..1).faults(FaultKind::ALL, 8);
        let kinds = |seed| -> BTreeSet<FaultKind> {
            exploration.plan(seed, 4).iter().map(|planned| planned.fault.kind).collect()
        };
        let seeds = || (0..300).filter(|seed| seed % 9 == 8); // seeds with eight faults
        assert!(seeds().any(|seed| kinds(seed).len() <= 3), "few kinds, repeated");
        assert!(seeds().any(|seed| kinds(seed).len() >= 7), "many kinds");
        assert_eq!((0..300).flat_map(kinds).collect::<BTreeSet<_>>().len(), FaultKind::ALL.len());
        let alone = Exploration::new(0..1).faults(&[FaultKind::Loss], 1);
        assert!((0..300).all(|seed| alone.plan(seed, 1).len() == seed as usize % 2));
    }

    /// Returns the report of a seed that fails.
    fn report_of(seed: u64, play: impl Fn(&Plan, Duration) -> Result<(), String>) -> String {
        let exploration = Exploration::of(seed..seed + 1, Selection::default());
        let exploration = exploration.faults(FaultKind::ALL, 40);
        let run = || exploration.run(2, |_world, plan, length| play(plan, length));
        let payload = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("it fails");
        message(&*payload).to_owned()
    }

    fn has(plan: &Plan, kind: FaultKind) -> bool {
        plan.iter().any(|planned| planned.fault.kind == kind)
    }

    #[test]
    fn an_unreproducible_failure_is_reported() {
        let runs = Cell::new(0);
        let text = report_of(39, |_, _| {
            runs.set(runs.get() + 1);
            if runs.get() == 1 { Err("the totals do not balance".to_owned()) } else { Ok(()) }
        });
        assert!(text.starts_with("seed 39 failed") && text.contains("do not balance"), "{text}");
        assert!(text.contains("not deterministic") && text.contains("it did not fail"), "{text}");
        assert!(text.contains("ROPEWALK_SEEDS=39 ") && text.contains(" s: "), "{text}");

        let text = report_of(39, |_, _| {
            runs.set(runs.get() + 1);
            Err(if runs.get() % 2 == 0 { "one failure" } else { "other failure" }.to_owned())
        });
        assert!(
            text.contains("differently: one failure") && text.contains(": other failure"),
            "{text}"
        );
    }

    #[test]
    fn a_failure_with_another_trace_is_reported_nondeterministic() {
        let runs = Cell::new(0);
        let exploration = Exploration::of(0..1, Selection::default());
        let run = || {
            exploration.run(1, |world, _plan, _length| {
                runs.set(runs.get() + 1);
                (0..runs.get()).for_each(|_| _ = world.add_node("node", |_| Ok(())));
                Err("it fails".to_owned())
            })
        };
        let payload = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("it fails");
        assert!(message(&*payload).contains("its trace was different"));
    }

    #[test]
    fn a_different_failure_with_fewer_faults_is_reported() {
        let seed = (0..1000).find(|seed| {
            let exploration = Exploration::of(0..1, Selection::default());
            let plan = exploration.faults(FaultKind::ALL, 40).plan(*seed, 2);
            has(&plan, FaultKind::Loss) && has(&plan, FaultKind::Crash)
        });
        let text = report_of(seed.unwrap(), |plan, _| match has(plan, FaultKind::Loss) {
            _ if plan.is_empty() => Ok(()),
            true => Err(format!("{} bytes are missing", plan.len())),
            false => Err("a client is waiting".to_owned()),
        });
        assert!(text.contains("with 1 of ") && text.contains("loss at node"), "{text}");
        assert!(
            text.contains("with these faults it fails as follows: 1 bytes are missing"),
            "{text}"
        );
        assert!(text.contains("differently: a client is waiting"), "{text}");
    }

    #[test]
    fn the_selection_determines_the_run() {
        let selection =
            |faults| Selection { seeds: Some(8..9), faults, length: Some(Duration::from_secs(3)) };
        let plan = |faults| {
            let exploration = Exploration::of(0..1, selection(faults)).faults(FaultKind::ALL, 8);
            let played = RefCell::new(None);
            exploration.run(2, |world, plan, length| {
                assert_eq!((world.seed(), length), (8, Duration::from_secs(3)));
                played.replace(Some(plan.clone()));
                Ok(())
            });
            played.take().expect("a run")
        };
        let all = plan(None);
        assert_eq!(all.len(), 8);
        assert_eq!(plan(Some(vec![1, 6])), all.only(|place| place == 1 || place == 6));
        assert!(plan(Some(vec![])).is_empty());
        let beyond = panic::catch_unwind(AssertUnwindSafe(|| plan(Some(vec![8]))));
        assert!(message(&*beyond.unwrap_err()).contains("8 faults, starting at 0"));
    }
}
