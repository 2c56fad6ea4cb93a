//! What is measured: one file for each row of the report.

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

/// One of the things that are measured.
#[derive(Debug)]
pub(crate) struct Row {
    /// What the user calls it.
    pub(crate) name: &'static str,
    /// What is measured, in a few words.
    pub(crate) what: &'static str,
    /// Measures it.
    pub(crate) measure: Measure,
}

/// Measures for as long as the options say; what comes of it is one table or a few.
type Measure = fn(&Options) -> Result<Vec<Table>, Box<dyn Error>>;

/// All of them, in the report's order.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "echo", what: "what comes back is what was sent", measure: echo::measure },
    Row { name: "fan-out", what: "each line goes to everyone else", measure: fan_out::measure },
    Row { name: "processors", what: "two of them against one", measure: processors::measure },
    Row { name: "connect", what: "come, one echo, go", measure: connect::measure },
    Row { name: "timers", what: "schedule, cancel, fire", measure: timers::measure },
    Row { name: "calls", what: "calls from other threads", measure: calls::measure },
    Row { name: "memory", what: "resident bytes a connection", measure: memory::measure },
    Row {
        name: "simulation",
        what: "callbacks in a world of our own",
        measure: simulation::measure,
    },
    Row { name: "exact", what: "instructions and system calls", measure: exact::measure },
];

/// The median of the rounds' latencies, at this quantile.
fn microseconds(samples: &Samples, quantile: f64) -> String {
    let latency = samples.median(|sample| sample.stretch.latency(quantile).as_secs_f64());
    format!("{:.1}", latency * 1_000_000.0)
}

/// A share of a processor's time.
fn busy(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A word about each server that could not be measured, or not to the end; about those that the load
/// has not kept busy; and about the machine, if somebody else was at work on it.
fn troubles(all: &[Samples]) -> Vec<String> {
    let failure = |samples: &Samples| {
        let (name, rounds) = (samples.server.name, samples.rounds.len());
        let failure = samples.failure.as_ref()?;
        Some(format!("{name} is left out after {rounds} rounds: {failure}"))
    };
    let lazy: Vec<_> = all
        .iter()
        .filter(|samples| samples.median(Sample::server_busy) < SATURATED)
        .map(|samples| samples.server.name)
        .collect();
    let lazy = (!lazy.is_empty()).then(|| {
        format!("had nothing to do at times, so judge them by their CPU: {}", lazy.join(", "))
    });
    let disturbed = |samples: &&Samples| samples.median(Sample::disturbance) > 0.0;
    let names: Vec<_> = all.iter().filter(disturbed).map(|samples| samples.server.name).collect();
    let most = all.iter().map(|samples| samples.median(Sample::disturbance)).fold(0.0, f64::max);
    let noise = (!names.is_empty()).then(|| {
        format!(
            "do not trust this of {}: other programs took up to {} of a processor; let the machine rest",
            names.join(", "),
            busy(most)
        )
    });
    all.iter().filter_map(failure).chain(lazy).chain(noise).collect()
}

/// A server that is busy for less of the time could do more.
const SATURATED: f64 = 0.95;
