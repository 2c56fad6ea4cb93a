//! The `processors` row: what a second processor adds for a server, with one thread and with two.

use super::busy;
use super::sample::{self, Sample, Samples};
use crate::Options;
use crate::digest;
use crate::load::{Shape, echo};
use crate::output::complain;
use crate::servers::{SERVERS, Work};
use crate::system::processors;
use crate::table::{Table, grouped};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A shape, and its title in the report.
struct Kind {
    title: &'static str,
    work: Work,
    shape: echo::Shape,
    note: &'static str,
}

/// Enough connections that the queued work lasts until the sleeping load runs again.
const CONNECTIONS: usize = 200;

const KINDS: &[Kind] = &[
    Kind {
        title: "Processors: 200 connections, 64 bytes, a digest for each",
        work: Work::Digest,
        shape: echo::Shape::of_digests(CONNECTIONS),
        note: "The load and the system's work for it take a part of the second processor, so two \
               threads cannot be twice as fast as one; what the load took, its column says.",
    },
    Kind {
        title: "Processors: 200 connections, 64 bytes, ping-pong",
        work: Work::Echo,
        shape: echo::Shape::of_echoes(CONNECTIONS, 64, 1),
        note: "An echo costs the load as much as the server. So on two processors there is none left \
               for a second thread, and what is seen is who shares with the load better; only the CPU \
               a message is the server's.",
    },
];

const COLUMNS: &[&str] = &[
    "server",
    "messages/s",
    "to one thread",
    "to tokio-threads",
    "CPU ns/message",
    "server took",
    "load took",
];

/// One thread and several, for each framework.
const NAMES: [&str; 4] = ["ropewalk", "ropewalk-threads", "tokio", "tokio-threads"];

/// The suffix of servers with several threads.
const THREADS: &str = "-threads";

/// How much of a processor other programs may take before the report notes it. In a quick stretch a
/// tick is a sixth, so a lower limit would report chance.
const NOISE: f64 = 0.2;
const NOISE_IF_QUICK: f64 = 0.4;

/// Measures both shapes, one table each.
pub(super) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    if processors() < 2 {
        complain(format_args!("skipped: only one processor\n"));
        return Ok(Vec::new());
    }
    KINDS.iter().map(|kind| table(kind, options)).collect()
}

fn table(kind: &Kind, options: &Options) -> Result<Table, Box<dyn Error>> {
    let servers = SERVERS.iter().filter(|server| {
        NAMES.contains(&server.name) && (options.only.is_empty() || options.names(server))
    });
    let shape = Shape::Echo(kind.shape);
    let all = sample::compare_on_two(kind.title, servers, kind.work, shape, options)?;
    let mut table = Table::new(kind.title, COLUMNS);
    let measured = all.iter().filter(|samples| !samples.rounds.is_empty());
    table.rows.extend(measured.map(|samples| row(samples, &all)));
    table.notes.push(
        "The server may run on processors 0 and 1, the load anywhere; it sleeps when it has nothing \
         to do. Of two processors, what both took together is 200 % at most."
            .into(),
    );
    table.notes.push(kind.note.into());
    if kind.work == Work::Digest {
        let time = time_of_a_digest().as_secs_f64() * 1_000_000.0;
        table.notes.push(format!("A digest takes {time:.1} µs here, for every server."));
    }
    let others = all.iter().map(|samples| samples.median(Sample::others_took)).fold(0.0, f64::max);
    let noise = if options.quick { NOISE_IF_QUICK } else { NOISE };
    table.notes.extend((others > noise).then(|| {
        format!("not reliable: other programs took up to {} of a processor", busy(others))
    }));
    table.notes.extend(all.iter().filter_map(|samples| {
        let failure = samples.failure.as_ref()?;
        Some(format!("{} is excluded: {failure}", samples.server.name))
    }));
    Ok(table)
}

fn row(samples: &Samples, all: &[Samples]) -> Vec<String> {
    let name = samples.server.name;
    let ratio = |to: &str| {
        let other = all.iter().find(|other| other.server.name == to && !other.rounds.is_empty());
        other.map_or_else(
            || "-".to_owned(),
            |other| format!("{:.2}", samples.ratio(other, |sample| sample.stretch.rate())),
        )
    };
    vec![
        name.to_owned(),
        grouped(samples.median(|sample| sample.stretch.rate())),
        ratio(name.strip_suffix(THREADS).unwrap_or(name)),
        ratio("tokio-threads"),
        grouped(samples.median(Sample::cost)),
        busy(samples.median(Sample::server_busy)),
        busy(samples.median(Sample::load_took)),
    ]
}

/// Returns the shortest time of many, since an interruption only adds time.
fn time_of_a_digest() -> Duration {
    let time = |place: u8| {
        let start = Instant::now();
        black_box(digest::digest(&black_box([place; digest::SIZE])));
        start.elapsed()
    };
    (0..=u8::MAX).map(time).min().unwrap_or_default()
}
