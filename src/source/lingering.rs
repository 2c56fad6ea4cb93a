//! Lingering sockets: they stay open after their connections.

use crate::source::stream::LONGEST_READ;
use crate::source::timer::TimerId;
use crate::sys::{Readiness, StreamSocket};
use std::io;
use std::mem;
use std::time::{Duration, Instant};

/// How long a closed socket lingers while its peer sends nothing. nginx's `lingering_timeout` is 5 seconds, but only
/// a peer that sends is harmed by the end.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// How long it lingers at most: as nginx's `lingering_time`.
pub(crate) const LONGEST_LINGER: Duration = Duration::from_secs(30);

/// The socket of a closed connection with a peer that may still be sending.
///
/// Closing a socket while data arrives makes the system send a reset, and a reset destroys data that the peer
/// has not read yet: megabytes may be left in the buffers of the system. So only our side is ended. Received data is
/// discarded until the peer ends its side or sends nothing for [`LINGER`], and no longer than [`LONGEST_LINGER`].
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) socket: StreamSocket,
    pub(crate) readiness: Readiness,
    /// Data was received after the close: the peer is still sending, and closing now would cause a reset.
    pub(crate) received_after_close: bool,
    /// Data was received since the timer was set.
    pub(crate) received_lately: bool,
    pub(crate) deadline: Instant,
    pub(crate) timer: TimerId,
}

impl Lingering {
    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    /// Returns true if the peer has sent data since the last call, and may send more.
    pub(crate) fn stays_open(&mut self, now: Instant) -> bool {
        // Timers fire before the data of the same turn is read.
        let ended = self.discard(&mut [0; 4096]);
        let received = mem::replace(&mut self.received_lately, false);
        received && !ended && now < self.deadline
    }

    /// Discards received data, within the budget. Returns true if the peer has ended its side.
    pub(crate) fn discard(&mut self, buffer: &mut [u8]) -> bool {
        let mut budget = LONGEST_READ;
        while budget > 0 {
            match self.socket.receive(buffer) {
                Ok(0) => return true,
                Ok(count) => {
                    (self.received_after_close, self.received_lately) = (true, true);
                    budget = budget.saturating_sub(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.clear(Readiness::READABLE);
                    return false;
                }
                Err(_) => return true,
            }
        }
        false
    }
}
