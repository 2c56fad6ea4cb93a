//! States of a connection, from open to ended. No I/O.

use crate::source::stream::{Reading, WriteSide};
use crate::values::reason::Reason;

/// The progress of a connection toward its end.
#[derive(Debug)]
#[repr(u8)] // It is compared several times in each callback, so the discriminant is one byte.
pub(crate) enum Life {
    Open,
    /// A write has failed, for this reason. Data that can still be read is delivered, then the connection ends.
    Broken(Reason),
    /// It was closed for this reason and waits for the registered producer, which continues to write. Received
    /// data is discarded.
    Finishing(Reason),
    /// It was closed for this reason: queued data is sent, then the connection ends. Received data is
    /// discarded.
    Closing(Reason),
    /// The connection has ended, and only `connection_lost` is left to call. `lingers` is true if the peer may
    /// still be sending after an orderly close: see [`Lingering`](crate::source::lingering::Lingering).
    Ended {
        reason: Reason,
        lingers: bool,
    },
}

/// The treatment of received data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Delivered,
    /// It stays in the socket.
    Unread,
    Discarded,
}

impl Life {
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self, Self::Finishing(_) | Self::Closing(_) | Self::Ended { .. })
    }

    /// Returns true if written data will be sent. A connection that is ending accepts it while a producer is
    /// registered.
    pub(super) fn takes_writes(&self, side: WriteSide, produces: bool) -> bool {
        match side {
            WriteSide::Open => {
                matches!(self, Self::Open) || produces && matches!(self, Self::Finishing(_))
            }
            WriteSide::Ending => produces && matches!(self, Self::Open | Self::Finishing(_)),
            WriteSide::Absent | WriteSide::Ended => false,
        }
    }

    /// Returns the treatment of received data. A closing connection reads even when paused: a peer that sends
    /// all its data before it reads would otherwise never read the last bytes sent to it.
    pub(crate) fn received(&self, reading: Reading) -> Received {
        match self {
            Self::Open | Self::Broken(_) if reading == Reading::On => Received::Delivered,
            Self::Finishing(_) | Self::Closing(_) => Received::Discarded,
            Self::Open | Self::Broken(_) | Self::Ended { .. } => Received::Unread,
        }
    }

    /// Returns true if our side, or the whole connection, ends once all data is sent.
    pub(super) fn waits_for_output(&self, side: WriteSide) -> bool {
        match self {
            Self::Open => side == WriteSide::Ending,
            Self::Finishing(_) | Self::Closing(_) => true,
            Self::Broken(_) | Self::Ended { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in the documentation of [`Stream`](super::super::Stream).
    #[test]
    fn each_legal_state_has_one_row() {
        use Received::{Delivered, Discarded, Unread};
        use WriteSide::{Absent, Ended, Ending, Open};
        let ended = || Life::Ended { reason: Reason::Closed, lingers: false };
        // The life, our side, whether writes are accepted without and with a producer, the treatment of
        // received data, whether the end waits for output.
        let rows: [(Life, WriteSide, [bool; 2], Received, bool); 18] = [
            (Life::Open, Open, [true, true], Delivered, false),
            (Life::Open, Ending, [false, true], Delivered, true),
            (Life::Open, Ended, [false, false], Delivered, false),
            (Life::Open, Absent, [false, false], Delivered, false),
            (Life::Broken(Reason::Reset), Open, [false, false], Delivered, false),
            (Life::Broken(Reason::Reset), Ending, [false, false], Delivered, false),
            (Life::Broken(Reason::Reset), Ended, [false, false], Delivered, false),
            (Life::Broken(Reason::Reset), Absent, [false, false], Delivered, false),
            (Life::Finishing(Reason::Closed), Open, [false, true], Discarded, true),
            (Life::Finishing(Reason::Closed), Ending, [false, true], Discarded, true),
            (Life::Closing(Reason::Closed), Open, [false, false], Discarded, true),
            (Life::Closing(Reason::Closed), Ending, [false, false], Discarded, true),
            (Life::Closing(Reason::Closed), Ended, [false, false], Discarded, true),
            (Life::Closing(Reason::Closed), Absent, [false, false], Discarded, true),
            (ended(), Open, [false, false], Unread, false),
            (ended(), Ending, [false, false], Unread, false),
            (ended(), Ended, [false, false], Unread, false),
            (ended(), Absent, [false, false], Unread, false),
        ];
        for (life, side, writes, received, waits) in rows {
            let state = format!("{life:?}, our side {side:?}");
            assert_eq!([false, true].map(|p| life.takes_writes(side, p)), writes, "{state}");
            assert_eq!(life.received(Reading::On), received, "{state}");
            let paused = if received == Delivered { Unread } else { received };
            assert_eq!(life.received(Reading::Paused), paused, "{state}");
            assert_eq!(life.waits_for_output(side), waits, "{state}");
            assert_eq!(life.is_closing(), received != Delivered, "{state}");
        }
    }
}
