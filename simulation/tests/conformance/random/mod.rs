//! Scripts at random: drawn from a seed, played on real sockets and in the simulation, and compared. What the
//! protocols observe must be the same, step by step.
//!
//! | Variable | What it does |
//! |---|---|
//! | `ROPEWALK_SEEDS` | other seeds: one, as in `17`, or from one up to another, as in `0..20000` |

mod actors;
mod draw;
mod notes;
mod options;
mod play;
mod script;

use crate::ground::Ground;
use notes::Observed;
use play::Stage;
use ropewalk_simulation::seeds;
use script::Script;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How long real sockets may take for a step: a fail-safe, not a measure.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many turns without news end a step on real sockets.
const CALM: u32 = 3;

/// How often a script is played on real sockets before a difference counts. What another play does not show,
/// the script does not determine: a busy machine did it.
const PLAYS: u32 = 3;

/// What was observed in each step.
fn simulate(script: &Script) -> Vec<Observed> {
    let ground = Ground::simulated(if script.apart { 2 } else { 1 });
    let mut stage = Stage::new(ground, script);
    let steps = script.steps.iter().map(|step| {
        stage.begin(step);
        loop {
            let before = stage.notes.heard();
            stage.ground.settle();
            if stage.notes.heard() == before {
                return stage.notes.observed();
            }
        }
    });
    steps.collect()
}

/// The same on real sockets, up to the first step that differs from what is expected.
fn play(script: &Script, expected: &[Observed]) -> Vec<Observed> {
    let ground = Ground::real(if script.apart { 2 } else { 1 });
    let mut stage = Stage::new(ground, script);
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

/// Goes on until what is expected has come, and nothing more comes.
fn settle(stage: &mut Stage, expected: &Observed) -> Observed {
    let (begin, mut calm) = (Instant::now(), 0);
    loop {
        let before = stage.notes.heard();
        stage.ground.turn(Duration::from_millis(1));
        calm = if stage.notes.heard() == before { calm + 1 } else { 0 };
        let observed = stage.notes.observed();
        if calm >= CALM && (observed == *expected || begin.elapsed() > PATIENCE) {
            return observed;
        }
    }
}

/// What differs.
fn compare(script: &Script) -> Result<(), String> {
    let simulated = simulate(script);
    let mut real = Vec::new();
    for _ in 0..PLAYS {
        real = play(script, &simulated);
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
fn a_random_script_is_observed_alike_on_real_sockets_and_in_the_simulation() {
    for seed in seeds(0..60) {
        let script = draw::draw(seed);
        if let Err(wrong) = compare(&script) {
            panic!("seed {seed}: to play it again, set ROPEWALK_SEEDS={seed}\n{wrong}");
        }
    }
}
