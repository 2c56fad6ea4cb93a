//! Connections: their flags, their bytes, and what the socket does with them. Floor 1: it reports,
//! others act.

use crate::address::Address;
use crate::logging::TCP;
use crate::outbox::{Outbox, SLICES, Spares};
use crate::reason::Reason;
use crate::world::TcpStream;
use log::trace;
use std::io::{self, IoSlice};
use std::time::Instant;

/// How many bytes one connection may read in a turn before the others are served: four full
/// buffers, some 50 µs of work. A flood goes on in the next turn, behind all who were waiting.
pub(crate) const READ_BUDGET: usize = 256 * 1024;

/// How many bytes one connection may send in a turn before the others are served. A fast reader of
/// a long answer would otherwise keep the reactor to itself: the socket never says `WouldBlock`.
const WRITE_BUDGET: usize = 256 * 1024;

/// Where gathering ends to pay, in bytes. A system call that is saved is worth the copying of about
/// this much; from here on a write goes to the socket directly, with what waited before it.
const GATHER: usize = 16 * 1024;

/// asyncio's high-water mark, in bytes; its low mark is a quarter of it.
const HIGH_WATER: usize = 64 * 1024;

/// How many bytes may wait when more is written, unless set: generous, and far from all memory.
const WRITE_LIMIT: usize = 64 * 1024 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: TcpStream,
    /// Kept, for the system forgets it when the connection breaks.
    pub(crate) peer: Address,
    /// What has been written and not sent.
    pub(crate) outbox: Outbox,

    /// A hint that reading is worth a try; `WouldBlock` clears it, or a short read.
    pub(crate) readable: bool,
    /// A hint that writing is worth a try; `WouldBlock` clears it, or a short write.
    pub(crate) writable: bool,
    /// A short read does not clear `readable` now (see `Readiness`).
    pub(crate) more_follows: bool,

    /// The protocol wants no data for now.
    pub(crate) paused: bool,
    /// Reading is to go on after a pause, once the protocol has been told.
    pub(crate) resumed: bool,
    /// The peer has ended its side.
    pub(crate) eof: bool,
    /// It did so while our side was open.
    pub(crate) peer_was_first: bool,
    /// The poll has said that the socket has an error. A read tells which; where nobody reads, the
    /// socket is asked.
    pub(crate) failed: bool,
    /// Our side: see [`WriteSide`].
    pub(crate) write_side: WriteSide,
    /// It is listed for the flush at the end of the turn, once.
    pub(crate) unflushed: bool,
    /// More than the high-water mark waited, though it was sent since: a protocol that saw it and
    /// stopped of itself has to hear that it may go on.
    pub(crate) crossed: bool,
    /// The protocol was told to pause writing, and not yet to resume.
    pub(crate) told_to_pause: bool,

    /// Writing has failed, for this reason. What can still be read is delivered, then it ends.
    pub(crate) broken: Option<Reason>,
    /// No more data in or out but what waits; when that is sent, the connection ends for this
    /// reason.
    pub(crate) closing: Option<Reason>,
    /// Data has come in since it was closed: the peer is still sending.
    pub(crate) heard: bool,
    /// It has ended, for this reason; only `connection_lost` is still to come.
    pub(crate) ended: Option<Reason>,
    /// It was closed in order while the peer may still be sending: see [`Lingering`](crate::lingering::Lingering).
    pub(crate) lingers: bool,

    /// How much may wait.
    pub(crate) limits: Limits,

    /// When it was made.
    pub(crate) since: Instant,
    /// Bytes in and out, for the log.
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// How many bytes may wait to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Above so many the protocol is told to pause writing.
    pub(crate) high_water: usize,
    /// At so many or fewer it is told to resume.
    pub(crate) low_water: usize,
    /// A write that finds more than this ends the connection.
    pub(crate) write_limit: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { high_water: HIGH_WATER, low_water: HIGH_WATER / 4, write_limit: WRITE_LIMIT }
    }
}

/// How far the ending of our side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteSide {
    Open,
    /// It ends when what waits is sent.
    Ending,
    Ended,
}

/// What one attempt to read brought.
#[derive(Debug)]
pub(crate) enum Filled {
    Data(usize),
    Dry,
    Eof,
    Failed(io::Error),
}

