//! Random scripts: drawn from a seed, run on real sockets and in the simulation, and compared. The protocols must
//! observe the same, step by step.
//!
//! | Variable | Effect |
//! |---|---|
//! | `ROPEWALK_SEEDS` | other seeds: one, such as `17`, or a range, such as `0..20000` |

mod actors;
mod draw;
mod observations;
mod options;
mod script;
mod steps;

use crate::environment::Environment;
use observations::Observed;
use ropewalk_simulation::seeds;
use script::Script;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};
use steps::Stage;

/// The time limit of a step on real sockets, so that a broken one ends.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The number of turns without events that end a step on real sockets.
const CALM: u32 = 3;

/// The number of runs on real sockets before a difference counts. A difference that another run does not show is
/// not determined by the script, but by a busy machine.
const PLAYS: u32 = 3;

/// The number of scripts that run at the same time. On real sockets they mostly wait.
const WORKERS: usize = 4;

/// The observations of each step.
fn simulate(script: &Script) -> Vec<Observed> {
    let environment = Environment::simulated(if script.run_with_two_reactors { 2 } else { 1 });
    let mut stage = Stage::new(environment, script);
    let steps = script.steps.iter().map(|step| {
        stage.begin(step);
        loop {
            let before = stage.notes.event();
            stage.environment.settle();
            if stage.notes.event() == before {
                return stage.notes.observed();
            }
        }
    });
    steps.collect()
}

/// Returns those on real sockets, up to the first step that differs from the expected ones.
fn run(script: &Script, expected: &[Observed]) -> Vec<Observed> {
    let environment = Environment::real(if script.run_with_two_reactors { 2 } else { 1 });
    let mut stage = Stage::new(environment, script);
    let mut observed = Vec::new();
    for (step, expected) in script.steps.iter().zip(expected) {
        stage.begin(step);
        observed.push(settle(&mut stage, expected));
        if observed.last() != Some(expected) {
            break;
        }
    }
    observed
}

/// Runs until the expected events have occurred, and no more occur.
fn settle(stage: &mut Stage, expected: &Observed) -> Observed {
    let (begin, mut calm) = (Instant::now(), 0);
    loop {
        let before = stage.notes.event();
        stage.environment.turn(Duration::from_millis(1));
        calm = if stage.notes.event() == before { calm + 1 } else { 0 };
        let observed = stage.notes.observed();
        if calm >= CALM && (observed == *expected || begin.elapsed() > TIME_LIMIT) {
            return observed;
        }
    }
}

/// Returns the differences.
fn compare(script: &Script) -> Result<(), String> {
    let simulated = simulate(script);
    let mut real = Vec::new();
    for _ in 0..PLAYS {
        real = run(script, &simulated);
        if real == simulated {
            return Ok(());
        }
    }
    Err(report(script, &real, &simulated))
}

fn report(script: &Script, real: &[Observed], simulated: &[Observed]) -> String {
    let mut text = format!("{script}\n");
    for (number, (real, simulated)) in real.iter().zip(simulated).enumerate() {
        if real == simulated {
            _ = writeln!(text, "step {number}, both: {real:?}");
            continue;
        }
        _ = writeln!(text, "step {number} differs: {:?}", script.steps[number]);
        let all: BTreeSet<_> = real.keys().chain(simulated.keys()).collect();
        for who in all {
            let (real, simulated) = (real.get(who), simulated.get(who));
            let mark = if real == simulated { "  both" } else { "  DIFFERS" };
            _ = writeln!(text, "{mark} {who}\n    real      {real:?}\n    simulated {simulated:?}");
        }
    }
    text
}

#[test]
fn random_scripts_behave_as_on_real_sockets() {
    let seeds = seeds(0..60);
    thread::scope(|scope| {
        for first in 0..WORKERS {
            let seeds = seeds.clone().skip(first).step_by(WORKERS);
            scope.spawn(|| seeds.for_each(play));
        }
    });
}

fn play(seed: u64) {
    let script = draw::draw(seed);
    if let Err(wrong) = compare(&script) {
        panic!("seed {seed}: to play it again, set ROPEWALK_SEEDS={seed}\n{wrong}");
    }
}
