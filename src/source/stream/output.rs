//! The sending half of a connection, or of an attempt to make one.

use crate::source::send_buffer::{SendBuffer, Spares};
use crate::source::stream::{DropOldest, Flow, Limits};

/// The bytes for the peer that are queued, and what limits them. An attempt to connect has it as well,
/// and the connection takes it over.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Written and not sent.
    pub(crate) buffer: SendBuffer,
    /// The pieces that follow `buffer`, if the oldest ones may be dropped.
    pub(crate) drop_oldest: DropOldest,
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
        self.buffer.len() + self.drop_oldest.bytes()
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producing != Producing::Nothing
    }

    /// Returns true if there is queued data or a registered producer: what the peer has got so far is
    /// not the whole.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.queued() > 0 || self.has_producer()
    }

    /// Returns true if room in the socket matters even if `buffer` is empty.
    pub(super) fn needs_each_write_checked(&self) -> bool {
        matches!(self.producing, Producing::Pull { .. }) || self.drop_oldest.is_chosen()
    }

    /// Moves all pieces to `buffer`, where none is dropped any more.
    #[cfg(unix)]
    pub(crate) fn commit_drop_oldest(&mut self, spares: &mut Spares) {
        self.drop_oldest.commit(&mut self.buffer, spares);
    }

    /// Drops all queued data.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.buffer.clear(spares);
        self.drop_oldest.clear();
    }
}
