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

mod evening;

use lexopt::prelude::*;
use ropewalk_simulation::{FaultKind, NodeId, Plan, World, kinds};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::Failure;

/// More take gigabytes of memory before anything happens.
const MOST_NODES: u32 = 10_000;

/// What is asked for.
struct Wishes {
    seed: u64,
    nodes: u32,
    count: usize,
    seconds: u32,
    faults: Vec<FaultKind>,
    trace: bool,
    only: Vec<String>,
}

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |mut arguments| {
        let faults = FaultKind::ALL.to_vec();
        let (trace, only) = (false, Vec::new());
        let mut wishes = Wishes { seed: 1, nodes: 5, count: 20, seconds: 60, faults, trace, only };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("seed") => wishes.seed = arguments.value()?.parse()?,
                Long("nodes") => {
                    wishes.nodes = support::up_to(MOST_NODES, "nodes", &mut arguments)?;
                }
                Long("faults") => {
                    wishes.faults = kinds(&arguments.value()?.string()?).map_err(Failure::Usage)?;
                }
                Long("count") => wishes.count = arguments.value()?.parse()?,
                Long("seconds") => wishes.seconds = support::at_least_one(&mut arguments)?,
                Long("trace") => wishes.trace = true,
                Long("only") => wishes.only.push(arguments.value()?.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("off");
        play(wishes)
    })
}

fn play(wishes: Wishes) -> Result<(), Failure> {
    let Wishes { seed, nodes, count, seconds, faults, trace, only } = wishes;
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
    let faults = plan.len();
    support::show(format_args!("seed {seed}: a server, {nodes} nodes, {faults} faults\n"))?;
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
    let (callbacks, now) = (world.callbacks(), world.now());
    support::complain(format_args!("it took {took:.2?}"));
    support::show(format_args!(
        "{report}\n\
         callbacks         {callbacks:>9}  in {now:.0?} of simulated time\n\
         no guest has heard or missed a line against the rules\n\
         trace {}\n",
        world.trace()
    ))
}
