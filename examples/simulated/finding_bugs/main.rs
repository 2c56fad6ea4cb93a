//! Planted bugs in a key-value store with a backup, and the seeds from which the simulation finds them.
//!
//!     cargo run --release --example finding_bugs
//!
//! For each bug the store is run from one seed after another, with other faults of the network and of the nodes each
//! time, until a check fails. There are two checks of the same runs. The full check compares every answer and every
//! value. The blind check compares only the last values of the keys that were put, and shows which bugs such a check
//! misses. Finally the faults are reduced to those that the failure needs.
//!
//! Options:
//!
//!     --seeds N     the maximum number of seeds for each bug (3000)
//!     --seed N      the first seed (0)
//!     --help        this text

mod store;

use lexopt::prelude::*;
use ropewalk_simulation::{Plan, World, shrink};
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use store::{Bug, FAULTS, LENGTH, NODES, Verdict, exploration, run, run_seed};
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
        show(format_args!("{:<53}{:>21}{:>21}\n", "planted bug", "full check", "blind check"))?;
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
            None => show(format_args!("\nwithout a bug no check fails from {count} seeds\n"))?,
            Some(Failed { seed, why, .. }) => {
                return Err(Failure::Run(format!("seed {seed}, without a bug: {why}")));
            }
        }
        Ok(())
    })
}

/// Prints the failure and the faults that it needs.
fn explain(bug: Bug, search: &Search) -> Result<(), Failure> {
    let Some(Failed { seed, why, .. }) = &search.full else {
        return Ok(());
    };
    let fails = |plan: &Plan, length: Duration| {
        run(&mut World::new(*seed), plan, length, Some(bug)).full.is_some()
    };
    let (plan, length) = shrink(exploration(0..0, FAULTS).plan(*seed, NODES), LENGTH, fails);
    show(format_args!("\n{bug}: seed {seed}, {why}\n"))?;
    match plan.len() {
        0 => show(format_args!("    It needs no fault.\n"))?,
        _ => show(format_args!("    It needs {length:.1?} and\n"))?,
    }
    for fault in plan.to_string().lines() {
        show(format_args!("    {fault}\n"))?;
    }
    Ok(())
}

/// The first failure of each check.
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
            let Verdict { full, blind } = run_seed(seed, FAULTS, bug);
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
