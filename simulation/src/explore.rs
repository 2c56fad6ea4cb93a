//! The same thing from many seeds.

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

/// The chances with which a seed has a kind of fault at all.
const SHARES: [f64; 3] = [0.15, 0.5, 1.0];

/// Plays something from many seeds, each time with other faults, and if it fails once, says from which
/// seed, with which faults at least, and how to see it again.
///
/// The faults are those with which it fails in the same way: the texts of two failures are the same but for the
/// numbers in them. If fewer faults make it fail in another way, the report says so. If it does not fail
/// again from the same seed with the same faults, or takes another course, it is not deterministic: the report says
/// so, with the seed, the reason and all faults.
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
/// | `ROPEWALK_FAULTS` | with one seed, which of its faults are played: their places, as in `0,3`, or `none` |
/// | `ROPEWALK_LENGTH` | another length, in seconds, as in `2.5`; the faults stay those of the usual length |
/// | `ROPEWALK_TRACE` | if it is set, everything that happens is printed |
#[derive(Clone, Debug)]
pub struct Exploration {
    seeds: Range<u64>,
    kinds: Vec<FaultKind>,
    faults: usize,
    length: Duration,
    selection: Selection,
}

impl Exploration {
    /// From these seeds, unless the environment says otherwise; a minute each time, without faults.
    ///
    /// # Panics
    ///
    /// If the environment says what cannot be understood: see [above](Self#the-environment).
    pub fn new(seeds: Range<u64>) -> Self {
        Self::of(seeds, Selection::from_environment())
    }

    fn of(seeds: Range<u64>, selection: Selection) -> Self {
        let seeds = selection.seeds.clone().unwrap_or(seeds);
        let length = Duration::from_secs(60);
        Self { seeds, kinds: Vec::new(), faults: 0, length, selection }
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

    /// The places of the faults that are to be played.
    fn places(&self, plan: &Plan) -> Vec<usize> {
        if let Some(beyond) =
            self.selection.faults.iter().flatten().find(|place| **place >= plan.len())
        {
            panic!(
                "ROPEWALK_FAULTS has {beyond}, and the seed has {} faults, from 0 on",
                plan.len()
            );
        }
        (0..plan.len()).filter(|place| self.selection.has(*place)).collect()
    }

    /// The faults of a seed: none to the most that [`faults`](Self::faults) allows, of the kinds that the seed draws, for
    /// the first `nodes` nodes. [`run`](Self::run) plays them; a program that searches in its own way may do so too.
    pub fn plan(&self, seed: u64, nodes: u32) -> Plan {
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
}

/// A panic is a failure like any other.
fn attempt(
    world: &mut World,
    plan: &Plan,
    length: Duration,
    play: &impl Fn(&mut World, &Plan, Duration) -> Result<(), String>,
) -> Outcome {
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        let outcome = play(world, plan, length);
        // Callbacks come yet, as connections are lost.
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

    /// The report of the failure of a seed.
    fn told(seed: u64, play: impl Fn(&Plan, Duration) -> Result<(), String>) -> String {
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
    fn what_does_not_fail_again_is_told_with_its_seed_and_its_reason() {
        let runs = Cell::new(0);
        let text = told(39, |_, _| {
            runs.set(runs.get() + 1);
            if runs.get() == 1 { Err("the books do not balance".to_owned()) } else { Ok(()) }
        });
        assert!(text.starts_with("from the seed 39") && text.contains("do not balance"), "{text}");
        assert!(text.contains("not deterministic") && text.contains("it did not fail"), "{text}");
        assert!(text.contains("ROPEWALK_SEEDS=39 ") && text.contains(" s: "), "{text}");

        let text = told(39, |_, _| {
            runs.set(runs.get() + 1);
            Err(if runs.get() % 2 == 0 { "this way" } else { "that way" }.to_owned())
        });
        assert!(text.contains("another way: this way") && text.contains(": that way"), "{text}");
    }

    #[test]
    fn what_fails_again_on_another_trace_is_said_to_be_nondeterministic() {
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
        assert!(message(&*payload).contains("its trace was another"));
    }

    #[test]
    fn another_failure_that_fewer_faults_bring_about_is_told_beside_the_first() {
        let seed = (0..1000).find(|seed| {
            let exploration = Exploration::of(0..1, Selection::default());
            let plan = exploration.faults(FaultKind::ALL, 40).plan(*seed, 2);
            has(&plan, FaultKind::Loss) && has(&plan, FaultKind::Crash)
        });
        let text = told(seed.unwrap(), |plan, _| match has(plan, FaultKind::Loss) {
            _ if plan.is_empty() => Ok(()),
            true => Err(format!("{} bytes are missing", plan.len())),
            false => Err("somebody is waiting".to_owned()),
        });
        assert!(text.contains("and 1 of ") && text.contains("loss at node"), "{text}");
        assert!(text.contains("with these it fails so: 1 bytes are missing"), "{text}");
        assert!(text.contains("in another way: somebody is waiting"), "{text}");
    }

    #[test]
    fn what_is_selected_is_what_is_played() {
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
        assert!(message(&*beyond.unwrap_err()).contains("8 faults, from 0 on"));
    }
}
