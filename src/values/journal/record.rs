//! Records as they are read.

use crate::values::id::Id;
use crate::values::journal::names::{
    Arrival, Callback, StopPhase, SystemCall, TimerJob, WaitLimit,
};
use crate::values::readiness::Readiness;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A record of a [`Journal`](super::Journal). It prints as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The time of the turn, counted from the making of the reactor. The clock is read when the poll has returned and at
    /// the end of a turn, and not for each record.
    pub time: Duration,
    /// The name of the node in a journal of several reactors; otherwise empty.
    pub node: &'a str,
    /// The socket, if the record is about one.
    pub id: Option<Id>,
    /// The type of the socket's callback object, or the name of a closure; empty if it is not known.
    pub name: &'a str,
    /// What happened.
    pub what: What,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A turn begins: the reactor waits for events, at most so long, and why not longer. `None` is without limit.
    TurnBegins(Option<Duration>, WaitLimit),
    /// The wait has returned. The events follow.
    Waited,
    /// The turn has ended.
    TurnEnds,
    /// The poll has reported that the socket is ready.
    Event(Readiness),
    /// The poll has reported that another thread has woken the reactor.
    Woken,
    /// The poll has reported that a signal has arrived.
    Signalled,
    /// A system call was made, with this result.
    Syscall(SystemCall, CallOutcome),
    /// A callback is called, with this number of bytes.
    Called(Callback, u32),
    /// The callback has returned after so long. Only with
    /// [`Reactor::time_callbacks`](crate::Reactor::time_callbacks).
    Returned(Duration),
    /// The callback has panicked.
    Panicked(Callback),
    /// A callback that another has caused is due.
    Deferred,
    /// A callback is held for the next turn, since this turn has made enough.
    Held,
    /// A timer fires, with its number.
    TimerFired(TimerJob, u32),
    /// Something that another thread has sent is handled.
    Arrived(Arrival),
    /// A look-up has ended with this number of addresses. 0 is a failure.
    Resolved(u32),
    /// A signal with this number is handled.
    Signal(i32),
    /// A process has exited with this status, or by this signal.
    Exited(Result<i32, i32>),
    /// The socket is in the ready queue: it has work left.
    Queued,
    /// The number of queued bytes is above the high mark (true) or below the low mark (false), and what it is.
    Crossed(bool, u32),
    /// A connection was made.
    Made,
    /// The own address of a connection attempt that has succeeded. That of an accepted connection is not looked up.
    Local(SocketAddr),
    /// The address of the peer.
    Peer(SocketAddr),
    /// A connection has ended: the variant of its [`Reason`](crate::Reason).
    Lost(&'static str),
    /// The slot of the socket was freed.
    Freed,
    /// The socket's callback object was set.
    Owned,
    /// The connection is closing: queued data is sent first. This is the number of its bytes.
    Closing(u32),
    /// The stop of a run has reached a phase.
    Stop(StopPhase),
    /// The connections that others have written to are flushed; this is their number.
    Flushed(u32),
    /// A number that the program has [marked](super::Journal::mark).
    Noted(u32),
    /// This number of records is missing: they were replaced before they were read.
    Missing(u64),
}

/// The result of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It has read or written this number of bytes.
    Bytes(u32),
    /// It has succeeded.
    Done,
    /// It would block.
    WouldBlock,
    /// The stream has ended.
    Eof,
    /// It has failed with this number of an error of the system; 0 if it has none.
    Failed(i32),
}

impl CallOutcome {
    /// Returns the outcome of a call without bytes.
    pub(crate) fn of<T>(result: &io::Result<T>) -> Self {
        result.as_ref().map_or_else(Self::from, |_| Self::Done)
    }

    /// Returns a number for a record's detail, and one for its value.
    #[inline(always)]
    pub(super) fn packed(self) -> (u16, u32) {
        match self {
            Self::Bytes(count) => (0, count),
            Self::Done => (1 << 8, 0),
            Self::WouldBlock => (2 << 8, 0),
            Self::Eof => (3 << 8, 0),
            Self::Failed(number) => (4 << 8, number as u32),
        }
    }

    pub(super) fn unpacked(detail: u16, value: u32) -> Option<Self> {
        match detail >> 8 {
            0 => Some(Self::Bytes(value)),
            1 => Some(Self::Done),
            2 => Some(Self::WouldBlock),
            3 => Some(Self::Eof),
            4 => Some(Self::Failed(value as i32)),
            _ => None,
        }
    }
}

impl From<&io::Error> for CallOutcome {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::WouldBlock,
            _ => Self::Failed(error.raw_os_error().unwrap_or(0)),
        }
    }
}
