//! Differences between a recording and a replay, and records as text.

use crate::bytes::Bytes;
use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::value::{self, readiness};
use std::fmt;
use std::time::Duration;

/// The most bytes of a payload that are printed.
const SHOWN: usize = 60;

/// The first difference between a recording and its replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the record, from 1.
    pub record: u64,
    /// The time since the beginning of the recording.
    pub time: Duration,
    /// The call and its outcome as they were recorded.
    pub recorded: String,
    /// The call that the replayed reactor has made.
    pub replayed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, time, recorded, replayed } = self;
        write!(
            f,
            "the replay differs at record {record}, {:.6} s after the beginning\n  \
             recorded: {recorded}\n  replayed: {replayed}",
            time.as_secs_f64()
        )
    }
}

/// A payload, for readers.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.len().min(SHOWN);
        let more = if self.0.len() > end { "…" } else { "" };
        write!(f, "\"{}\"{more}", self.0[..end].escape_ascii())
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Now => f.write_str("now"),
            Self::Wait(None) => f.write_str("wait without limit"),
            Self::Wait(Some(limit)) => {
                write!(f, "wait at most {:?}", Duration::from_nanos(limit))
            }
            Self::Read { socket, room, with_descriptors } => {
                let with = if with_descriptors { " and descriptors" } else { "" };
                write!(f, "socket {socket}: read at most {room} bytes{with}")
            }
            Self::Write { socket, length, hash, descriptors } => {
                write!(f, "socket {socket}: write {length} bytes, hash {hash:016x}")?;
                if descriptors > 0 {
                    write!(f, ", and {descriptors} descriptors")?;
                }
                Ok(())
            }
            Self::Receive { socket, room } => {
                write!(f, "socket {socket}: receive at most {room} bytes")
            }
            Self::Send { socket, length, hash, to } => {
                write!(f, "socket {socket}: send {length} bytes, hash {hash:016x}")?;
                match value::address(&mut Bytes(to)) {
                    Ok(to) => write!(f, ", to {to}"),
                    Err(_) => Ok(()),
                }
            }
            Self::Other { method, socket, text } => {
                match (method, socket) {
                    (Method::Message | Method::ChannelClosed | Method::Messages, _) => {
                        write!(f, "channel {socket}: ")?;
                    }
                    (Method::Answered, _) => write!(f, "look-up {socket}: ")?,
                    (Method::RunJob | Method::JobOver, _) => write!(f, "job {socket}: ")?,
                    (_, 0) => {}
                    _ => write!(f, "socket {socket}: ")?,
                }
                f.write_str(method.name())?;
                if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
            }
        }
    }
}

impl Call<'_> {
    /// Prints what came back as well.
    pub(crate) fn with(&self, outcome: &Outcome<'_>) -> String {
        match (self, outcome) {
            (Self::Wait(_), Outcome::Bytes(events)) => format!("{self} → {}", listed(events)),
            _ => format!("{self} → {outcome}"),
        }
    }
}

/// Prints the events of a wait.
fn listed(events: &[u8]) -> String {
    let mut bytes = Bytes(events);
    let mut out = Vec::new();
    while let Ok(number) = bytes.number() {
        out.push(match number {
            0 => "woken".to_owned(),
            1 => "signalled".to_owned(),
            _ => match bytes.byte() {
                Ok(bits) => format!("socket {} {:?}", number - 2, readiness(bits)),
                Err(_) => break,
            },
        });
    }
    if out.is_empty() { "no event".to_owned() } else { out.join(", ") }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::All => f.write_str("all"),
            Self::Failed(error) => error.fmt(f),
            Self::Bytes(bytes) => write!(f, "{} bytes {}", bytes.len(), Shown(bytes)),
            Self::Count(count) => count.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Nothing => f.write_str("nothing"),
            Self::Socket(_, address) => match value::address(&mut Bytes(address)) {
                Ok(address) => write!(f, "a socket, {address}"),
                Err(_) => f.write_str("a socket"),
            },
            Self::Datagram { length, from, data } => {
                write!(f, "{length} bytes {}", Shown(data))?;
                match value::address(&mut Bytes(from)) {
                    Ok(from) => write!(f, " from {from}"),
                    Err(_) => Ok(()),
                }
            }
            Self::Message { data, .. } => write!(f, "{} bytes {}", data.len(), Shown(data)),
            Self::Time(time) => write!(f, "{:?}", Duration::from_nanos(*time)),
        }
    }
}
