//! Descriptors in and out, with the bytes between which they belong.

use crate::source::fd_passing::{OwnedFd, WAITING};
use crate::source::send_buffer::Spares;
use crate::source::stream::{Filled, Stream};
use crate::sys::{Readiness, StreamBackend};
use crate::values::logging::TCP;
use log::{debug, trace};
use std::io;
use std::mem;

/// What came with the bytes of one read.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Not all that were passed are here.
    pub(crate) lost: bool,
}

impl Stream {
    /// Whether it is to be read by [`fill_unix`](Self::fill_unix).
    pub(crate) fn is_unix(&self) -> bool {
        self.readiness.has(Readiness::PASSES_DESCRIPTORS)
    }

    /// Whether so many descriptors more are more than may wait, and the socket does not take those that
    /// wait.
    pub(crate) fn has_no_room_for(&mut self, count: usize, spares: &mut Spares) -> bool {
        let is_full = |stream: &Self| stream.output.buffer.descriptors_waiting() + count > WAITING;
        if is_full(self) && self.wants_flush() && self.flush(spares).is_err() {
            return false; // They go with the connection, which ends when the error is met again.
        }
        is_full(self)
    }

    /// Reads once from a Unix socket. Such a read stops short behind each message that carried
    /// descriptors or credentials, wanted or not, and only this way of reading tells that there were any;
    /// otherwise a short read has emptied the socket, as ever.
    pub(crate) fn fill_unix(&mut self, buffer: &mut [u8]) -> (Filled, Option<Passed>) {
        let closing = self.is_closing();
        let take = self.socket.takes_descriptors() && !closing;
        let result = self.socket.read_with_descriptors(buffer, take);
        trace!(target: TCP, "{} read: {result:?}", self.peer);
        let received = match result {
            Ok(received) => received,
            Err(error) => return (self.not_read(error), None),
        };
        let short = received.count < buffer.len() && self.socket.short_means_would_block();
        if received.cut && !take {
            debug!(target: TCP, "{} passed descriptors that nobody takes", self.peer);
        }
        let passed = (take && (received.cut || !received.descriptors.is_empty()))
            .then_some(Passed { descriptors: received.descriptors, lost: received.cut });
        (self.took_in(received.count, short && !received.stopped, closing), passed)
    }

    /// Whether the system refuses to take descriptors for now, since too many are on their way. It does
    /// not tell when it will take some again.
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

    /// Whether descriptors wait that the system has refused, so that it has to be asked again after a
    /// while, which has not been seen to yet.
    pub(crate) fn begins_backoff(&mut self) -> bool {
        let refused = self.output.buffer.passing().filter(|passing| passing.refusals > 0);
        refused.is_some_and(|passing| !mem::replace(&mut passing.backing_off, true))
    }

    /// Whether the system is not to be asked yet. The poll says that it may be, after each attempt that
    /// has failed, and is not believed.
    pub(super) fn is_backing_off(&mut self) -> bool {
        self.output.buffer.passing().is_some_and(|passing| passing.backing_off)
    }

    /// Has the system asked again.
    pub(crate) fn end_backoff(&mut self) {
        if let Some(passing) = self.output.buffer.passing() {
            passing.backing_off = false;
            self.readiness |= Readiness::WRITABLE;
        }
    }
}

/// How often in a row the system may have too many, before that counts as an error. It is asked again
/// every [`BACKOFF`](crate::source::listener::BACKOFF): ten seconds for those who have them to take them.
const REFUSALS: u32 = 100;
