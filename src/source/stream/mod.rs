//! Connections: their flags, their bytes, and what the socket does with them. Floor 1: it reports,
//! others act.

mod drop_oldest;
#[cfg(unix)]
mod fd_passing;
mod file_sender;
mod limits;
mod transfer;

use crate::source::send_buffer::SendBuffer;
use crate::sys::{Readiness, StreamSocket};
use crate::values::address::Address;
use crate::values::reason::Reason;
use crate::values::slow_reader::SlowReader;
use crate::values::statistics::ConnectionCounts;
use std::time::Instant;

pub(crate) use drop_oldest::DropOldest;
#[cfg(unix)]
pub(crate) use fd_passing::Passed;
pub(crate) use file_sender::Trouble;
pub(crate) use limits::{Flow, GATHER, Limits};
pub(crate) use transfer::{Filled, LONGEST_READ, READ_BUDGET};

/// One connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: StreamSocket,
    /// Kept, for the system forgets it when the connection breaks.
    pub(crate) peer: Address,
    /// What has been written and not sent.
    pub(crate) send_buffer: SendBuffer,

    /// What the poll has said of it, and no attempt has refuted.
    pub(crate) readiness: Readiness,

    /// What the protocol wants: see [`Reading`].
    pub(crate) reading: Reading,
    /// The peer has ended its side.
    pub(crate) eof: bool,
    /// It did so while our side was open.
    pub(crate) peer_was_first: bool,
    /// That it did so has been told already, while reading was paused.
    pub(crate) eof_notified: bool,
    /// Our side: see [`WriteSide`].
    pub(crate) write_side: WriteSide,
    /// It is listed for the flush at the end of the turn, once.
    pub(crate) unflushed: bool,
    /// What the protocol knows of the marks: see [`Flow`].
    pub(crate) flow: Flow,

    /// Whether a producer is registered: see [`Producing`].
    pub(crate) producing: Producing,
    /// Counts registrations and their ends. A producer that was registered under another number is no
    /// longer registered.
    pub(crate) registration: u32,
    /// What waits behind the send buffer, if what is oldest is dropped.
    pub(crate) drop_oldest: DropOldest,

    /// How far it has come on the way to its end: see [`State`].
    pub(crate) state: State,
    /// Data has come in since it was closed: the peer is still sending.
    pub(crate) received_after_close: bool,
    /// It was closed in order while the peer may still be sending: see [`Lingering`](crate::source::lingering::Lingering).
    pub(crate) lingers: bool,

    /// How much may wait.
    pub(crate) limits: Limits,

    /// When it was made.
    pub(crate) since: Instant,
    /// Bytes in and out, and how many reads and writes that took.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// How far a connection has come on the way to its end.
#[derive(Debug)]
#[repr(u8)] // It is asked for several times a callback: one byte tells.
pub(crate) enum State {
    Open,
    /// Writing has failed, for this reason. What can still be read is delivered, then it ends.
    Broken(Reason),
    /// It is to close for this reason, and somebody produces for it. No more data in; what is written
    /// is sent, until the producer has finished.
    Finishing(Reason),
    /// No more data in or out but what waits; when that is sent, it ends for this reason.
    Closing(Reason),
    /// It has ended, for this reason; only `connection_lost` is still to come.
    Ended(Reason),
}

/// Whether data is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    On,
    /// The protocol wants none for now.
    Paused,
    /// It goes on once the protocol has been told.
    Resumed,
}

/// Whether somebody produces for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Producing {
    #[default]
    Nothing,
    /// It is told at the marks.
    Push,
    /// It is asked when there is room, but when `asked_at` equals the bytes sent, nothing has come of
    /// the last time.
    Pull { asked_at: Option<u64> },
}

/// How far the ending of our side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteSide {
    Open,
    /// It ends when what waits is sent.
    Ending,
    Ended,
}

/// What [`Stream::wants_only_read`] looks at.
const ONLY_READ: Readiness =
    Readiness::READABLE.or(Readiness::FAILED).or(Readiness::UNIX).or(Readiness::CLOSELY);

impl Stream {
    pub(crate) fn new(socket: StreamSocket, peer: Address, since: Instant) -> Self {
        // The first write will tell, so a greeting leaves without waiting for the poll.
        let mut readiness = Readiness::WRITABLE;
        #[cfg(unix)]
        if socket.is_unix() {
            readiness |= Readiness::UNIX;
        }
        if socket.is_simulated() {
            readiness |= Readiness::OTHER;
        }
        Self {
            socket,
            peer,
            send_buffer: SendBuffer::default(),
            readiness,
            reading: Reading::On,
            eof: false,
            peer_was_first: false,
            eof_notified: false,
            write_side: WriteSide::Open,
            unflushed: false,
            flow: Flow::Even,
            producing: Producing::Nothing,
            registration: 0,
            drop_oldest: DropOldest::default(),
            state: State::Open,
            received_after_close: false,
            lingers: false,
            limits: Limits::default(),
            since,
            received: 0,
            sent: 0,
            reads: 0,
            writes: 0,
        }
    }

    pub(crate) fn counts(&self) -> ConnectionCounts {
        ConnectionCounts {
            received: self.received,
            sent: self.sent,
            reads: self.reads,
            writes: self.writes,
            waiting: self.waiting(),
            dropped: self.drop_oldest.dropped,
            dropped_bytes: self.drop_oldest.dropped_bytes,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Finishing(_) | State::Closing(_) | State::Ended(_))
    }

