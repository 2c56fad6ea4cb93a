//! Readiness of a socket, as events report it.

use std::ops::{BitAnd, BitOr, BitOrAssign};

/// The readiness that events have reported. These are hints, reported once when they become true, as by an
/// edge-triggered poll: only a read or a write proves them.
///
/// They are bits of one byte, so a usual event is noted by a single `or`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness(u8);

impl Readiness {
    /// A read or an accept may succeed. After a read that returned less than requested, or
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock), it is reported again when more data has arrived.
    pub const READABLE: Self = Self(1);
    /// A short read does not mean that the socket is empty: the end of the data, an error or urgent data
    /// follows, before which a read stops.
    pub const MORE_FOLLOWS: Self = Self(2);
    /// A write may succeed, or the attempt to connect has an outcome. After a write that took less than
    /// offered, or [`WouldBlock`](std::io::ErrorKind::WouldBlock), it is reported again.
    pub const WRITABLE: Self = Self(4);
    /// The peer has ended its side. Data that it sent before may still be unread.
    pub const ENDED: Self = Self(16).or(Self::READABLE).or(Self::MORE_FOLLOWS);
    /// The socket has an error, which a read or [`take_error`](crate::backend::SocketBackend::take_error)
    /// returns.
    pub const FAILED: Self = Self(8).or(Self::READABLE).or(Self::WRITABLE).or(Self::MORE_FOLLOWS);

    /// The bit that only [`ENDED`](Self::ENDED) has.
    pub(crate) const HAS_ENDED: Self = Self(16);
    /// The bit that only [`FAILED`](Self::FAILED) has.
    pub(crate) const HAS_FAILED: Self = Self(8);

    /// Not reported by events, and never cleared: the connection can pass descriptors, and is read by a call
    /// that receives them. The bit is here because it then costs other connections nothing.
    pub(crate) const PASSES_DESCRIPTORS: Self = Self(32);

    /// Not reported by events, and never cleared: a short read does not mean that the socket is empty, nor a short
    /// write that it is full. Only `WouldBlock` tells.
    pub(crate) const SHORT_PROVES_NOTHING: Self = Self(64);

    /// Not reported by events: the connection has to act when it is writable even if its send buffer is empty,
    /// since a pull producer or a drop-oldest queue may have more data.
    pub(crate) const ACTS_WHEN_WRITABLE: Self = Self(128);

    /// Returns these hints and `others`.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns true if any of `hints` is set.
    #[must_use]
    pub fn has(self, hints: Self) -> bool {
        self & hints != Self::default()
    }

    /// Returns the bits, for a journal.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) fn clear(&mut self, hints: Self) {
        self.0 &= !hints.0;
    }
}

impl BitAnd for Readiness {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Readiness {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
