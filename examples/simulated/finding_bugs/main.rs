//! What the simulation finds: a key-value store with a backup, into which common mistakes are planted, each of
//! which is searched for.
//!
//!     cargo run --release --example finding_bugs
//!
//! For each mistake the store is played from one seed after another, with other faults of the network and
//! of the nodes each time, until a check fails. Two checks look at the same runs. The full one looks at
//! every answer and every value; the blind one compares only the last values of the keys that were put, and
//! shows what such a check does not see. Then the faults are shrunk to those that the failure needs.
//!
//! Options:
//!
//!     --seeds N     how many seeds are tried at most for each mistake (3000)
//!     --seed N      from which seed on (0)
//!     --help        this text

mod store;

use lexopt::prelude::*;
use ropewalk_simulation::{Plan, World, shrink};
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use store::{Bug, FAULTS, LENGTH, NODES, Verdict, exploration, play, play_seed};
use support::{Failure, show};

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |mut arguments| {
        let (mut first, mut count) = (0_u64, 3000);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("seeds") => count = support::at_least_one(&mut arguments)?,
                Long("seed") => first = arguments.value()?.parse()?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("off");
        let end = first.checked_add(u64::from(count));
        let end = end.ok_or_else(|| Failure::Usage(format!("no seeds follow {first}")))?;
        let seeds = first..end;
        show(format_args!("{:<53}{:>21}{:>21}\n", "planted mistake", "full check", "blind check"))?;
        let mut found = Vec::new();
        for bug in Bug::ALL {
            let search = Search::of(Some(bug), seeds.clone());
            let (full, blind) = (cell(&search.full), cell(&search.blind));
            show(format_args!("{bug:<53}{full:>21}{blind:>21}\n"))?;
            found.push((bug, search));
        }
        for (bug, search) in &found {
            explain(*bug, search)?;
        }
        let search = Search::of(None, seeds);
        match search.full.or(search.blind) {
            None => show(format_args!("\nwithout a mistake no check fails from {count} seeds\n"))?,
            Some(Failed { seed, why, .. }) => {
                return Err(Failure::Run(format!("seed {seed}, without a mistake: {why}")));
            }
        }
        Ok(())
    })
}

/// Says what failed, and what it needs.
fn explain(bug: Bug, search: &Search) -> Result<(), Failure> {
    let Some(Failed { seed, why, .. }) = &search.full else {
        return Ok(());
    };
    let fails = |plan: &Plan, length: Duration| {
        play(&mut World::new(*seed), plan, length, Some(bug)).full.is_some()
    };
    let (plan, length) = shrink(exploration(0..0, FAULTS).plan(*seed, NODES), LENGTH, fails);
    show(format_args!("\n{bug}: seed {seed}, {why}\n"))?;
    match plan.len() {
        0 => show(format_args!("    It needs no fault.\n"))?,
        _ => show(format_args!("    It needs {length:.1?}, and\n"))?,
    }
    for fault in plan.to_string().lines() {
        show(format_args!("    {fault}\n"))?;
    }
    Ok(())
}

/// The first failure, by each check.
struct Search {
    full: Option<Failed>,
    blind: Option<Failed>,
}

struct Failed {
    seed: u64,
    took: Duration,
    why: String,
}

impl Search {
    fn of(bug: Option<Bug>, seeds: Range<u64>) -> Self {
        let begin = Instant::now();
        let mut search = Self { full: None, blind: None };
        for seed in seeds {
            let Verdict { full, blind } = play_seed(seed, FAULTS, bug);
            let failed = |why| Failed { seed, took: begin.elapsed(), why };
            search.full = search.full.or_else(|| full.map(failed));
            search.blind = search.blind.or_else(|| blind.map(failed));
            if search.full.is_some() && search.blind.is_some() {
                break;
            }
        }
        search
    }
}

fn cell(failed: &Option<Failed>) -> String {
    match failed {
        Some(Failed { seed, took, .. }) => format!("seed {seed}, {took:.2?}"),
        None => "not found".to_owned(),
    }
}
