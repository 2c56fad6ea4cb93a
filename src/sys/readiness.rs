//! What the poll says of a socket.

use std::ops::{BitAnd, BitOr, BitOrAssign};

/// Hints about a socket: only reading or writing tells the truth.
///
/// They are bits of one byte, since an event that is like most others is taken in by a single `or`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness(u8);

impl Readiness {
    /// A read is worth a try; `WouldBlock` clears it, or a short read.
    pub(crate) const READABLE: Self = Self(1);
    /// A read that returns less than was asked for does not mean that nothing more is to come: the
    /// peer's end is known to follow, an error, or urgent data, at which a read stops short.
    pub(crate) const MORE_FOLLOWS: Self = Self(2);
    /// A write is worth a try; `WouldBlock` clears it, or a short write.
    pub(crate) const WRITABLE: Self = Self(4);
    /// The peer has ended its side. All that it sent before may still be unread.
    pub(crate) const ENDED: Self = Self(16);
    /// The socket has an error. A read tells which; where nobody reads, the socket is asked.
    pub(crate) const FAILED: Self = Self(8);

    /// The poll does not say this, and nothing clears it: it is a Unix socket, which is not read like
    /// others. It stands here because it then costs the others nothing.
    pub(crate) const UNIX: Self = Self(32);

    /// Nor does the poll say this: it is a socket of another world than the system's.
    pub(crate) const OTHER: Self = Self(64);

    /// Nor does the poll say this: a write event concerns the connection even if its send buffer is empty,
    /// since a pull producer or a feed may have more.
    pub(crate) const CLOSELY: Self = Self(128);

    /// These, and `others`.
    pub(crate) const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether any of `hints` is there.
    pub(crate) fn has(self, hints: Self) -> bool {
        self & hints != Self::default()
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
