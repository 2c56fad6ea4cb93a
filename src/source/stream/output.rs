//! The sending half of a connection or connection attempt.

use crate::source::send_buffer::{SendBuffer, Spares};
use crate::source::stream::{DropOldest, Filtered, Flow, Limits, Phase};
use std::mem;

/// Queued data for the peer, and its limits. A connection attempt has it as well, and the connection takes it
/// over.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Bytes for the socket: written, or encoded by the filters.
    pub(crate) buffer: SendBuffer,
    /// Chunks behind `buffer`, if the oldest ones may be dropped.
    pub(crate) drop_oldest: DropOldest,
    /// The state of the filters, if there are any: written data is queued there.
    pub(crate) filtered: Option<Box<Filtered>>,
    /// The limits on queued data.
    pub(crate) limits: Limits,
    /// The state of the notifications about the marks: see [`Flow`].
    pub(crate) flow: Flow,
    /// Whether a producer is registered: see [`Producing`].
    pub(crate) producing: Producing,
    /// Counts registrations and their ends. A producer that was registered under another number is no longer
    /// registered.
    pub(crate) registration: u32,
    /// The progress of our end: see [`WriteSide`].
    pub(crate) write_side: WriteSide,
    /// True if it is listed for the flush at the end of the turn, where it is listed once.
    pub(crate) unflushed: bool,
}

/// The kind of producer that is registered for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Producing {
    #[default]
    Nothing,
    /// The producer is notified at the marks.
    Push,
    /// The producer is asked when the socket accepts data. If `asked_at` equals the number of bytes sent, the
    /// last request had no result.
    Pull { asked_at: Option<u64> },
}

/// The progress of the end of our side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteSide {
    #[default]
    Open,
    /// It ends when all queued data is sent.
    Ending,
    Ended,
    /// There is none: the connection only reads.
    #[cfg_attr(not(unix), allow(dead_code))]
    Absent,
}

impl WriteSide {
    /// Returns true if nothing more can be written.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Absent | Self::Ended)
    }
}

impl Output {
    /// Returns the number of queued bytes.
    pub(crate) fn queued(&self) -> usize {
        self.buffered() + self.drop_oldest.bytes()
    }

    /// Returns the number of queued bytes that cannot be dropped any more.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len() + self.filtered.as_ref().map_or(0, |filtered| filtered.queued())
    }

    /// Returns the queue for written data, and the drop-oldest queue.
    pub(super) fn written(&mut self) -> (&mut SendBuffer, &mut DropOldest) {
        let queue = match &mut self.filtered {
            Some(filtered) => &mut filtered.plain,
            None => &mut self.buffer,
        };
        (queue, &mut self.drop_oldest)
    }

    /// Passes all data through filters from now on, including data written before the connection was made.
    /// `made` is true if there is a protocol.
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

    /// Returns true if the peer has not received everything: there is queued data, a registered producer or an
    /// unsent goodbye.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.queued() > 0
            || self.has_producer()
            || self.filtered.as_ref().is_some_and(|filtered| filtered.phase != Phase::Closed)
    }

    /// Returns true if a writable socket requires work even if `buffer` is empty.
    pub(super) fn needs_each_write_checked(&self) -> bool {
        matches!(self.producing, Producing::Pull { .. })
            || self.drop_oldest.is_chosen()
            || self.filtered.is_some()
    }

    /// Moves all chunks to the queue for written data, where none is dropped.
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
