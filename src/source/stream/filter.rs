//! The state of a connection whose bytes pass through filters. The filters themselves are the
//! dispatcher's, since they are users' code.

use crate::source::send_buffer::{SLICES, SendBuffer, Spares};
use crate::source::stream::{Life, Stream, WriteSide};
use crate::source::timer::TimerId;
use std::io::IoSlice;

/// How many encoded bytes may be queued when more plaintext is encoded, and how much plaintext is encoded at a
/// time: a few records of TLS. More would only be encoded earlier than the socket takes it.
pub(crate) const AHEAD: usize = 64 * 1024;

/// What a filtered connection has beside the bytes that wait for the socket, which are encoded.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// Written and not encoded.
    pub(crate) plain: SendBuffer,
    /// Bytes that lie between two filters, on their way out.
    pub(crate) between: usize,
    pub(crate) phase: Phase,
    /// Ends the handshake when it fires.
    pub(crate) timer: Option<TimerId>,
    /// Filters that were added, and that the dispatcher has not received yet.
    pub(crate) adding: usize,
    /// There is a protocol, or will be before the next event: the connection was made.
    pub(crate) made: bool,
    /// The end of the bytes from the socket has been read.
    pub(crate) socket_ended: bool,
    /// The filter encodes no more before something has been received.
    pub(crate) blocked: bool,
    /// A notice to encode is pending, or the dispatcher is encoding.
    pub(crate) listed: bool,
}

/// How far the filters of a connection have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Plaintext waits.
    Handshake,
    Established,
    /// The goodbye has been said, or the filters have failed. No plaintext is encoded any more.
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

    /// How many bytes wait to be encoded.
    pub(crate) fn waiting(&self) -> usize {
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

    /// Returns true if the first handshake is not over, so that there is no protocol.
    pub(crate) fn in_handshake(&self) -> bool {
        self.filtered().is_some_and(|filtered| !filtered.made)
    }

    /// Returns true if the end of the peer's data, as far as the socket is concerned, has been read.
    pub(crate) fn socket_has_ended(&self) -> bool {
        self.filtered().map_or(self.input.has_ended(), |filtered| filtered.socket_ended)
    }

    /// Returns true if no filter has a goodbye to say before our side ends.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.filtered().is_none_or(|filtered| filtered.phase == Phase::Closed)
            || self.output.has_producer()
    }

    /// Returns true if the filters may send nothing any more.
    pub(crate) fn filters_are_silent(&self) -> bool {
        matches!(self.life, Life::Broken(_) | Life::Ended { .. })
            || self.output.write_side == WriteSide::Ended
    }

    /// Returns true if our side is to end, all plaintext has been given to the filters, and they have to
    /// say goodbye.
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

    /// Returns true if the filters have something to encode, or a goodbye to say, and the queue of encoded
    /// bytes has room. `held` says that a callback of the connection is running, which may yet write.
    pub(crate) fn wants_encoding(&self, held: bool) -> bool {
        let Some(filtered) = self.filtered() else {
            return false;
        };
        let encodes = filtered.between > 0
            || filtered.phase == Phase::Established && !filtered.plain.is_empty();
        !filtered.listed
            && !filtered.blocked
            && !self.filters_are_silent()
            && self.output.buffer.len() < AHEAD
            && (encodes || !held && self.says_goodbye())
    }

    /// Copies the plaintext at the front, as much as is encoded at a time, to the end of `piece`.
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
