//! Measures the five ways to write a server, with 1, 100 and 5,000 clients.
//!
//!     cargo run --release -p ropewalk-five-ways
//!
//! Each client sends a line, waits for the answer, and sends the next one. The table has the answers a second, the time in
//! which half and 99 of 100 answers arrived, the memory of the server and all its processes (proportional set size,
//! which counts shared pages once), its threads and its processes. Where taskset(1) exists, server and
//! clients have a processor each.
//!
//! Options:
//!
//!     --seconds COUNT   how long each is measured (3)
//!     --clients COUNT   this number of clients only
//!     --way NAME        this way only, such as way1_threads
//!     --demo            all ways, with a few clients for a moment
//!     --help            this text

mod clients;
mod server;

use clients::{Measured, measure};
use lexopt::prelude::*;
use server::Server;
use std::process::ExitCode;
use std::time::Duration;
use support::{Failure, complain, show};

const WAYS: [&str; 5] =
    ["way1_threads", "way2_processes", "way3_poll", "way4_callbacks", "way5_pool"];

const HEADER: &str = "\
| way | clients | answers/s | half within | 99 % within | memory, MB | threads | processes |
|---|---:|---:|---:|---:|---:|---:|---:|
";

fn main() -> ExitCode {
    support::main(include_str!("measure.rs"), |mut arguments| {
        let (mut time, mut counts) = (Duration::from_secs(3), vec![1, 100, 5000]);
        let mut ways = WAYS.to_vec();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("seconds") => {
                    time = Duration::from_secs(support::at_least_one(&mut arguments)?.into());
                }
                Long("clients") => counts = vec![support::at_least_one(&mut arguments)?],
                Long("way") => {
                    let name = arguments.value()?.string()?;
                    ways.retain(|way| *way == name);
                }
                Long("demo") => (time, counts) = (Duration::from_millis(200), vec![1, 20]),
                argument => return Err(support::other(argument)),
            }
        }
        if ways.is_empty() {
            return Err(Failure::Usage(format!("the ways are {}", WAYS.join(", "))));
        }
        show(format_args!("{HEADER}"))?;
        for count in counts {
            for way in &ways {
                row(way, count, time)?;
            }
        }
        Ok(())
    })
}

fn row(way: &str, count: u32, time: Duration) -> Result<(), Failure> {
    let server = Server::start(way)?;
    let Measured { answers, mut waits, took, use_of, lost } = measure(&server, count, time)?;
    if lost > 0 {
        complain(format_args!("{way}: {lost} of {count} clients lost their connection\n"));
    }
    waits.sort_unstable();
    let within = |part: usize| waits.get(waits.len().saturating_sub(1) * part / 100);
    let within = |part| within(part).map_or(f64::NAN, |time: &Duration| time.as_secs_f64() * 1e3);
    show(format_args!(
        "| `{way}` | {count} | {:.0} | {:.2} ms | {:.2} ms | {:.1} | {} | {} |\n",
        answers as f64 / took.as_secs_f64(),
        within(50),
        within(99),
        use_of.memory as f64 / 1e6,
        use_of.threads,
        use_of.processes,
    ))
}
