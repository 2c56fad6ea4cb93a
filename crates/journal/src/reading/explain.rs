//! Records in sentences, chained by what follows from what.

use crate::reading::text::full_name;
use crate::reading::{Failure, Filter, read};
use ropewalk::Id;
use ropewalk::backend::Readiness;
use ropewalk::journal::{CallOutcome, Record, StopPhase, SystemCall, WaitLimit, What, short_name};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::Duration;

/// Writes the selected records in sentences, one for each record. Those about one socket that follow from an event, a
/// timer or a call form a line, with arrows between them. Returns the number of records in the file.
///
/// # Errors
///
/// Those of [`read`].
pub fn write_explanation(
    file: impl Read,
    filter: &Filter,
    out: &mut impl Write,
) -> Result<u64, Failure> {
    let (mut chain, mut words) = (Chain::default(), Words::default());
    let count = read(file, |record| {
        words.learn(record);
        if !filter.passes(record) {
            return Ok(());
        }
        if chain.ends_before(record) {
            chain.write(out)?;
            chain.begin(record, &words);
        }
        chain.add(record, words.sentence(record, chain.last_read));
        Ok(())
    });
    chain.write(out).map_err(Failure::Write)?;
    count
}

/// A line: sentences about one socket.
#[derive(Default)]
struct Chain {
    node: String,
    id: Option<Id>,
    time: Duration,
    sentences: Vec<String>,
    /// It began with an event.
    is_event: bool,
    /// The number of bytes of the last sentence, if it is about a read.
    last_read: Option<u32>,
    /// The last sentences say what comes next.
    has_end: bool,
}

impl Chain {
    /// Returns true if the record begins a new line.
    fn ends_before(&self, record: &Record<'_>) -> bool {
        match record.what {
            What::Waited => self.sentences.is_empty() || record.id != self.id,
            // It belongs to the event of a listener.
            What::Made => self.sentences.is_empty() || record.node != self.node,
            _ => is_cause(&record.what) || record.id != self.id || record.node != self.node,
        }
    }

    fn begin(&mut self, record: &Record<'_>, words: &Words) {
        *self = Self { node: record.node.to_owned(), id: record.id, ..Self::default() };
        self.time = record.time;
        self.is_event = matches!(record.what, What::Event(_));
        if let Some(id) = record.id
            && !matches!(record.what, What::Event(_) | What::Made)
        {
            self.sentences.push(format!("on {}", words.socket(record.node, id)));
        }
    }

    fn add(&mut self, record: &Record<'_>, sentence: String) {
        self.id = record.id;
        self.last_read = match record.what {
            What::Syscall(SystemCall::Receive, CallOutcome::Bytes(count)) => Some(count),
            _ => None,
        };
        self.has_end |= match record.what {
            What::Syscall(SystemCall::Send, outcome) => outcome == CallOutcome::WouldBlock,
            What::Queued | What::Freed => true,
            _ => false,
        };
        self.sentences.push(sentence);
    }

    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.sentences.is_empty() {
            return Ok(());
        }
        if self.is_event && self.sentences.len() > 1 && !self.has_end {
            self.sentences.push("nothing is left to do".to_owned());
        }
        let (seconds, nanos) = (self.time.as_secs(), self.time.subsec_nanos());
        write!(out, "{seconds:>5}.{nanos:09} ")?;
        if !self.node.is_empty() {
            write!(out, "{:<10} ", self.node)?;
        }
        let line = self.sentences.join(" → ");
        self.sentences.clear();
        // The socket of a line without an event is no sentence of its own.
        writeln!(
            out,
            "{}",
            match line.strip_prefix("on ") {
                Some(_) => line.replacen(" → ", ": ", 1),
                None => line,
            }
        )
    }
}

/// Returns true if nothing before the record has caused it.
fn is_cause(what: &What) -> bool {
    matches!(
        what,
        What::TurnBegins(..)
            | What::TurnEnds
            | What::Event(_)
            | What::Woken
            | What::Signalled
            | What::TimerFired(..)
            | What::Arrived(_)
            | What::Signal(_)
            | What::Stop(_)
            | What::Missing(_)
    )
}

/// What the sockets are.
#[derive(Default)]
struct Words {
    sockets: BTreeMap<(String, Id), &'static str>,
}

impl Words {
    fn learn(&mut self, record: &Record<'_>) {
        let Some(id) = record.id else { return };
        let word = match record.what {
            What::Made => "connection",
            What::Syscall(SystemCall::Accept, _) => "listener",
            What::Syscall(SystemCall::Connect, _) => "connection attempt",
            _ => return,
        };
        self.sockets.insert((record.node.to_owned(), id), word);
    }

    fn socket(&self, node: &str, id: Id) -> String {
        let word = self.sockets.get(&(node.to_owned(), id)).copied().unwrap_or("socket");
        format!("{word} {id}")
    }

