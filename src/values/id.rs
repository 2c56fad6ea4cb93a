//! Ids: the names of sockets.

use std::fmt;

/// The number of low bits of an [`Id`] that hold the slot: enough for 16,777,215 sockets at a time.
const SLOT_BITS: u32 = 24;

/// The name of one socket of one reactor: a connection, a connection attempt, a listener, or a
/// datagram socket.
///
/// An `Id` is a slot in the reactor's table and a serial that is never reused. It
/// can be kept for any time: after its connection has closed it
/// names nothing, and every request made with it does nothing. It never names the next socket
/// in the same slot.
///
/// Ids are unique within one reactor; two reactors may use equal ones.
///
/// ```
/// use ropewalk::{Address, Error, Protocol, Reactor, Transport};
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
/// reactor.context().close(port.id());
/// // The listener is closed, and its id names nothing.
/// assert_eq!(reactor.context().local_address(port.id()), Address::Unknown);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Id {
    /// The number of slots. The ids of the waker and of the signals use this number as their slot, so no socket
    /// has their tokens. Both fit into a pointer of 32 bits.
    pub(crate) const SLOTS: usize = (1 << SLOT_BITS) - 1;

    /// One more than the highest serial: 2⁴⁰ sockets, which at 10,000 new ones a second last for
    /// three and a half years.
    pub(crate) const SERIALS: u64 = 1 << (u64::BITS - SLOT_BITS);

    /// The id of the reactor's waker: no socket has its slot.
    pub(crate) const WAKER: Self = Self(u32::MAX as u64);

    /// The id of the signals: no socket has its slot.
    pub(crate) const SIGNALS: Self = Self((u32::MAX - (1 << SLOT_BITS)) as u64);

    /// The id of no socket: its slot is never used.
    pub(crate) const NONE: Self = Self(Self::SLOTS as u64);

    pub(crate) fn new(slot: usize, serial: u64) -> Self {
        debug_assert!(slot < Self::SLOTS && serial < Self::SERIALS);
        Self(serial << SLOT_BITS | slot as u64)
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 & Self::SLOTS as u64) as usize
    }

    /// Returns the token under which the socket is registered with the poll. Where a pointer has 32 bits, the upper
    /// bits of the serial are lost here, which does no harm: an event is only a hint.
    pub(crate) fn token(self) -> usize {
        self.0 as usize
    }

    /// Returns the id that a token belongs to, without the bits that a token has lost.
    #[cfg(feature = "system")]
    pub(crate) fn from_token(token: usize) -> Self {
        Self(token as u64)
    }

    /// Returns the id as a number, for a journal.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Returns the id with this number, if it is the id of a socket.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Some(Self(number)).filter(|id| id.slot() != Self::SLOTS)
    }

    fn serial(self) -> u64 {
        self.0 >> SLOT_BITS
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

/// Formats the id as in the logs: `#slot.serial`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.slot(), self.serial())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_and_serial_survive_packing() {
        let id = Id::new(Id::SLOTS - 1, Id::SERIALS - 1);
        assert_eq!((id.slot(), id.serial()), (Id::SLOTS - 1, Id::SERIALS - 1));
        assert_eq!(Id::from_token(id.token()).slot(), id.slot());
    }

    #[test]
    fn reserved_tokens_fit_into_32_bits() {
        for id in [Id::WAKER, Id::SIGNALS] {
            assert_eq!(Id::from_token(id.token() as u32 as usize), id);
            assert_eq!(id.slot(), Id::SLOTS, "no socket has this slot");
        }
        assert_ne!(Id::WAKER, Id::SIGNALS);
    }

    #[test]
    fn new_serial_in_same_slot_is_another_id() {
        assert_ne!(Id::new(7, 1), Id::new(7, 2));
        assert_ne!(Id::new(7, 1).token(), Id::new(7, 2).token());
    }
}
