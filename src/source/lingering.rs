//! Sockets that outlive their connections. Floor 1.

use crate::source::stream::LONGEST_READ;
use crate::source::timer::TimerId;
use crate::sys::{Readiness, StreamSocket};
use std::io;
use std::time::Duration;

/// How long a closed socket lingers for the peer to end its side. nginx grants 5 seconds between
/// two reads; this is for all of it, since what lingers only throws away.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// The socket of a connection that has ended for us while the peer may still be sending.
///
/// To close a socket on which data arrives makes the system send a reset, and a reset destroys what
/// the peer has not read yet: our last words. So our side is ended, and what comes in is thrown
/// away until the peer ends its own, or until [`LINGER`] is over.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) socket: StreamSocket,
    pub(crate) readiness: Readiness,
    /// Something has come in: the peer is still sending, and a close now would be a reset.
    pub(crate) received_after_close: bool,
    pub(crate) timer: TimerId,
}

impl Lingering {
    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    /// Throws away what has come in, within the budget. Whether the peer has ended its side.
    pub(crate) fn drain(&mut self, buffer: &mut [u8]) -> bool {
        let mut budget = LONGEST_READ;
        while budget > 0 {
            match self.socket.read_from_other(buffer) {
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
