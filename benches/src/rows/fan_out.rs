//! The `fan-out` row: each line is sent to every other connection.

use super::sample::{self, BARE, Sample, Samples};
use super::{busy, microseconds, troubles};
use crate::Options;
use crate::load::{self, fan_out};
use crate::servers::Work;
use crate::table::{Table, grouped};
use std::error::Error;

/// A shape, and its title in the report.
struct Kind {
    title: &'static str,
    shape: fan_out::Shape,
    note: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        title: "Fan-out: 200 receivers, 1 line in flight",
        shape: fan_out::Shape { receivers: 200, senders: 1, lines: 1, names: false },
        note: "the server waits between the last delivery of a line and the next line; \
               the CPU a delivery has no such gap",
    },
    Kind {
        title: "Fan-out: 200 receivers, 10 senders of 16 lines",
        shape: fan_out::Shape { receivers: 200, senders: 10, lines: 16, names: false },
        note: "",
    },
    Kind {
        title: "Fan-out: 1,000 receivers, 4 senders of 4 lines",
        shape: fan_out::Shape { receivers: 1_000, senders: 4, lines: 4, names: false },
        note: "",
    },
];

/// Servers that broadcast by lines; all others broadcast by chunks.
const BY_LINES: [&str; 4] = ["ropewalk-lines", "ropewalk-chat", "tokio", "twisted"];

const BY_CHUNKS_NOTE: &str =
    "all lines that one read completes are forwarded at once; each peer's faster way";
const BY_LINES_NOTE: &str = "each line is split by the library's tool and sent by itself; the chat \
                             adds the sender's name, 8 bytes, before it";

/// Measures all shapes, two tables each: by chunks and by lines.
pub(super) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let mut tables = Vec::new();
    for kind in KINDS {
        let shape = load::Shape::FanOut(kind.shape);
        let all = sample::compare(kind.title, Work::Broadcast, shape, options)?;
        let (lines, chunks): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|samples| BY_LINES.contains(&samples.server.name));
        let bare = chunks.iter().find(|samples| samples.server.name == BARE);
        let to = ["tokio-chunks", "twisted-chunks"];
        tables.push(table(kind, "by chunks", &chunks, bare, to, BY_CHUNKS_NOTE));
        if !lines.is_empty() {
            tables.push(table(kind, "by lines", &lines, bare, ["tokio", "twisted"], BY_LINES_NOTE));
        }
    }
    Ok(tables)
}

fn table(
    kind: &Kind,
    way: &str,
    all: &[Samples],
    bare: Option<&Samples>,
    to: [&str; 2],
    note: &str,
) -> Table {
    let [first, second] = to.map(|name| format!("to {name}"));
    let columns = [
        "server",
        "deliveries/s",
        "to bare",
        &first,
        &second,
        "p50 µs",
        "p99 µs",
        "CPU ns/delivery",
        "to bare",
        "server busy",
        "load busy",
    ];
    let mut table = Table::new(format!("{}, {way}", kind.title), &columns);
    let named = |name: &str| all.iter().find(|samples| samples.server.name == name);
    let others = [bare, named(to[0]), named(to[1])];
    let measured = all.iter().filter(|samples| !samples.rounds.is_empty());
    table.rows.extend(measured.map(|samples| row(samples, others)));
    table.notes.push(note.to_owned());
    table.notes.push("p50 and p99: until every client has all lines that were sent at once".into());
    table.notes.extend((!kind.note.is_empty()).then(|| kind.note.to_owned()));
    table.notes.extend(troubles(all));
    table
}

/// One server's figures, and their ratios to the bare loop and to two other servers.
fn row(samples: &Samples, others: [Option<&Samples>; 3]) -> Vec<String> {
    let rate = |sample: &Sample| sample.stretch.rate();
    let [bare, first, second] = others.map(|other| other.filter(|it| !it.rounds.is_empty()));
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
        ratio(first, 2),
        ratio(second, 2),
        microseconds(samples, 0.5),
        microseconds(samples, 0.99),
        grouped(samples.median(Sample::cost)),
        cost,
        busy(samples.median(Sample::server_busy)),
        busy(samples.median(|sample| sample.stretch.busy())),
    ]
}
