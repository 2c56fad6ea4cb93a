//! Reception of datagrams, from the peer only if there is one.

use crate::source::datagram::{Datagram, closed};
use crate::sys::Readiness;
use crate::values::address::Address;
use crate::values::logging::DATAGRAM;
use log::trace;
use std::io;

/// A received datagram.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The number of its bytes in the buffer.
    pub(crate) length: usize,
    /// Its length as far as it is known, if it was truncated.
    pub(crate) truncated: Option<usize>,
    pub(crate) sender: Address,
}

/// The result of one attempt to receive.
#[derive(Debug)]
pub(crate) enum DatagramOutcome {
    Datagram(Arrived),
    /// A datagram of another sender than the peer, received before the socket was connected.
    Foreign,
    /// An error, which was added to the events.
    Error,
    /// A second error in succession: another attempt at once is useless.
    Exhausted,
    WouldBlock,
}

impl Datagram {
    /// Connects the socket to a peer. Datagrams queued for an earlier peer are still sent there.
    pub(crate) fn connect(&mut self, peer: Address) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or_else(closed)?;
        self.check_family(&peer)?;
        socket.connect(&peer)?;
        self.address = socket.local_address()?;
        self.only = Some(socket.peer_address().unwrap_or_else(|| peer.clone()));
        if let Some(before) = self.peer.replace(peer) {
            self.queue.keep_for(&before);
        }
        Ok(())
    }

    fn is_readable(&self) -> bool {
        self.readiness.has(Readiness::READABLE)
    }

    /// Receives a datagram. The buffer is one byte longer than the longest datagram that is delivered whole:
    /// a datagram that fills it was too long.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> DatagramOutcome {
        let Some(socket) = self.socket.as_ref().filter(|_| self.is_readable()) else {
            return DatagramOutcome::WouldBlock;
        };
        let most = self.max_size;
        let result = socket.receive(&mut buffer[..=most]);
        trace!(target: DATAGRAM, "{} receive: {result:?}", self.address);
        match result {
            Ok((length, sender)) => {
                self.failing = false;
                if self.only.as_ref().is_some_and(|peer| !is_from(&sender, peer)) {
                    return DatagramOutcome::Foreign;
                }
                self.counts.received += 1;
                self.counts.truncated += u64::from(length > most);
                let truncated = (length > most).then_some(length);
                DatagramOutcome::Datagram(Arrived { length: length.min(most), truncated, sender })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.clear(Readiness::READABLE);
                self.failing = false;
                self.only = None; // From now on the system discards them.
                DatagramOutcome::WouldBlock
            }
            Err(error) => {
                self.handle_error(error);
                match std::mem::replace(&mut self.failing, true) {
                    false => DatagramOutcome::Error,
                    true => DatagramOutcome::Exhausted,
                }
            }
        }
    }
}

/// Returns true if a datagram is from this peer. A raw socket does not report the sender's port, and only some
/// addresses have an interface.
fn is_from(sender: &Address, peer: &Address) -> bool {
    match (sender.socket_addr(), peer.socket_addr()) {
        (Some(sender), Some(peer)) => {
            // A socket connected to the unspecified address is connected to this machine.
            (peer.ip().is_unspecified() || sender.ip() == peer.ip())
                && (sender.port() == peer.port() || sender.port() == 0)
        }
        _ => sender == peer,
    }
}
