//! Statistics of a journal.

use crate::reading::text::full_name;
use crate::reading::{Failure, read};
use ropewalk::Id;
use ropewalk::journal::{CallOutcome, Record, SystemCall, What};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::Duration;

/// How many of the longest turns are listed.
const LONGEST: usize = 5;

/// Writes statistics of all records: turns, waits, callbacks, bytes, connections, and what is missing. Returns the number
/// of records in the file.
///
/// # Errors
///
/// Those of [`read`].
pub fn write_statistics(file: impl Read, out: &mut impl Write) -> Result<u64, Failure> {
    let mut statistics = Statistics::default();
    let count = read(file, |record| {
        statistics.see(record);
        Ok(())
    });
    statistics.write(out).map_err(Failure::Write)?;
    count
}

#[derive(Default)]
struct Statistics {
    records: u64,
    missing: u64,
    nodes: BTreeMap<String, Node>,
    turns: Vec<Duration>,
    /// The longest turns, with their begin and their node.
    longest: Vec<(Duration, Duration, String)>,
    events: u64,
    callbacks: BTreeMap<String, Calls>,
    /// Records by their text: what needs no more than a count.
    counts: BTreeMap<String, u64>,
    received: u64,
    sent: u64,
}

/// The state of one reactor.
#[derive(Default)]
struct Node {
    /// When the first wait began, and the last turn ended.
    begin: Option<Duration>,
    end: Duration,
    /// When the wait of the present turn returned.
    turn: Option<Duration>,
    /// The callback that was called last.
    last: Option<(Option<Id>, String)>,
}

#[derive(Default)]
struct Calls {
    count: u64,
    bytes: u64,
    durations: Vec<Duration>,
}

impl Statistics {
    fn see(&mut self, record: &Record<'_>) {
        self.records += 1;
        if !self.nodes.contains_key(record.node) {
            self.nodes.insert(record.node.to_owned(), Node::default());
        }
        match record.what {
            What::TurnBegins(..) | What::Waited | What::TurnEnds => self.see_turn(record),
            What::Event(_) | What::Woken | What::Signalled => self.events += 1,
            What::Called(callback, bytes) => {
                let name = full_name(record, callback);
                let calls = self.callbacks.entry(name.clone()).or_default();
                calls.count += 1;
                calls.bytes += u64::from(bytes);
                self.node(record).last = Some((record.id, name));
            }
            What::Returned(took) => {
                if let Some((id, name)) = self.node(record).last.take()
                    && id == record.id
                {
                    self.callbacks.entry(name).or_default().durations.push(took);
                }
            }
            What::Syscall(SystemCall::Receive, CallOutcome::Bytes(count)) => {
                self.received += u64::from(count);
                self.count("reads with data");
            }
            What::Syscall(SystemCall::Send, CallOutcome::Bytes(count)) => {
                self.sent += u64::from(count);
                self.count("writes with data");
            }
            What::Missing(count) => self.missing += count,
            ref what => self.see_rare(what),
        }
    }

    fn see_rare(&mut self, what: &What) {
        match what {
            What::Syscall(SystemCall::Send, CallOutcome::WouldBlock) => {
                self.count("writes that would block")
            }
            What::Syscall(call, outcome @ CallOutcome::Failed(_)) => {
                self.count(&format!("{} {outcome}", call.name()));
            }
            What::Made => self.count("connections made"),
            What::Lost(reason) => self.count(&format!("connections lost: {reason}")),
            What::Queued => self.count("put into the ready queue"),
            What::Held => self.count("callbacks held for the next turn"),
            What::Panicked(callback) => self.count(&format!("panics in {}", callback.name())),
            What::TimerFired(job, _) => self.count(&format!("timers: {}", job.name())),
            What::Arrived(sent) => self.count(&format!("arrived from a thread: {}", sent.name())),
            What::Crossed(true, _) => self.count("above the high mark"),
            What::Signal(number) => self.count(&format!("signal {number}")),
            _ => {}
        }
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn node(&mut self, record: &Record<'_>) -> &mut Node {
        self.nodes.entry(record.node.to_owned()).or_default()
    }

    fn see_turn(&mut self, record: &Record<'_>) {
        let node = self.nodes.entry(record.node.to_owned()).or_default();
        match record.what {
            What::TurnBegins(..) => _ = node.begin.get_or_insert(record.time),
            What::Waited => _ = node.turn.get_or_insert(record.time),
            _ => {
                node.end = record.time;
                if let Some(began) = node.turn.take() {
                    let took = record.time.saturating_sub(began);
                    self.turns.push(took);
                    self.longest.push((took, began, record.node.to_owned()));
                    self.longest.sort_by_key(|turn| std::cmp::Reverse(turn.0));
                    self.longest.truncate(LONGEST);
                }
            }
        }
    }

    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{:>10}  records, {} missing", self.records, self.missing)?;
        let (worked, count) = (self.turns.iter().sum::<Duration>(), self.turns.len());
        writeln!(out, "{count:>10}  turns: {}", percentiles(&mut self.turns))?;
        let spans =
            self.nodes.values().filter_map(|node| Some(node.end.saturating_sub(node.begin?)));
        let total = spans.sum::<Duration>().as_secs_f64();
        let idle = if total > 0.0 { 100.0 - 100.0 * worked.as_secs_f64() / total } else { 0.0 };
        writeln!(out, "{idle:>9.1}%  of {total:.3} s outside of turns")?;
        let events = self.events as f64 / count.max(1) as f64;
        writeln!(out, "{events:>10.2}  events a turn, {} in all", self.events)?;
        writeln!(out, "{:>10}  bytes received", self.received)?;
        writeln!(out, "{:>10}  bytes sent", self.sent)?;
        for (what, count) in &self.counts {
            writeln!(out, "{count:>10}  {what}")?;
        }
        writeln!(out, "\n     calls       bytes  callback")?;
        for (name, calls) in &mut self.callbacks {
            write!(out, "{:>10}  {:>10}  {name}", calls.count, calls.bytes)?;
            match calls.durations.is_empty() {
                true => writeln!(out)?,
                false => writeln!(out, ": {}", percentiles(&mut calls.durations))?,
            }
        }
        writeln!(out, "\nlongest turns, and when they began")?;
        for (took, began, node) in &self.longest {
            let space = if node.is_empty() { "" } else { "  " };
            writeln!(
                out,
                "{:>12}  {:.9}{space}{node}",
                format!("{took:.1?}"),
                began.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

/// Returns the percentiles of durations as text.
fn percentiles(durations: &mut [Duration]) -> String {
    durations.sort_unstable();
    let Some(last) = durations.len().checked_sub(1) else { return "none".to_owned() };
    let at = |percent: usize| durations[last * percent / 100];
    let [median, most, nearly_all, longest] = [50, 90, 99, 100].map(at);
    format!("median {median:.1?}, 90 % {most:.1?}, 99 % {nearly_all:.1?}, longest {longest:.1?}")
}
