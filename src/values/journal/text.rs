//! Records as text: one line each.

use crate::values::journal::names::WaitLimit;
use crate::values::journal::record::{CallOutcome, Record, What};
use crate::values::readiness::Readiness;
use std::fmt::{self, Write};
use std::io;

/// Formats it as a line: the time in seconds, the node if there are several, the socket, the type without its modules,
/// and what happened. A missing part is a hyphen, so the columns can be selected.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.time.as_secs(), self.time.subsec_nanos());
        write!(f, "{seconds:>5}.{nanos:09} ")?;
        if !self.node.is_empty() {
            write!(f, "{:<10} ", self.node)?;
        }
        match self.id {
            Some(id) => write!(f, "{:<8} ", id.to_string())?,
            None => f.write_str("-        ")?,
        }
        let name = if self.name.is_empty() { "-".to_owned() } else { short_name(self.name) };
        write!(f, "{name:<12} {}", self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TurnBegins(_, why @ WaitLimit::Again) => write!(f, "looks again: {}", why.name()),
            Self::TurnBegins(Some(limit), why) => {
                write!(f, "turn begins, waits up to {limit:?}: {}", why.name())
            }
            Self::TurnBegins(None, why) => write!(f, "turn begins, waits {}", why.name()),
            Self::Waited => f.write_str("wait returned"),
            Self::TurnEnds => f.write_str("turn ends"),
            Self::Event(readiness) => write!(f, "event {}", Bits(*readiness)),
            Self::Woken => f.write_str("event woken by a thread"),
            Self::Signalled => f.write_str("event signal"),
            Self::Syscall(call, outcome) => write!(f, "{} {outcome}", call.name()),
            Self::Called(callback, 0) => f.write_str(callback.name()),
            Self::Called(callback, bytes) => write!(f, "{} {bytes} bytes", callback.name()),
            Self::Returned(took) => write!(f, "returned after {took:?}"),
            Self::Panicked(callback) => write!(f, "PANIC in {}", callback.name()),
            Self::Deferred => f.write_str("deferred callback is due"),
            Self::Held => f.write_str("callback held for the next turn"),
            Self::TimerFired(job, number) => write!(f, "timer {number} fired: {}", job.name()),
            Self::Arrived(sent) => write!(f, "arrived from a thread: {}", sent.name()),
            Self::Resolved(0) => f.write_str("look-up failed"),
            Self::Resolved(count) => write!(f, "look-up found {count} addresses"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Exited(Ok(status)) => write!(f, "process exited with status {status}"),
            Self::Exited(Err(signal)) => write!(f, "process ended by signal {signal}"),
            Self::Queued => f.write_str("queued: work is left"),
            Self::Crossed(true, bytes) => write!(f, "above the high mark: {bytes} bytes queued"),
            Self::Crossed(false, bytes) => write!(f, "below the low mark: {bytes} bytes queued"),
            Self::Made => f.write_str("connected"),
            Self::Local(local) => write!(f, "local address {local}"),
            Self::Peer(peer) => write!(f, "peer {peer}"),
            Self::Lost(reason) => write!(f, "lost: {reason}"),
            Self::Freed => f.write_str("slot freed"),
            Self::Owned => f.write_str("callback object set"),
            Self::Closing(bytes) => write!(f, "closing, {bytes} bytes queued"),
            Self::Stop(phase) => write!(f, "stop: {}", phase.name()),
            Self::Flushed(1) => f.write_str("flush of 1 connection"),
            Self::Flushed(count) => write!(f, "flush of {count} connections"),
            Self::Noted(number) => write!(f, "mark {number}"),
            Self::Missing(count) => write!(f, "{count} records are missing"),
        }
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(count) => write!(f, "{count} bytes"),
            Self::Done => f.write_str("done"),
            Self::WouldBlock => f.write_str("would block"),
            Self::Eof => f.write_str("end of stream"),
            Self::Failed(0) => f.write_str("failed"),
            Self::Failed(number) => write!(f, "failed: {}", io::Error::from_raw_os_error(*number)),
        }
    }
}

/// The names of the bits of a readiness.
struct Bits(Readiness);

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Readiness::READABLE, "readable"),
            (Readiness::WRITABLE, "writable"),
            (Readiness::HAS_ENDED, "ended"),
            (Readiness::HAS_FAILED, "failed"),
        ];
        let mut names = names.into_iter().filter(|(bit, _)| self.0.has(*bit)).map(|(_, name)| name);
        f.write_str(names.next().unwrap_or("without a bit"))?;
        names.try_for_each(|name| f.write_char('+').and_then(|()| f.write_str(name)))
    }
}

/// Returns the name of a type or function without its modules: `Lines<Chatter>` of `a::Lines<b::c::Chatter>`. A closure
/// keeps its function: `main::{{closure}}`.
pub fn short_name(name: &str) -> String {
    if let Some(function) = name.strip_suffix("::{{closure}}") {
        return format!("{}::{{{{closure}}}}", short_name(function));
    }
    let punctuation = ['<', '>', ',', ' ', '(', ')', '&', '[', ']'];
    let parts = name.split_inclusive(punctuation);
    parts.map(|part| part.rsplit("::").next().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::journal::names::{Callback, SystemCall};
    use std::time::Duration;

    fn line(what: What) -> String {
        let time = Duration::new(3, 42);
        Record { time, node: "", id: None, name: "a::Lines<b::Echo>", what }.to_string()
    }

    #[test]
    fn record_is_one_line_with_columns() {
        let prefix = "    3.000000042 -        Lines<Echo>  ";
        let received = line(What::Syscall(SystemCall::Receive, CallOutcome::Bytes(5)));
        assert_eq!(received, format!("{prefix}recv 5 bytes"));
        let called = line(What::Called(Callback::DataReceived, 5));
        assert_eq!(called, format!("{prefix}data_received 5 bytes"));
        let both = Readiness::READABLE | Readiness::WRITABLE;
        assert_eq!(line(What::Event(both)), format!("{prefix}event readable+writable"));
    }

    #[test]
    fn closures_keep_their_function() {
        assert_eq!(short_name("a::main::{{closure}}"), "main::{{closure}}");
    }
}
