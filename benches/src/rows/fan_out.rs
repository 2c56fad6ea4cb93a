//! Fan-out: each line goes to every other connection.

use super::sample::{self, Sample, Samples};
use super::{busy, microseconds, troubles};
use crate::Options;
use crate::load::{self, fan_out};
use crate::servers::Work;
use crate::table::{Table, grouped};
use std::error::Error;

/// What is sent, and how the report calls it.
struct Kind {
    title: &'static str,
    shape: fan_out::Shape,
    note: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        title: "Fan-out: 200 receivers, 1 line in flight",
        shape: fan_out::Shape { receivers: 200, senders: 1, lines: 1 },
        note: "the server waits between the last delivery of a line and the next line; \
               the CPU a delivery has no such gap",
    },
    Kind {
        title: "Fan-out: 200 receivers, 10 senders of 16 lines",
        shape: fan_out::Shape { receivers: 200, senders: 10, lines: 16 },
        note: "",
    },
    Kind {
        title: "Fan-out: 1,000 receivers, 4 senders of 4 lines",
        shape: fan_out::Shape { receivers: 1_000, senders: 4, lines: 4 },
        note: "",
    },
];

const COLUMNS: &[&str] = &[
    "server",
    "deliveries/s",
    "to bare",
    "to tokio",
    "to twisted",
    "p50 µs",
    "p99 µs",
    "CPU ns/delivery",
    "to bare",
    "server busy",
    "load busy",
];

/// Measures all shapes, a table each.
pub(super) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    KINDS.iter().map(|kind| table(kind, options)).collect()
}

fn table(kind: &Kind, options: &Options) -> Result<Table, Box<dyn Error>> {
    let shape = load::Shape::FanOut(kind.shape);
    let all = sample::compare(kind.title, Work::Broadcast, shape, options)?;
    let mut table = Table::new(kind.title, COLUMNS);
    let measured = all.iter().filter(|samples| !samples.rounds.is_empty());
    table.rows.extend(measured.map(|samples| row(samples, &all)));
    table.notes.push("p50 and p99: until everyone has all lines that were sent at once".into());
    table.notes.extend((!kind.note.is_empty()).then(|| kind.note.to_owned()));
    table.notes.extend(troubles(&all));
    Ok(table)
}

fn row(samples: &Samples, all: &[Samples]) -> Vec<String> {
    let rate = |sample: &Sample| sample.stretch.rate();
    let [bare, tokio, twisted] = ["bare", "tokio", "twisted"]
        .map(|name| all.iter().find(|other| other.server.name == name && !other.rounds.is_empty()));
    let ratio = |other: Option<&Samples>, digits: usize| match other {
        Some(other) => format!("{:.digits$}", samples.ratio(other, rate)),
        None => "-".to_owned(),
    };
    let cost = match bare {
        Some(bare) => format!("{:.3}", samples.ratio(bare, Sample::cost)),
        None => "-".to_owned(),
    };
    vec![
        samples.server.name.to_owned(),
        grouped(samples.median(rate)),
        ratio(bare, 3),
        ratio(tokio, 2),
        ratio(twisted, 2),
        microseconds(samples, 0.5),
        microseconds(samples, 0.99),
        grouped(samples.median(Sample::cost)),
        cost,
        busy(samples.median(Sample::server_busy)),
        busy(samples.median(|sample| sample.stretch.busy())),
    ]
}
