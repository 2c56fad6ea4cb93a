//! The rows of the report, one file each.

mod calls;
mod connect;
mod echo;
mod exact;
mod fan_out;
mod memory;
mod processors;
mod sample;
mod simulation;
mod timers;

use crate::Options;
use crate::table::Table;
use sample::{Sample, Samples};
use std::error::Error;

/// A row of the report.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is measured, in a few words.
    pub(crate) what: &'static str,
    /// Measures it.
    pub(crate) measure: Measure,
}

/// Measures as the options say. Returns one table or several.
type Measure = fn(&Options) -> Result<Vec<Table>, Box<dyn Error>>;

/// All rows, in the report's order.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "echo", what: "each message is echoed", measure: echo::measure },
    Row {
        name: "fan-out",
        what: "each line is sent to every other connection",
        measure: fan_out::measure,
    },
    Row { name: "processors", what: "two processors against one", measure: processors::measure },
    Row { name: "connect", what: "connect, one echo, close", measure: connect::measure },
    Row { name: "timers", what: "schedule, cancel, fire", measure: timers::measure },
    Row { name: "calls", what: "calls from other threads", measure: calls::measure },
    Row { name: "memory", what: "resident bytes a connection", measure: memory::measure },
    Row { name: "simulation", what: "simulated callbacks", measure: simulation::measure },
    Row { name: "exact", what: "instructions and system calls", measure: exact::measure },
];

/// Returns the median of the rounds' latencies, at this quantile.
fn microseconds(samples: &Samples, quantile: f64) -> String {
    let latency = samples.median(|sample| sample.stretch.latency(quantile).as_secs_f64());
    format!("{:.1}", latency * 1_000_000.0)
}

/// Formats a share of a processor's time.
fn busy(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Returns notes: on each server that failed, on servers that the load did not keep busy, and on
/// other programs that disturbed the measurement.
fn troubles(all: &[Samples]) -> Vec<String> {
    let failure = |samples: &Samples| {
        let (name, rounds) = (samples.server.name, samples.rounds.len());
        let failure = samples.failure.as_ref()?;
        Some(format!("{name} is excluded after {rounds} rounds: {failure}"))
    };
    let lazy: Vec<_> = all
        .iter()
        .filter(|samples| samples.median(Sample::server_busy) < SATURATED)
        .map(|samples| samples.server.name)
        .collect();
    let lazy = (!lazy.is_empty())
        .then(|| format!("not busy all the time, so compare their CPU: {}", lazy.join(", ")));
    let disturbed = |samples: &&Samples| samples.median(Sample::disturbance) > 0.0;
    let names: Vec<_> = all.iter().filter(disturbed).map(|samples| samples.server.name).collect();
    let most = all.iter().map(|samples| samples.median(Sample::disturbance)).fold(0.0, f64::max);
    let noise = (!names.is_empty()).then(|| {
        format!(
            "not reliable for {}: other programs took up to {} of a processor; use an idle machine",
            names.join(", "),
            busy(most)
        )
    });
    all.iter().filter_map(failure).chain(lazy).chain(noise).collect()
}

/// A server that is busy for less of the time could do more.
const SATURATED: f64 = 0.95;
