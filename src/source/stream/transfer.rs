//! Reads and writes of a connection: one attempt at a time, within budgets.

use crate::source::send_buffer::{SLICES, Spares};
use crate::source::stream::limits::GATHER;
use crate::source::stream::{PeerSide, Stream, WriteSide};
use crate::sys::{Readiness, StreamBackend};
use crate::values::logging::TCP;
use log::trace;
use std::io::{self, IoSlice};

/// The most bytes that one connection reads in a turn before others are served: four reads of the largest size,
/// some 200 µs of an echo's work. A flood continues in the next turn, behind all ready connections.
///
/// With less, the reactor alternates between connections while their peers send, and each read finds data that
/// has left the processor's cache: with eight connections that each echo half a megabyte, a quarter of this
/// budget costs a third more processor time.
pub(crate) const READ_BUDGET: usize = 1024 * 1024;

/// The most bytes that one read returns, once reads have filled the read buffer: a quarter of the read budget.
pub(crate) const LONGEST_READ: usize = 256 * 1024;

/// After a read that returns more than this, the socket is read again even if it would block: the answer to
/// that much data takes long enough for more to arrive.
const LONG: usize = 64 * 1024;

/// The most bytes that one connection sends in a flush before others are served. While a fast peer reads a long
/// answer, the socket never returns `WouldBlock`, and the other connections would not be served. There is a
/// flush after each callback of the connection, so a turn may send several times this number.
pub(crate) const WRITE_BUDGET: usize = 256 * 1024;

/// After a short read, any of these means that the next one may still return something.
const MORE_AFTER_SHORT: Readiness = Readiness::MORE_FOLLOWS.or(Readiness::SHORT_PROVES_NOTHING);

/// The result of one attempt to read.
#[derive(Debug)]
pub(crate) enum Filled {
    /// The number of bytes to deliver.
    Data(usize),
    /// The number of bytes received after the close.
    Discarded(usize),
    WouldBlock,
    Eof,
    Failed(io::Error),
}

impl Stream {
    /// Reads once.
    #[inline(always)]
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Filled {
        let closing = self.is_closing(); // Evaluated here: after inlining, the compiler often knows it.
        let result = self.socket.receive(buffer);
        trace!(target: TCP, "{} read: {result:?}", self.peer);
        match result {
            Ok(count) => {
                let short = count < buffer.len() && count <= LONG;
                self.took_in(count, short, closing)
            }
            Err(error) => self.not_read(error),
        }
    }

    /// Notes a read of `count` bytes.
    #[inline(always)]
    pub(super) fn took_in(&mut self, count: usize, short: bool, closing: bool) -> Filled {
        if count == 0 {
            self.end_peer_side();
            return Filled::Eof;
        }
        self.traffic.received += count as u64;
        self.traffic.reads += 1;
        if short && !self.readiness.has(MORE_AFTER_SHORT) {
            self.readiness.clear(Readiness::READABLE);
        }
        if closing {
            self.input.received_after_close = true;
            return Filled::Discarded(count);
        }
        Filled::Data(count)
    }

    /// Notes that the peer has ended its side.
    pub(crate) fn end_peer_side(&mut self) {
        let first = matches!(self.output.write_side, WriteSide::Absent | WriteSide::Open);
        self.input.peer_side = PeerSide::Ended { first };
    }

