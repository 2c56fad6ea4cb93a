//! The `connect` row: a client connects, receives one echo, and closes.

use super::sample::{self, BARE, Sample, Samples};
use super::{busy, microseconds, troubles};
use crate::Options;
use crate::load::{self, connect};
use crate::servers::Work;
use crate::table::{Table, grouped};
use std::error::Error;

const SHAPE: connect::Shape = connect::Shape { connections: 64 };

const COLUMNS: &[&str] = &[
    "server",
    "connections/s",
    "to bare",
    "p50 µs",
    "p99 µs",
    "CPU ns/connection",
    "to bare",
    "left behind",
    "server busy",
    "load busy",
];

/// Measures it, in one table.
pub(super) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let title = "Connect, one echo of 64 bytes, close: 64 clients at a time";
    let all = sample::compare(title, Work::Echo, load::Shape::Connect(SHAPE), options)?;
    let mut table = Table::new(title, COLUMNS);
    if let Some(bare) = all.iter().find(|samples| samples.server.name == BARE) {
        let measured = all.iter().filter(|samples| !samples.rounds.is_empty());
        table.rows.extend(measured.map(|samples| row(samples, bare)));
    }
    table.notes.push("left behind: descriptors still open after all clients have closed".into());
    table.notes.extend(troubles(&all));
    Ok(vec![table])
}

fn row(samples: &Samples, bare: &Samples) -> Vec<String> {
    let rate = |sample: &Sample| sample.stretch.rate();
    let left = samples.rounds.iter().map(|sample| sample.left_behind).max().unwrap_or(0);
    vec![
        samples.server.name.to_owned(),
        grouped(samples.median(rate)),
        format!("{:.3}", samples.ratio(bare, rate)),
        microseconds(samples, 0.5),
        microseconds(samples, 0.99),
        grouped(samples.median(Sample::cost)),
        format!("{:.3}", samples.ratio(bare, Sample::cost)),
        left.to_string(),
        busy(samples.median(Sample::server_busy)),
        busy(samples.median(|sample| sample.stretch.busy())),
    ]
}