    /// Returns the sentence of a record. `read` is the number of bytes that the sentence before is about.
    fn sentence(&self, record: &Record<'_>, read: Option<u32>) -> String {
        match record.what {
            What::TurnBegins(limit, why) => wait(limit, why),
            What::Waited => "the wait returns".to_owned(),
            What::TurnEnds => "the turn ends".to_owned(),
            What::Event(readiness) => self.event(record, readiness),
            What::Woken => "the kernel reports that a thread has woken the reactor".to_owned(),
            What::Signalled => "the kernel reports a signal".to_owned(),
            What::Syscall(call, outcome) => system(call, outcome),
            What::Called(callback, bytes) => {
                let name = full_name(record, callback);
                match bytes {
                    0 => format!("{name} is called"),
                    bytes if Some(bytes) == read => format!("{name} is called with them"),
                    bytes => format!("{name} is called with {}", count(bytes, "byte")),
                }
            }
            What::Returned(took) => format!("it returns after {took:?}"),
            What::Panicked(callback) => format!("{} panics", full_name(record, callback)),
            What::TimerFired(job, number) => format!("timer {number} fires: {}", job.name()),
            What::Arrived(sent) => format!("a thread has sent {}", sent.name()),
            What::Made => match record.id {
                Some(id) => format!("{} is made", self.socket(record.node, id)),
                None => "a connection is made".to_owned(),
            },
            What::Local(local) => format!("its own address is {local}"),
            What::Peer(peer) => format!("its peer is {peer}"),
            What::Lost(reason) => format!("the connection has ended: {reason}"),
            What::Owned => format!("{} becomes its callback object", short_name(record.name)),
            What::Stop(phase) => stop(phase),
            what => plain(&what),
        }
    }

    fn event(&self, record: &Record<'_>, readiness: Readiness) -> String {
        let has = |bits| readiness & bits == bits;
        let is = match (readiness.has(Readiness::READABLE), readiness.has(Readiness::WRITABLE)) {
            (true, true) => "is readable and writable",
            (true, false) => "is readable",
            (false, true) => "is writable",
            (false, false) => "has an event",
        };
        let ended = if has(Readiness::ENDED) { " and its peer has ended" } else { "" };
        let failed =
            if has(Readiness::FAILED) { ", and an error or the end of both sides" } else { "" };
        let socket = record.id.map(|id| self.socket(record.node, id));
        let socket = socket.unwrap_or_else(|| "a socket".to_owned());
        format!("the kernel reports that {socket} {is}{ended}{failed}")
    }
}

fn wait(limit: Option<Duration>, why: WaitLimit) -> String {
    let most = limit.unwrap_or(Duration::MAX);
    match why {
        WaitLimit::Unlimited => "the reactor waits for an event".to_owned(),
        WaitLimit::Timer => format!("the reactor waits for an event or {most:?} for a timer"),
        WaitLimit::Work => "the reactor polls without a wait, since work is left".to_owned(),
        WaitLimit::Calls => "the reactor polls without a wait, since calls have arrived".to_owned(),
        WaitLimit::Again => "the reactor polls again before it flushes a broadcast".to_owned(),
        _ => format!("the reactor waits for an event, at most {most:?}"),
    }
}

fn system(call: SystemCall, outcome: CallOutcome) -> String {
    match (call, outcome) {
        (SystemCall::Receive, CallOutcome::Bytes(1)) => "1 byte is read".to_owned(),
        (SystemCall::Receive, CallOutcome::Bytes(bytes)) => format!("{bytes} bytes are read"),
        (SystemCall::Receive, CallOutcome::Eof) => "recv(2) reports the end".to_owned(),
        (SystemCall::Send, CallOutcome::Bytes(bytes)) => {
            format!("send(2) takes {}", count(bytes, "byte"))
        }
        (SystemCall::Send, CallOutcome::WouldBlock) => {
            "send(2) would block: the rest waits until it is writable".to_owned()
        }
        (SystemCall::Accept, CallOutcome::Done) => "accept(2) returns a connection".to_owned(),
        (SystemCall::Accept, CallOutcome::WouldBlock) => "accept(2) has no more".to_owned(),
        (SystemCall::Connect, CallOutcome::Done) => "connect(2) has succeeded".to_owned(),
        (SystemCall::Shutdown, CallOutcome::Done) => "shutdown(2) ends the own side".to_owned(),
        (call, CallOutcome::WouldBlock) => format!("{}(2) would block", call.name()),
        (call, CallOutcome::Failed(_)) => format!("{}(2) has {outcome}", call.name()),
        (call, outcome) => format!("{}(2) returns: {outcome}", call.name()),
    }
}

fn stop(phase: StopPhase) -> String {
    match phase {
        StopPhase::Requested => "a stop is requested".to_owned(),
        StopPhase::Draining => "the stop waits for peers".to_owned(),
        StopPhase::OnHold => "holds delay the stop".to_owned(),
        phase => phase.name().to_owned(),
    }
}

/// Returns the sentence of a record that needs only its numbers.
fn plain(what: &What) -> String {
    match *what {
        What::Deferred => "a deferred callback is due".to_owned(),
        What::Held => "a callback is held for the next turn".to_owned(),
        What::Resolved(0) => "the look-up has failed".to_owned(),
        What::Resolved(found) => format!("the look-up has found {}", count(found, "address")),
        What::Signal(number) => format!("signal {number} is handled"),
        What::Queued => "work is left: it enters the ready queue".to_owned(),
        What::Crossed(true, bytes) => format!("{bytes} bytes are queued, above the high mark"),
        What::Crossed(false, bytes) => format!("{bytes} bytes are queued, below the low mark"),
        What::Freed => "its slot is freed".to_owned(),
        What::Closing(0) => "it closes".to_owned(),
        What::Closing(bytes) => format!("it closes when {} are sent", count(bytes, "byte")),
        What::Flushed(1) => "1 connection was flushed".to_owned(),
        What::Flushed(others) => format!("{others} connections were flushed"),
        What::Noted(number) => format!("the program marks the journal with {number}"),
        What::Missing(records) => format!("{records} records are missing here"),
        ref what => what.to_string(),
    }
}

fn count(number: u32, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number if what.ends_with('s') => format!("{number} {what}es"),
        number => format!("{number} {what}s"),
    }
}
