//! Passed descriptors: sent and received with the bytes that carry them.

use crate::source::fd_passing::{MAX_QUEUED, OwnedFd};
use crate::source::send_buffer::Spares;
use crate::source::stream::{Filled, Stream};
use crate::sys::{Readiness, StreamBackend};
use crate::values::logging::TCP;
use log::{debug, trace};
use std::io;
use std::mem;

/// Descriptors that one read has received.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) descriptors: Vec<OwnedFd>,
    /// True if some of the passed descriptors were lost.
    pub(crate) lost: bool,
}

impl Stream {
    /// Returns true if [`fill_unix`](Self::fill_unix) has to read it.
    pub(crate) fn is_unix(&self) -> bool {
        self.readiness.has(Readiness::PASSES_DESCRIPTORS)
    }

    /// Returns true if `count` more descriptors would exceed the limit, and the socket does not take the queued
    /// ones.
    pub(crate) fn has_no_room_for(&mut self, count: usize, spares: &mut Spares) -> bool {
        let is_full =
            |stream: &Self| stream.output.buffer.descriptors_waiting() + count > MAX_QUEUED;
        if is_full(self) && self.wants_flush() && self.flush(spares).is_err() {
            return false; // The next write returns the error and ends the connection.
        }
        is_full(self)
    }

    /// Reads once from a Unix socket. Such a read ends after each message with descriptors or credentials,
    /// expected or not, so it can be short while more data is available. Only this call reports such a message;
    /// any other short read means that the next one would block.
    pub(crate) fn fill_unix(&mut self, buffer: &mut [u8]) -> (Filled, Option<Passed>) {
        let closing = self.is_closing();
        let take = self.socket.takes_descriptors() && !closing;
        let result = self.socket.read_with_descriptors(buffer, take);
        trace!(target: TCP, "{} read: {result:?}", self.peer);
        let received = match result {
            Ok(received) => received,
            Err(error) => return (self.not_read(error), None),
        };
        let short = received.count < buffer.len();
        if received.cut && !take {
            debug!(target: TCP, "{} closed descriptors that the protocol refuses", self.peer);
        }
        let passed = (take && (received.cut || !received.descriptors.is_empty()))
            .then_some(Passed { descriptors: received.descriptors, lost: received.cut });
        (self.took_in(received.count, short && !received.stopped, closing), passed)
    }

    /// Returns true if the system refuses descriptors for now because too many are in flight. It does not
    /// report when it accepts them again.
    pub(super) fn is_too_many(&mut self, error: &io::Error) -> bool {
        match self.output.buffer.passing() {
            Some(passing)
                if self.socket.is_too_many_descriptors(error) && passing.refusals < REFUSALS =>
            {
                passing.refusals += 1;
                true
            }
            _ => false,
        }
    }

    /// Returns true if the system has refused queued descriptors, and no timer for another attempt has been
    /// requested yet. Notes the request.
    pub(crate) fn begins_backoff(&mut self) -> bool {
        let refused = self.output.buffer.passing().filter(|passing| passing.refusals > 0);
        refused.is_some_and(|passing| !mem::replace(&mut passing.backing_off, true))
    }

    /// Returns true until the timer for another attempt has fired. The poll reports the socket as writable
    /// after each failed attempt, which is ignored meanwhile.
    pub(super) fn is_backing_off(&mut self) -> bool {
        self.output.buffer.passing().is_some_and(|passing| passing.backing_off)
    }

    /// Allows another attempt.
    pub(crate) fn end_backoff(&mut self) {
        if let Some(passing) = self.output.buffer.passing() {
            passing.backing_off = false;
            self.readiness |= Readiness::WRITABLE;
        }
    }
}

/// The number of consecutive refusals that counts as an error. Attempts are made every
/// [`BACKOFF`](crate::source::listener::BACKOFF), so receivers have ten seconds to take the descriptors in
/// flight.
const REFUSALS: u32 = 100;
