//! The sending half of a connection, or of an attempt to make one.

use crate::source::send_buffer::{SendBuffer, Spares};
use crate::source::stream::{DropOldest, Filtered, Flow, Limits, Phase};
use std::mem;

/// The bytes for the peer that are queued, and what limits them. An attempt to connect has it as well,
/// and the connection takes it over.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Bytes that wait for the socket: written and not sent, or encoded and not sent.
    pub(crate) buffer: SendBuffer,
    /// The pieces that follow `buffer`, if the oldest ones may be dropped.
    pub(crate) drop_oldest: DropOldest,
    /// Set if the bytes pass through filters: then what is written is queued there.
    pub(crate) filtered: Option<Box<Filtered>>,
    /// How much may be queued.
    pub(crate) limits: Limits,
    /// What the protocol knows of the marks: see [`Flow`].
    pub(crate) flow: Flow,
    /// Whether a producer is registered: see [`Producing`].
    pub(crate) producing: Producing,
    /// Counts registrations and their ends. A producer that was registered under another number is no
    /// longer registered.
    pub(crate) registration: u32,
    /// Our side: see [`WriteSide`].
    pub(crate) write_side: WriteSide,
    /// It is listed for the flush at the end of the turn, once.
    pub(crate) unflushed: bool,
}

/// Whether a producer is registered for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Producing {
    #[default]
    Nothing,
    /// It is notified at the marks.
    Push,
    /// It is asked when the socket accepts data, but when `asked_at` equals the bytes sent, the last
    /// request had no result.
    Pull { asked_at: Option<u64> },
}

/// How far the ending of our side has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteSide {
    #[default]
    Open,
    /// It ends when all queued data is sent.
    Ending,
    Ended,
}

impl Output {
    /// How many bytes are queued.
    pub(crate) fn queued(&self) -> usize {
        self.buffered() + self.drop_oldest.bytes()
    }

    /// How many of the queued bytes are no longer dropped.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len() + self.filtered.as_ref().map_or(0, |filtered| filtered.waiting())
    }

    /// The queue for written data, and the pieces that may be dropped.
    pub(super) fn written(&mut self) -> (&mut SendBuffer, &mut DropOldest) {
        let queue = match &mut self.filtered {
            Some(filtered) => &mut filtered.plain,
            None => &mut self.buffer,
        };
        (queue, &mut self.drop_oldest)
    }

    /// Has the bytes pass through filters from now on. `made` says that there is a protocol. What was
    /// written for a connection that is not made yet passes through them as well.
    pub(crate) fn filter(&mut self, made: bool) {
        let mut filtered = Filtered::new(made);
        if !made {
            filtered.plain = mem::take(&mut self.buffer);
        }
        self.filtered = Some(Box::new(filtered));
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producing != Producing::Nothing
    }

    /// Returns true if there is queued data, a registered producer or an unsaid goodbye: what the peer has got so far is
    /// not the whole.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.queued() > 0
            || self.has_producer()
            || self.filtered.as_ref().is_some_and(|filtered| filtered.phase != Phase::Closed)
    }

    /// Returns true if room in the socket matters even if `buffer` is empty.
    pub(super) fn needs_each_write_checked(&self) -> bool {
        matches!(self.producing, Producing::Pull { .. })
            || self.drop_oldest.is_chosen()
            || self.filtered.is_some()
    }

    /// Moves all pieces to the queue, where none is dropped any more.
    pub(crate) fn commit_drop_oldest(&mut self, spares: &mut Spares) {
        let (queue, drop_oldest) = self.written();
        drop_oldest.commit(queue, spares);
    }

    /// Drops all queued data.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.buffer.clear(spares);
        self.drop_oldest.clear();
        if let Some(filtered) = &mut self.filtered {
            filtered.plain.clear(spares);
            filtered.between = 0;
        }
    }
}
