//! Connections: their flags, their bytes, and what the socket does with them. Floor 1: it reports,
//! others act.

mod drop_oldest;
#[cfg(unix)]
mod fd_passing;
mod file_sender;
mod filter;
mod input;
mod life;
mod limits;
mod output;
mod transfer;

use crate::sys::{Readiness, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::reason::Reason;
use crate::values::slow_reader::SlowReader;
use crate::values::statistics::ConnectionCounts;
use std::time::Instant;

pub(crate) use drop_oldest::DropOldest;
#[cfg(unix)]
pub(crate) use fd_passing::Passed;
pub(crate) use file_sender::Trouble;
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
/// | | `Ended` | dropped | delivered | when the peer's side ends |
/// | `Broken` | any | dropped | delivered | when nothing is left to read |
/// | `Finishing` | `Open`, `Ending` | from the producer only | discarded | when the producer is unregistered: `Closing` |
/// | `Closing` | any | dropped | discarded | when all is sent |
/// | `Ended` | any | dropped | not read | is freed after `connection_lost` |
///
/// Received data is held instead of delivered while reading is paused. `Broken` and `Ended` have no queued
/// data; `Finishing` has a producer.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: StreamSocket,
    /// Kept, for the system forgets it when the connection breaks.
    pub(crate) peer: Address,
    /// What the poll has reported, and no attempt has refuted.
    pub(crate) readiness: Readiness,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) life: Life,
    pub(crate) traffic: Traffic,
}

/// Bytes in and out, and how many reads and writes that took.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// When the connection was made.
    pub(crate) since: Instant,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// What [`Stream::wants_only_read`] looks at.
const ONLY_READ: Readiness = Readiness::READABLE
    .or(Readiness::HAS_FAILED)
    .or(Readiness::PASSES_DESCRIPTORS)
    .or(Readiness::CLOSELY);

impl Stream {
    pub(crate) fn new(socket: StreamSocket, peer: Address, since: Instant) -> Self {
        // The first write will tell, so a greeting leaves without waiting for the poll.
        let mut readiness = Readiness::WRITABLE;
        if socket.passes_descriptors() {
            readiness |= Readiness::PASSES_DESCRIPTORS;
        }
        Self {
            socket,
            peer,
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
            waiting: self.output.queued(),
            dropped: self.output.drop_oldest.dropped,
            dropped_bytes: self.output.drop_oldest.dropped_bytes,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.life.is_closing()
    }

    /// Whether nothing has begun to end.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.output.write_side == WriteSide::Open && matches!(self.life, Life::Open)
    }

    /// Returns true if written data will be sent.
    pub(crate) fn takes_writes(&self) -> bool {
        self.life.takes_writes(self.output.write_side, self.output.has_producer())
    }

    /// Whether a producer that is pulled has to be asked for more.
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

    /// Notes that the producer is asked now; one that then writes nothing is not asked again at once.
    pub(crate) fn note_asked(&mut self) {
        self.output.producing = Producing::Pull { asked_at: Some(self.traffic.sent) };
    }

    /// Returns true if no read will report that the connection has broken: reading is paused, or the
    /// peer's end has been read already.
    pub(crate) fn reads_disabled(&self) -> bool {
        self.input.has_ended()
            || self.input.reading == Reading::Paused
                && self.life.received(Reading::Paused) == Received::Held
    }

    /// Returns true if queued data or a producer has to finish before our side, or the connection,
    /// ends.
    pub(crate) fn is_draining(&self) -> bool {
        self.life.waits_for_output(self.output.write_side) && self.output.is_unfinished()
    }

    /// Returns true if a read is to be made now.
    pub(crate) fn wants_read(&self) -> bool {
        self.life.received(self.input.reading) != Received::Held
            && self.is_readable()
            && !self.input.has_ended()
    }

    /// Whether there is something to read, and nothing else to do.
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

    /// Whether the peer has ended its side while reading is paused, and nobody knows yet.
    pub(crate) fn has_unnoticed_eof(&self) -> bool {
        self.readiness.has(Readiness::HAS_ENDED)
            && self.input.reading == Reading::Paused
            && self.input.peer_side == PeerSide::Open
            && !self.is_closing()
            && !self.in_handshake()
    }

    /// Whether the poll has said that the socket has an error; the next question says no.
    pub(crate) fn take_failed(&mut self) -> bool {
        let failed = self.readiness.has(Readiness::HAS_FAILED);
        self.readiness.clear(Readiness::HAS_FAILED);
        failed
    }

    /// Whether something waits that the socket may take.
    #[inline]
    pub(crate) fn wants_flush(&self) -> bool {
        self.is_writable() && !self.output.buffer.is_empty()
    }

    /// Notes if more waits than the high-water mark.
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

    /// Whether the protocol, or who produces for it, has to hear of the marks.
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

    /// Whether all is sent, and nothing stands in the way of more.
    #[inline]
    pub(crate) fn can_write_directly(&self) -> bool {
        self.output.buffer.is_empty() && self.is_whole() && self.output.flow == Flow::Even
    }

    /// Whether all is sent and nothing waited for that.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.output.buffer.is_empty()
            && matches!(self.life, Life::Open)
            && self.output.write_side != WriteSide::Ending
            && self.output.flow == Flow::Even
            && !self.readiness.has(Readiness::CLOSELY)
    }

    /// Keeps a connection that has a pull producer or a feed off the shortcuts. Room in the socket
    /// concerns it even if its send buffer is empty.
    pub(crate) fn check_each_write(&mut self) {
        let check_each_write = self.output.needs_each_write_checked();
        self.readiness.clear(Readiness::CLOSELY);
        if check_each_write {
            self.readiness |= Readiness::CLOSELY;
        }
        self.output.limits.set_check_each_write(check_each_write);
    }

    /// The reason for which it is broken, to be given away once: it ends with it.
    pub(crate) fn take_break(&mut self) -> Option<Reason> {
        match &mut self.life {
            Life::Broken(reason) => Some(reason.take()),
            _ => None,
        }
    }
}
