//! An evening in the chat on a simulated network where everything goes wrong, from a seed.
//!
//!     cargo run --release --example simulation -- --seed 7
//!
//! The chat's own code runs on simulated sockets; so do its guests, on nodes of their own. They come, talk,
//! change rooms, whisper and doze, while the network loses, delays, cuts and resets what it can. In the end
//! it is looked whether anybody has heard what he should not have, or not heard what he should.
//! The last line is the hash of everything that happened: the same for the same seed and options.
//!
//! Options:
//!
//!     --seed N           what is left to chance is drawn from it (1)
//!     --nodes N          how many nodes there are beside the server, each with three guests (5)
//!     --faults LIST      all (unless told otherwise), none, or names with commas between
//!     --count N          how many faults there are (20)
//!     --seconds N        how long the evening is (60)
//!     --trace            prints everything that happens
//!     --only WORD        with --trace: only lines that contain WORD, a node's name say; may be repeated
//!     --help             this text

#[path = "support/evening.rs"]
mod evening;
mod support;

use lexopt::prelude::*;
use ropewalk_simulation::{FaultKind, NodeId, Plan, World, kinds};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::Failure;

fn main() -> ExitCode {
    support::main(include_str!("simulation.rs"), |mut arguments| {
        let (mut seed, mut nodes, mut count, mut seconds) = (1, 5, 20, 60);
        let (mut faults, mut trace, mut only) = (FaultKind::ALL.to_vec(), false, Vec::new());
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("seed") => seed = arguments.value()?.parse()?,
                Long("nodes") => nodes = support::at_least_one(&mut arguments)?,
                Long("faults") => {
                    faults = kinds(&arguments.value()?.string()?).map_err(Failure::Usage)?;
                }
                Long("count") => count = arguments.value()?.parse()?,
                Long("seconds") => seconds = support::at_least_one(&mut arguments)?,
                Long("trace") => trace = true,
                Long("only") => only.push(arguments.value()?.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("off");
        let length = Duration::from_secs(seconds.into());
        let mut world = World::new(seed);
        if trace {
            world.on_record(move |record| {
                let line = record.to_string();
                if only.iter().all(|word| line.contains(word)) {
                    let _ = support::show(format_args!("{line}\n"));
                }
            });
        }
        let plan = Plan::draw(seed, &faults, count, length, (0..=nodes).map(NodeId::from));
        support::show(format_args!(
            "seed {seed}: a server, {nodes} nodes, {} faults\n",
            plan.len()
        ))?;
        if !plan.is_empty() {
            support::show(format_args!("{}\n", plan.to_string().trim_end()))?;
        }
        let begin = Instant::now();
        let outcome = evening::spend(&mut world, nodes, &plan, length);
        let took = begin.elapsed();
        let report = outcome.map_err(|why| {
            let least = "fewer nodes, faults or seconds may show it as well";
            Failure::Run(format!("{why}\nthe same options show it again, with --trace; {least}"))
        })?;
        support::show(format_args!("{report}\n"))?;
        let (callbacks, now) = (world.callbacks(), world.now());
        support::show(format_args!(
            "callbacks         {callbacks:>9}  in {now:.0?} of simulated time\n"
        ))?;
        support::complain(format_args!("it took {took:.2?}"));
        support::show(format_args!(
            "nobody has heard what he should not have, nor missed what he should not\n"
        ))?;
        support::show(format_args!("trace {}\n", world.trace()))?;
        Ok(())
    })
}
