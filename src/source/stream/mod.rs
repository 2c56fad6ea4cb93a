//! Connections: their state, their queued data, and reads and writes of the socket.

mod drop_oldest;
#[cfg(unix)]
mod fd_passing;
mod file_sender;
mod filter;
mod input;
mod life;
mod limits;
mod output;
#[cfg(unix)]
mod pipes;
mod transfer;

use crate::sys::{Readiness, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::reason::Reason;
use crate::values::slow_reader::SlowReader;
use crate::values::statistics::ConnectionCounts;
use std::time::Instant;

pub(crate) use drop_oldest::DropOldest;
#[cfg(unix)]
pub(crate) use fd_passing::Passed;
pub(crate) use file_sender::FileSendError;
pub(crate) use filter::{AHEAD, Filtered, Phase};
pub(crate) use input::{Input, PeerSide, Reading};
pub(crate) use life::{Life, Received};
pub(crate) use limits::{Flow, GATHER, Limits};
pub(crate) use output::{Output, Producing, WriteSide};
pub(crate) use transfer::{Filled, LONGEST_READ, READ_BUDGET, WRITE_BUDGET};

/// One connection: an input, an output and a life.
///
/// The legal states, each of which `Life`'s test checks:
///
/// | life | our side | writes | received data | ends |
/// |---|---|---|---|---|
/// | `Open` | `Open` | accepted | delivered | |
/// | | `Ending` | from a producer only | delivered | our side, when all is sent |
/// | | `Ended`, `Absent` | dropped | delivered | when the peer's side ends |
/// | `Broken` | any | dropped | delivered | when nothing is left to read |
/// | `Finishing` | `Open`, `Ending` | from the producer only | discarded | when the producer is unregistered: `Closing` |
/// | `Closing` | any | dropped | discarded | when all is sent |
/// | `Ended` | any | dropped | not read | is freed after `connection_lost` |
///
/// While reading is paused, received data stays in the socket. `Broken` and `Ended` have no queued
/// data; `Finishing` has a producer.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: StreamSocket,
    /// Stored here, since the system forgets the address when the connection breaks.
    pub(crate) peer: Address,
    /// The listener that accepted the connection, or [`Id::NONE`].
    pub(crate) listener: Id,
    /// Readiness that the poll has reported, or that is assumed, and that no system call has refuted.
    pub(crate) readiness: Readiness,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) life: Life,
    pub(crate) traffic: Traffic,
}

/// Bytes received and sent, and the numbers of reads and writes.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The time when the connection was made.
    pub(crate) since: Instant,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// The flags that [`Stream::wants_only_read`] tests.
const ONLY_READ: Readiness = Readiness::READABLE
    .or(Readiness::HAS_FAILED)
    .or(Readiness::PASSES_DESCRIPTORS)
    .or(Readiness::ACTS_WHEN_WRITABLE);

impl Stream {
    pub(crate) fn new(socket: StreamSocket, peer: Address, since: Instant) -> Self {
        // Assumed until the first write, so that a greeting is sent without waiting for the poll.
        let mut readiness = Readiness::WRITABLE;
        if socket.passes_descriptors() {
            readiness |= Readiness::PASSES_DESCRIPTORS;
        }
        if !socket.short_means_would_block() {
            readiness |= Readiness::SHORT_PROVES_NOTHING;
        }
        Self {
            socket,
            peer,
            listener: Id::NONE,
            readiness,
            input: Input::default(),
            output: Output::default(),
            life: Life::Open,
            traffic: Traffic { since, received: 0, sent: 0, reads: 0, writes: 0 },
        }
    }

    pub(crate) fn counts(&self) -> ConnectionCounts {
        ConnectionCounts {
            received: self.traffic.received,
            sent: self.traffic.sent,
            reads: self.traffic.reads,
            writes: self.traffic.writes,
            queued: self.output.queued(),
            dropped: self.output.drop_oldest.dropped,
            dropped_bytes: self.output.drop_oldest.dropped_bytes,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.life.is_closing()
    }

    /// Returns true if neither the connection nor our side has begun to end.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.output.write_side == WriteSide::Open && matches!(self.life, Life::Open)
    }

    /// Returns true if its protocol is asked at a stop whether it stays open.
    pub(crate) fn may_drain(&self) -> bool {
        matches!(self.life, Life::Open) && !self.in_handshake()
    }

    /// Returns true if written data will be sent.
    pub(crate) fn takes_writes(&self) -> bool {
        self.life.takes_writes(self.output.write_side, self.output.has_producer())
    }

