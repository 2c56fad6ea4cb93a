//! State of a filtered connection. The filters themselves are users' objects and belong to the dispatcher.

use crate::source::send_buffer::{SLICES, SendBuffer, Spares};
use crate::source::stream::{Life, Stream, WriteSide};
use crate::source::timer::TimerId;
use std::io::IoSlice;

/// The number of queued encoded bytes above which no more plaintext is encoded, and the most plaintext encoded
/// at a time: a few TLS records. More would be encoded before the socket can take it.
pub(crate) const AHEAD: usize = 64 * 1024;

/// The state of a filtered connection beside its send buffer, which holds encoded bytes.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// Plaintext that is not encoded yet.
    pub(crate) plain: SendBuffer,
    /// The number of outgoing bytes between two filters.
    pub(crate) between: usize,
    pub(crate) phase: Phase,
    /// The timer that ends the handshake.
    pub(crate) timer: Option<TimerId>,
    /// The number of added filters that the dispatcher has not received yet.
    pub(crate) adding: usize,
    /// True after the first handshake, or if there was none: there is a protocol, or will be before the next event.
    pub(crate) made: bool,
    /// True if the end of the data from the socket has been read.
    pub(crate) socket_ended: bool,
    /// True if the filter encodes nothing until data is received.
    pub(crate) blocked: bool,
    /// True if a callback to encode is pending, or the dispatcher is encoding.
    pub(crate) listed: bool,
}

/// The progress of a connection's filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Plaintext stays queued.
    Handshake,
    Established,
    /// The goodbye was sent, or the filters have failed. No more plaintext is encoded.
    Closed,
}

impl Filtered {
    pub(crate) fn new(made: bool) -> Self {
        Self {
            plain: SendBuffer::default(),
            between: 0,
            phase: Phase::Handshake,
            timer: None,
            adding: 0,
            made,
            socket_ended: false,
            blocked: false,
            listed: false,
        }
    }

    /// Returns the number of bytes to encode.
    pub(crate) fn queued(&self) -> usize {
        self.plain.len() + self.between
    }
}

impl Stream {
    pub(crate) fn filtered(&self) -> Option<&Filtered> {
        self.output.filtered.as_deref()
    }

    pub(crate) fn filtered_mut(&mut self) -> Option<&mut Filtered> {
        self.output.filtered.as_deref_mut()
    }

    /// Returns true if the first handshake is not complete, so that there is no protocol.
    pub(crate) fn in_handshake(&self) -> bool {
        self.filtered().is_some_and(|filtered| !filtered.made)
    }

    /// Returns true if the end of the data from the socket has been read.
    pub(crate) fn socket_has_ended(&self) -> bool {
        self.filtered().map_or_else(|| self.input.has_ended(), |filtered| filtered.socket_ended)
    }

    /// Returns true if our side can end without a further goodbye of the filters.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.filtered().is_none_or(|filtered| filtered.phase == Phase::Closed)
            || self.output.has_producer()
    }

    /// Returns true if bytes from the socket are discarded, not decoded: the connection is closing, and its filters
    /// are closed.
    pub(crate) fn discards_encoded(&self) -> bool {
        self.is_closing() && self.filtered().is_some_and(|filtered| filtered.phase == Phase::Closed)
    }

    /// Returns true if the filters may not send any more.
    pub(crate) fn filters_are_silent(&self) -> bool {
        matches!(self.life, Life::Broken(_) | Life::Ended { .. })
            || self.output.write_side.has_ended()
    }

    /// Returns true if our side is to end, all plaintext is encoded, and the filters have to send a goodbye.
    pub(crate) fn says_goodbye(&self) -> bool {
        let ends = match self.life {
            Life::Open => self.output.write_side == WriteSide::Ending,
            Life::Closing(_) => true,
            Life::Broken(_) | Life::Finishing(_) | Life::Ended { .. } => false,
        };
        ends && !self.output.has_producer()
            && self.output.drop_oldest.bytes() == 0
            && self.filtered().is_some_and(|filtered| {
                filtered.phase == Phase::Established && filtered.plain.is_empty()
            })
    }

    /// Returns true if the filters have something to encode, or a goodbye to send, and the queue of encoded
    /// bytes has room.
    pub(crate) fn wants_encoding(&self) -> bool {
        let Some(filtered) = self.filtered() else {
            return false;
        };
        let encodes = filtered.between > 0
            || filtered.phase == Phase::Established && !filtered.plain.is_empty();
        !filtered.listed
            && !filtered.blocked
            && !self.filters_are_silent()
            && self.output.buffer.len() < AHEAD
            && (encodes || self.says_goodbye())
    }

    /// Appends plaintext from the front of the queue to `piece`, up to the amount that is encoded at a time.
    pub(crate) fn copy_plaintext(&self, piece: &mut Vec<u8>, spares: &Spares) {
        let Some(filtered) = self.filtered() else {
            return;
        };
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = filtered.plain.slices(&[], spares, &mut slices);
        for slice in &slices[..filled] {
            let room = AHEAD.saturating_sub(piece.len());
            piece.extend_from_slice(&slice[..slice.len().min(room)]);
        }
    }
}