    #[cold]
    pub(super) fn not_read(&mut self, error: io::Error) -> Filled {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Filled::Failed(error);
        }
        self.readiness.clear(Readiness::READABLE | Readiness::MORE_FOLLOWS);
        Filled::WouldBlock
    }

    /// Returns true if a write of `length` bytes only has to be appended to the send buffer.
    #[inline]
    pub(crate) fn only_gathers(&self, length: usize) -> bool {
        self.is_whole() && self.output.buffer.len() + length <= self.output.limits.gather
    }

    /// Returns true if more is queued than the limit, and the socket does not take it.
    pub(crate) fn is_beyond_limit(&mut self, spares: &mut Spares) -> io::Result<bool> {
        let is_beyond = |stream: &Self| stream.output.buffered() > stream.output.limits.most();
        if is_beyond(self) && self.wants_flush() {
            self.flush(spares)?; // Gathered data has not been offered to the socket before.
        }
        Ok(is_beyond(self))
    }

    /// Accepts `data`: appends it to the queued data, or writes a long one directly if the socket takes it.
    /// `running` is true in a callback of this connection.
    pub(crate) fn push(
        &mut self,
        data: &[u8],
        running: bool,
        spares: &mut Spares,
    ) -> io::Result<()> {
        let (mut data, droppable) = (data, self.is_droppable(data.len()));
        if droppable {
            self.output.drop_oldest.push(data);
        }
        if running && !data.is_empty() {
            self.open_chunk(droppable);
        }
        if droppable {
            return Ok(());
        }
        if let Some(filtered) = self.filtered_mut() {
            filtered.plain.push(data, spares);
            self.note_crossing();
            return Ok(());
        }
        if self.is_writable() && self.output.buffer.len() + data.len() >= GATHER {
            let queued = self.output.buffer.len();
            let sent = self.send(data, spares)?;
            data = &data[sent.saturating_sub(queued)..];
        }
        self.output.buffer.push(data, spares);
        self.note_crossing();
        Ok(())
    }

    /// Returns true if `length` bytes may be offered to the socket of a connection that can write directly.
    #[inline]
    pub(crate) fn takes_at_once(&self, length: usize) -> bool {
        self.is_writable() && length <= self.output.limits.gather
    }

    /// Writes `data` to the socket of a connection that can write directly.
    ///
    /// # Errors
    ///
    /// If the system did not take all of it: the number of bytes that it took, or the error.
    #[inline(always)]
    pub(crate) fn offer(&mut self, data: &[u8]) -> Result<(), io::Result<usize>> {
        let result = self.socket.send(data);
        trace!(target: TCP, "{} write: {result:?}", self.peer);
        match result {
            Ok(count) if count == data.len() => {
                self.traffic.sent += count as u64;
                self.traffic.writes += 1;
                Ok(())
            }
            result => Err(self.not_all_written(result)),
        }
    }

    /// Sends queued data, within the budget.
    #[inline(always)]
    pub(crate) fn flush(&mut self, spares: &mut Spares) -> io::Result<()> {
        let sent = match self.output.buffer.only_slice() {
            // Usually there is one buffer, and the first call takes all of it.
            Some(bytes) => {
                let (offered, result) = (bytes.len(), self.socket.send(bytes));
                let sent = self.took(offered, result)?;
                self.output.buffer.advance(sent, spares);
                sent
            }
            None => self.send(&[], spares)?,
        };
        if self.wants_flush() {
            self.flush_on(WRITE_BUDGET.saturating_sub(sent), spares)
        } else {
            Ok(())
        }
    }

    #[inline(never)]
    fn flush_on(&mut self, mut budget: usize, spares: &mut Spares) -> io::Result<()> {
        while self.wants_flush() && budget > 0 {
            budget = budget.saturating_sub(self.send(&[], spares)?);
        }
        Ok(())
    }

    /// Makes one system call with queued data, then `tail`. Returns the number of bytes of both that were
    /// taken. Sent data is removed from the send buffer.
    #[inline(never)]
    fn send(&mut self, tail: &[u8], spares: &mut Spares) -> io::Result<usize> {
        #[cfg(unix)]
        if self.is_backing_off() {
            self.readiness.clear(Readiness::WRITABLE);
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.output.buffer.slices(tail, spares, &mut slices);
        let slices = &slices[..filled];
        let offered = slices.iter().map(|slice| slice.len()).sum();
        #[cfg(unix)]
        let descriptors = self.output.buffer.descriptors_at_front();
        let result = match slices {
            #[cfg(unix)]
            slices if !descriptors.is_empty() => {
                self.socket.write_with_descriptors(slices, descriptors)
            }
            slices => self.socket.write(slices),
        };
        let sent = self.took(offered, result)?;
        self.output.buffer.advance(sent.min(self.output.buffer.len()), spares);
        Ok(sent)
    }

    /// Notes the result of a write of `offered` bytes.
    #[inline(always)]
    fn took(&mut self, offered: usize, result: io::Result<usize>) -> io::Result<usize> {
        trace!(target: TCP, "{} write: {result:?}", self.peer);
        match result {
            Ok(count) if count == offered => {
                self.traffic.sent += count as u64;
                self.traffic.writes += 1;
                Ok(offered)
            }
            result => self.not_all_written(result),
        }
    }

    #[cold]
    fn not_all_written(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        let full = match &result {
            // Bytes were offered, so a repetition would take none either.
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => !self.readiness.has(Readiness::SHORT_PROVES_NOTHING),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            #[cfg(unix)]
            Err(error) if self.is_too_many(error) => true,
            Err(_) => return result,
        };
        if full {
            self.readiness.clear(Readiness::WRITABLE);
        }
        let count = result.unwrap_or(0);
        self.traffic.sent += count as u64;
        self.traffic.writes += u64::from(count > 0);
        Ok(count)
    }
}