impl Stream {
    pub(crate) fn new(socket: TcpStream, peer: Address, since: Instant) -> Self {
        Self {
            socket,
            peer,
            outbox: Outbox::default(),
            readable: false,
            // The first write will tell, so a greeting leaves without waiting for the poll.
            writable: true,
            more_follows: false,
            paused: false,
            eof: false,
            peer_was_first: false,
            failed: false,
            write_side: WriteSide::Open,
            unflushed: false,
            crossed: false,
            told_to_pause: false,
            resumed: false,
            broken: None,
            closing: None,
            heard: false,
            ended: None,
            lingers: false,
            limits: Limits::default(),
            since,
            received: 0,
            sent: 0,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some() || self.ended.is_some()
    }

    pub(crate) fn takes_writes(&self) -> bool {
        self.write_side == WriteSide::Open && self.broken.is_none() && !self.is_closing()
    }

    /// Whether nobody will read: then a read will not tell that the connection has broken.
    pub(crate) fn is_deaf(&self) -> bool {
        (self.paused || self.eof) && self.closing.is_none()
    }

    /// Whether to read now. One that is closing reads even when paused, in order to throw away: a
    /// peer that first sends all it has would otherwise never get to read our last words.
    pub(crate) fn wants_read(&self) -> bool {
        let wanted = !(self.paused || self.resumed) || self.closing.is_some();
        self.readable && wanted && !self.eof && self.ended.is_none()
    }

    pub(crate) fn wants_flush(&self) -> bool {
        let waiting = self.writable && !self.outbox.is_empty();
        let finishing = self.outbox.is_empty()
            && (self.closing.is_some() || self.write_side == WriteSide::Ending);
        self.ended.is_none() && self.broken.is_none() && (waiting || finishing)
    }

    /// Whether more waits than the high-water mark.
    pub(crate) fn is_over(&self) -> bool {
        self.outbox.len() > self.limits.high_water
    }

    /// Whether the marks were crossed since the protocol was told to pause or to resume.
    pub(crate) fn wants_to_tell_flow(&self) -> bool {
        !self.is_closing()
            && if self.told_to_pause {
                self.outbox.len() <= self.limits.low_water
            } else {
                self.crossed || self.is_over()
            }
    }

    /// The reason for which it has ended, to be given away once.
    pub(crate) fn take_end(&mut self) -> Option<Reason> {
        // What stays behind keeps the rest of the reactor from taking it for alive.
        Some(std::mem::replace(self.ended.as_mut()?, Reason::Closed))
    }

    /// Reads once.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Filled {
        let result = self.socket.read(buffer);
        trace!(target: TCP, "{} read: {result:?}", self.peer);
        match result {
            Ok(0) => {
                self.eof = true;
                self.peer_was_first = self.write_side == WriteSide::Open;
                Filled::Eof
            }
            Ok(count) => {
                self.received += count as u64;
                self.heard |= self.closing.is_some();
                let short = count < buffer.len() && TcpStream::SHORT_READ_MEANS_DRY;
                if short && !self.more_follows {
                    self.readable = false;
                }
                Filled::Data(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                self.more_follows = false;
                Filled::Dry
            }
            Err(error) => Filled::Failed(error),
        }
    }

    /// Whether more waits than may, and the socket does not take it.
    pub(crate) fn is_beyond_limit(&mut self, spares: &mut Spares) -> bool {
        let is_beyond = |stream: &Self| stream.outbox.len() > stream.limits.write_limit;
        // What was only gathered so far has not been offered. An error will be met again.
        is_beyond(self) && (self.flush(spares).is_err() || is_beyond(self))
    }

    /// Takes `data` to be sent: behind what waits already, or, if it is long and the socket takes
    /// it, straight to the system.
    pub(crate) fn push(&mut self, data: &[u8], spares: &mut Spares) -> io::Result<()> {
        let mut data = data;
        if self.writable && self.outbox.len() + data.len() >= GATHER {
            let waiting = self.outbox.len();
            let sent = self.send(data, spares)?;
            data = &data[sent.saturating_sub(waiting)..];
        }
        self.outbox.push(data, spares);
        Ok(())
    }

    /// Sends what waits, within the budget.
    pub(crate) fn flush(&mut self, spares: &mut Spares) -> io::Result<()> {
        let mut budget = WRITE_BUDGET;
        while self.writable && !self.outbox.is_empty() && budget > 0 {
            budget = budget.saturating_sub(self.send(&[], spares)?);
        }
        Ok(())
    }

    /// One system call: what waits, then `tail`. Returns how many bytes of both together were
    /// taken; those that waited are off the outbox.
    fn send(&mut self, tail: &[u8], spares: &mut Spares) -> io::Result<usize> {
        let (offered, result) = match self.outbox.only_slice() {
            Some(bytes) if tail.is_empty() => (bytes.len(), self.socket.write(bytes)),
            Some([]) => (tail.len(), self.socket.write(tail)),
            _ => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let filled = self.outbox.slices(tail, &mut slices);
                let slices = &slices[..filled];
                let offered = slices.iter().map(|slice| slice.len()).sum();
                (offered, self.socket.write_vectored(slices))
            }
        };
        trace!(target: TCP, "{} write: {result:?}", self.peer);
        match result {
            Ok(count) => {
                self.sent += count as u64;
                if count < offered && TcpStream::SHORT_WRITE_MEANS_FULL {
                    self.writable = false;
                }
                self.outbox.advance(count.min(self.outbox.len()), spares);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}
