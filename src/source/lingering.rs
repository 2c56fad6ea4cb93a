//! Lingering sockets: they stay open after their connections.

use crate::source::stream::LONGEST_READ;
use crate::source::timer::TimerId;
use crate::sys::{Readiness, StreamSocket};
use std::io;
use std::time::Duration;

/// How long a closed socket lingers for the peer to end its side. nginx allows 5 seconds between two reads;
/// this is the limit for all reads, since received data is only discarded.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// The socket of a closed connection with a peer that may still be sending.
///
/// Closing a socket while data arrives makes the system send a reset, and a reset destroys data that the peer
/// has not read yet. So only our side is ended. Received data is discarded until the peer ends its side, or
/// until [`LINGER`] has passed.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) socket: StreamSocket,
    pub(crate) readiness: Readiness,
    /// Data was received after the close: the peer is still sending, and closing now would cause a reset.
    pub(crate) received_after_close: bool,
    pub(crate) timer: TimerId,
}

impl Lingering {
    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    /// Discards received data, within the budget. Returns true if the peer has ended its side.
    pub(crate) fn drain(&mut self, buffer: &mut [u8]) -> bool {
        let mut budget = LONGEST_READ;
        while budget > 0 {
            match self.socket.receive(buffer) {
                Ok(0) => return true,
                Ok(count) => {
                    self.received_after_close = true;
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
