//! The chat on a simulated network with faults, from a seed.
//!
//!     cargo run --release --example simulation -- --seed 7
//!
//! The chat's code runs on simulated sockets, with clients on other nodes. The clients connect, send lines, change
//! rooms and pause reading, while the network loses and delays data and resets connections. At the end the
//! program checks that each client has received the lines of its rooms, and no others. The last line is the hash
//! of the trace: the same for the same seed and options.
//!
//! Options:
//!
//!     --seed N           the seed of all random choices (1)
//!     --nodes N          the number of nodes with clients, three on each (5)
//!     --faults LIST      all, none, or names with commas between (all)
//!     --count N          the number of faults (20)
//!     --seconds N        the length of the run in simulated time (60)
//!     --journal FILE     writes the journals of all nodes; ropewalk-journal reads them
//!     --trace            prints the trace
//!     --only WORD        with --trace: only lines that contain WORD, such as a node's name; may be repeated
//!     --help             this text

mod workload;

use lexopt::prelude::*;
use ropewalk_simulation::{FaultKind, NodeId, Plan, World, kinds};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::Failure;

/// The limit for `--nodes`. More nodes take gigabytes of memory.
const MOST_NODES: u32 = 10_000;

/// The options on the command line.
struct Options {
    seed: u64,
    nodes: u32,
    count: usize,
    seconds: u32,
    faults: Vec<FaultKind>,
    journal: Option<PathBuf>,
    trace: bool,
    only: Vec<String>,
}

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |mut arguments| {
        let faults = FaultKind::ALL.to_vec();
        let (journal, trace, only) = (None, false, Vec::new());
        let mut options =
            Options { seed: 1, nodes: 5, count: 20, seconds: 60, faults, journal, trace, only };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("seed") => options.seed = arguments.value()?.parse()?,
                Long("nodes") => {
                    options.nodes = support::up_to(MOST_NODES, "nodes", &mut arguments)?;
                }
                Long("faults") => {
                    options.faults =
                        kinds(&arguments.value()?.string()?).map_err(Failure::Usage)?;
                }
                Long("count") => options.count = arguments.value()?.parse()?,
                Long("seconds") => options.seconds = support::at_least_one(&mut arguments)?,
                Long("journal") => options.journal = Some(arguments.value()?.into()),
                Long("trace") => options.trace = true,
                Long("only") => options.only.push(arguments.value()?.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("off");
        simulate(options)
    })
}

fn simulate(options: Options) -> Result<(), Failure> {
    let Options { seed, nodes, count, seconds, faults, journal, trace, only } = options;
    let length = Duration::from_secs(seconds.into());
    let mut world = World::new(seed);
    if let Some(path) = journal {
        world.write_journal(BufWriter::new(File::create(path)?));
    }
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
    let outcome = workload::run(&mut world, nodes, &plan, length);
    let took = begin.elapsed();
    let report = outcome.map_err(|why| {
        let least = "fewer nodes, faults or seconds may be enough";
        Failure::Run(format!("{why}\nreproducible by the same options, also with --trace; {least}"))
    })?;
    let (callbacks, now) = (world.callbacks(), world.now());
    support::complain(format_args!("real time: {took:.2?}"));
    support::show(format_args!(
        "{report}\n\
         callbacks         {callbacks:>9}  in {now:.0?} of simulated time\n\
         all clients have received their lines, and no others\n\
         trace {}\n",
        world.trace()
    ))
}