    /// Returns true if a pull producer has to be asked for more.
    pub(crate) fn wants_more(&self) -> bool {
        match self.output.producing {
            Producing::Pull { asked_at } => {
                asked_at != Some(self.traffic.sent)
                    && self.output.queued() == 0
                    && self.is_writable()
                    && self.takes_writes()
                    && !self.in_handshake()
            }
            Producing::Nothing | Producing::Push => false,
        }
    }

    /// Notes that the producer is asked now. If it then writes nothing, it is not asked again immediately.
    pub(crate) fn note_asked(&mut self) {
        self.output.producing = Producing::Pull { asked_at: Some(self.traffic.sent) };
    }

    /// Returns true if no read will report that the connection has broken: reading is paused, or the peer's end
    /// has been read.
    pub(crate) fn reads_disabled(&self) -> bool {
        self.input.has_ended()
            || self.input.reading == Reading::Paused
                && self.life.received(Reading::Paused) == Received::Unread
    }

    /// Returns true if the end of our side, or of the connection, has to wait for queued data or a producer.
    pub(crate) fn is_ending(&self) -> bool {
        self.life.waits_for_output(self.output.write_side) && self.output.is_unfinished()
    }

    /// Returns true if a read is due.
    pub(crate) fn wants_read(&self) -> bool {
        self.life.received(self.input.reading) != Received::Unread
            && self.is_readable()
            && !self.input.has_ended()
    }

    /// Returns true if there is data to read, and nothing else to do.
    #[inline]
    pub(crate) fn wants_only_read(&self) -> bool {
        matches!(self.life, Life::Open)
            && self.input.reading == Reading::On
            && self.readiness & ONLY_READ == Readiness::READABLE
            && !self.input.has_ended()
            && self.output.buffer.is_empty()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.readiness.has(Readiness::WRITABLE)
    }

    /// Returns true if the peer has ended its side while reading is paused, and the protocol was not notified
    /// yet.
    pub(crate) fn has_unnoticed_eof(&self) -> bool {
        self.readiness.has(Readiness::HAS_ENDED)
            && self.input.reading == Reading::Paused
            && self.input.peer_side == PeerSide::Open
            && !self.is_closing()
            && !self.in_handshake()
    }

    /// Returns true if the poll has reported an error of the socket, and clears that report.
    pub(crate) fn take_failed(&mut self) -> bool {
        let failed = self.readiness.has(Readiness::HAS_FAILED);
        self.readiness.clear(Readiness::HAS_FAILED);
        failed
    }

    /// Returns true if there is queued data that the socket may take.
    #[inline]
    pub(crate) fn wants_flush(&self) -> bool {
        self.is_writable() && !self.output.buffer.is_empty()
    }

    /// Notes whether more is queued than the high-water mark.
    pub(crate) fn note_crossing(&mut self) {
        if self.output.flow == Flow::Even
            && self
                .output
                .limits
                .is_above(self.output.buffered(), self.output.buffer.descriptors_waiting())
        {
            self.output.flow = Flow::Crossed;
        }
    }

    /// Returns true if the protocol, or its producer, has to be notified about the marks.
    pub(crate) fn has_flow_to_notify(&self) -> bool {
        match self.output.flow {
            Flow::Even => false,
            _ if matches!(self.life, Life::Closing(_) | Life::Ended { .. }) => false,
            _ if self.in_handshake() => false,
            Flow::Crossed => true,
            Flow::Paused => self
                .output
                .limits
                .is_below(self.output.buffered(), self.output.buffer.descriptors_waiting()),
        }
    }

    /// Returns true if all data is sent, and a write may be offered to the socket directly.
    #[inline]
    pub(crate) fn can_write_directly(&self) -> bool {
        self.output.buffer.is_empty() && self.is_whole() && self.output.flow == Flow::Even
    }

    /// Returns true if all data is sent, no end was waiting for that, and no notification is due.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.output.buffer.is_empty()
            && matches!(self.life, Life::Open)
            && self.output.write_side != WriteSide::Ending
            && self.output.flow == Flow::Even
            && !self.readiness.has(Readiness::ACTS_WHEN_WRITABLE)
    }

    /// Excludes a connection with a pull producer, a drop-oldest queue or filters from the shortcuts. It has to
    /// act when the socket is writable even if its send buffer is empty.
    pub(crate) fn check_each_write(&mut self) {
        let check_each_write = self.output.needs_each_write_checked();
        self.readiness.clear(Readiness::ACTS_WHEN_WRITABLE);
        if check_each_write {
            self.readiness |= Readiness::ACTS_WHEN_WRITABLE;
        }
        self.output.limits.set_check_each_write(check_each_write);
    }

    /// Takes the reason of a broken connection, with which it ends.
    pub(crate) fn take_break(&mut self) -> Option<Reason> {
        match &mut self.life {
            Life::Broken(reason) => Some(reason.take()),
            _ => None,
        }
    }
}