    /// Whether nothing has begun to end.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.write_side == WriteSide::Open && matches!(self.state, State::Open)
    }

    /// Whether what is written will be sent. One that is to end takes it as long as somebody produces.
    pub(crate) fn takes_writes(&self) -> bool {
        let produces = self.producing != Producing::Nothing;
        match self.write_side {
            WriteSide::Open => {
                matches!(self.state, State::Open)
                    || produces && matches!(self.state, State::Finishing(_))
            }
            WriteSide::Ending => {
                produces && matches!(self.state, State::Open | State::Finishing(_))
            }
            WriteSide::Ended => false,
        }
    }

    /// Whether a producer that is pulled has to be asked for more.
    pub(crate) fn wants_more(&self) -> bool {
        match self.producing {
            Producing::Pull { asked_at } => {
                asked_at != Some(self.sent)
                    && self.waiting() == 0
                    && self.is_writable()
                    && self.takes_writes()
            }
            Producing::Nothing | Producing::Push => false,
        }
    }

    /// Notes that the producer is asked now; one that then writes nothing is not asked again at once.
    pub(crate) fn note_asked(&mut self) {
        self.producing = Producing::Pull { asked_at: Some(self.sent) };
    }

    /// Returns true if no read will report that the connection has broken: reading is paused, or the
    /// peer's end has been read already.
    pub(crate) fn reads_disabled(&self) -> bool {
        let discards = matches!(self.state, State::Finishing(_) | State::Closing(_));
        self.eof || self.reading == Reading::Paused && !discards
    }

    /// Returns true if queued data or a producer has to finish before our side, or the connection,
    /// ends.
    pub(crate) fn is_draining(&self) -> bool {
        let ends = match self.state {
            State::Open => self.write_side == WriteSide::Ending,
            State::Finishing(_) | State::Closing(_) => true,
            State::Broken(_) | State::Ended(_) => false,
        };
        ends && self.is_unfinished()
    }

    /// Returns true if there is queued data or a registered producer: what the peer has got so far is
    /// not the whole.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.waiting() > 0 || self.producing != Producing::Nothing
    }

    /// Whether to read now. One that is closing reads even when paused, in order to throw away: a
    /// peer that first sends all it has would otherwise never get to read our last words.
    pub(crate) fn wants_read(&self) -> bool {
        let wanted = match self.state {
            State::Open | State::Broken(_) => self.reading == Reading::On,
            State::Finishing(_) | State::Closing(_) => true,
            State::Ended(_) => false,
        };
        wanted && self.is_readable() && !self.eof
    }

    /// Whether there is something to read, and nothing else to do.
    #[inline]
    pub(crate) fn wants_only_read(&self) -> bool {
        matches!(self.state, State::Open)
            && self.reading == Reading::On
            && self.readiness & ONLY_READ == Readiness::READABLE
            && !self.eof
            && self.send_buffer.is_empty()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.readiness.has(Readiness::WRITABLE)
    }

    /// Whether the peer has ended its side while reading is paused, and nobody knows yet.
    pub(crate) fn has_unnoticed_eof(&self) -> bool {
        self.readiness.has(Readiness::ENDED)
            && self.reading == Reading::Paused
            && !self.eof_notified
            && !self.eof
            && !self.is_closing()
    }

    /// Whether the poll has said that the socket has an error; the next question says no.
    pub(crate) fn take_failed(&mut self) -> bool {
        let failed = self.readiness.has(Readiness::FAILED);
        self.readiness.clear(Readiness::FAILED);
        failed
    }

    /// Whether something waits that the socket may take.
    #[inline]
    pub(crate) fn wants_flush(&self) -> bool {
        self.is_writable() && !self.send_buffer.is_empty()
    }

    /// Notes if more waits than the high-water mark.
    pub(crate) fn note_crossing(&mut self) {
        if self.flow == Flow::Even
            && self.limits.is_above(self.send_buffer.len(), self.send_buffer.descriptors_waiting())
        {
            self.flow = Flow::Crossed;
        }
    }

    /// Whether the protocol, or who produces for it, has to hear of the marks.
    pub(crate) fn has_flow_to_notify(&self) -> bool {
        match self.flow {
            _ if matches!(self.state, State::Closing(_) | State::Ended(_)) => false,
            Flow::Even => false,
            Flow::Crossed => true,
            Flow::Paused => {
                self.limits.is_below(self.send_buffer.len(), self.send_buffer.descriptors_waiting())
            }
        }
    }

    /// Whether all is sent, and nothing stands in the way of more.
    #[inline]
    pub(crate) fn can_write_directly(&self) -> bool {
        self.send_buffer.is_empty() && self.is_whole() && self.flow == Flow::Even
    }

    /// Whether all is sent and nothing waited for that.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.send_buffer.is_empty()
            && matches!(self.state, State::Open)
            && self.write_side != WriteSide::Ending
            && self.flow == Flow::Even
            && !matches!(self.producing, Producing::Pull { .. })
            && !self.drop_oldest.is_chosen()
    }

    /// Whether its socket is of another world than the system's, and not read and written by the
    /// straight way.
    pub(crate) fn is_simulated(&self) -> bool {
        self.readiness.has(Readiness::OTHER)
    }

    /// Keeps a connection that has a pull producer or a feed off the shortcuts. Room in the socket
    /// concerns it even if its send buffer is empty.
    pub(crate) fn check_each_write(&mut self) {
        let check_each_write =
            matches!(self.producing, Producing::Pull { .. }) || self.drop_oldest.is_chosen();
        self.readiness.clear(Readiness::CLOSELY);
        if check_each_write {
            self.readiness |= Readiness::CLOSELY;
        }
        self.limits.set_check_each_write(check_each_write || self.is_simulated());
    }

    /// The reason for which it is broken, to be given away once: it ends with it.
    pub(crate) fn take_break(&mut self) -> Option<Reason> {
        match &mut self.state {
            State::Broken(reason) => Some(reason.take()),
            _ => None,
        }
    }
}
