//! The `echo` row: messages are echoed, in seven shapes.

use super::sample::{self, BARE, Sample, Samples};
use super::{busy, microseconds, troubles};
use crate::Options;
use crate::load::{self, echo};
use crate::servers::Work;
use crate::table::{Table, grouped};
use std::error::Error;

/// A shape, and its title in the report.
struct Kind {
    title: &'static str,
    shape: echo::Shape,
    note: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        title: "Echo: 1 connection, 64 bytes, ping-pong",
        shape: echo::Shape::of_echoes(1, 64, 1),
        note: "bound by latency: each side waits for the other, and the server sleeps in between",
    },
    Kind {
        title: "Echo: 50 connections, 64 bytes, ping-pong",
        shape: echo::Shape::of_echoes(50, 64, 1),
        note: "",
    },
    Kind {
        title: "Echo: 1,000 connections, 64 bytes, ping-pong",
        shape: echo::Shape::of_echoes(1_000, 64, 1),
        note: "",
    },
    Kind {
        title: "Echo: 50 connections, 64 bytes, 16 deep",
        shape: echo::Shape::of_echoes(50, 64, 16),
        note: "each connection has 16 messages in flight",
    },
    Kind {
        title: "Echo: 50 connections, 64 KiB, ping-pong",
        shape: echo::Shape::of_echoes(50, 64 * 1024, 1),
        note: "",
    },
    Kind {
        title: "Echo: 8 connections, 64 KiB, 8 deep",
        shape: echo::Shape::of_echoes(8, 64 * 1024, 8),
        note: "each connection has half a megabyte in flight",
    },
    Kind {
        title: "Echo: 9,000 connections, 64 bytes, ping-pong",
        shape: echo::Shape::of_echoes(9_000, 64, 1),
        note: "",
    },
];

const COLUMNS: &[&str] = &[
    "server",
    "messages/s",
    "to bare",
    "MB/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "CPU ns/message",
    "to bare",
    "server busy",
    "load busy",
];

/// Measures all shapes, one table each. `--quick` leaves 9,000 connections out.
pub(super) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    // Connecting them takes as long as most of the other shapes.
    let soon = |kind: &&Kind| kind.shape.connections <= 1_000;
    KINDS
        .iter()
        .filter(|kind| !options.quick || soon(kind))
        .map(|kind| table(kind, options))
        .collect()
}

fn table(kind: &Kind, options: &Options) -> Result<Table, Box<dyn Error>> {
    let shape = load::Shape::Echo(kind.shape);
    let all = sample::compare(kind.title, Work::Echo, shape, options)?;
    let mut table = Table::new(kind.title, COLUMNS);
    if let Some(bare) = all.iter().find(|samples| samples.server.name == BARE) {
        let measured = all.iter().filter(|samples| !samples.rounds.is_empty());
        table.rows.extend(measured.map(|samples| row(samples, bare)));
    }
    table.notes.extend((!kind.note.is_empty()).then(|| kind.note.to_owned()));
    table.notes.extend(troubles(&all));
    Ok(table)
}

fn row(samples: &Samples, bare: &Samples) -> Vec<String> {
    let rate = |sample: &Sample| sample.stretch.rate();
    let megabytes = |sample: &Sample| {
        sample.stretch.bytes as f64 / sample.stretch.elapsed.as_secs_f64() / 1_000_000.0
    };
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| microseconds(samples, share));
    vec![
        samples.server.name.to_owned(),
        grouped(samples.median(rate)),
        format!("{:.3}", samples.ratio(bare, rate)),
        grouped(samples.median(megabytes)),
        p50,
        p99,
        p999,
        grouped(samples.median(Sample::cost)),
        format!("{:.3}", samples.ratio(bare, Sample::cost)),
        busy(samples.median(Sample::server_busy)),
        busy(samples.median(|sample| sample.stretch.busy())),
    ]
}
