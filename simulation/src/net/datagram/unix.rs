//! Unix datagrams, which arrive immediately or not at all.

use crate::net::Net;
use crate::net::datagram::transmission::memory_for;
use crate::net::error::{no_socket_at, not_the_peer, system, too_long};
use crate::node::NodeId;
use crate::schedule::Key;
use crate::unix_names::UnixKind;
use ropewalk::UnixAddress;
use ropewalk::backend::Readiness;
use std::io::{self, ErrorKind};

/// The number of datagrams that a Unix socket queues before senders block (unix(7), `max_dgram_qlen`).
const UNIX_QUEUE: usize = 10;

impl Net {
    /// Reports senders that are connected to a socket as writable, after it has received a datagram or was closed.
    pub(super) fn notify_waiting_senders(&mut self, key: Key) {
        let Some(socket) = self.datagram(key) else { return };
        for sender in std::mem::take(&mut socket.waiting) {
            if self.datagram(sender).is_some_and(|sender| sender.unix_peer == Some(key)) {
                self.notify_datagram(sender, Readiness::WRITABLE);
            }
        }
    }

    /// Disconnects a socket from a peer that is closed. Returns the error, which is reported once.
    pub(super) fn disconnect_unix(&mut self, key: Key) -> io::Error {
        if let Some(socket) = self.datagram(key) {
            (socket.peer, socket.unix_peer) = (None, None);
        }
        system(ErrorKind::ConnectionRefused)
    }

    /// Returns the socket that receives datagrams to `to`, if the sender is allowed to send to it.
    pub(super) fn unix_receiver(
        &mut self,
        sender: Key,
        node: NodeId,
        to: &UnixAddress,
    ) -> io::Result<Key> {
        let receiver = self.host(node).unix_names.find(UnixKind::Datagrams, to)?;
        match self.datagram(receiver) {
            None => Err(system(ErrorKind::ConnectionRefused)),
            Some(socket) if !socket.accepts_from(sender) => Err(not_the_peer()),
            Some(_) => Ok(receiver),
        }
    }

    pub(super) fn send_unix(&mut self, key: Key, data: &[u8], to: &UnixAddress) -> io::Result<()> {
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        let (node, sender, limit) = (socket.node, socket.address.clone(), socket.send_buffer);
        if to.is_unnamed() {
            return Err(no_socket_at(to));
        }
        // The descriptor of a datagram takes memory of the send buffer, too.
        if data.len() > limit - 32 {
            return Err(too_long());
        }
        let receiver = self.unix_receiver(key, node, to)?;
        let Some(socket) = self.datagram(receiver) else {
            return Err(system(ErrorKind::ConnectionRefused));
        };
        // Two sockets connected with each other, and a socket that sends to itself, are limited by the buffer
        // only.
        let is_own = receiver == key || socket.unix_peer == Some(key);
        let is_full = if is_own { socket.queued >= limit } else { socket.queue.len() > UNIX_QUEUE };
        if is_full {
            if !socket.waiting.contains(&key) {
                socket.waiting.push(key);
            }
            return Err(system(ErrorKind::WouldBlock));
        }
        socket.queued += memory_for(data.len());
        socket.queue.push_back((data.into(), sender));
        self.notify_datagram(receiver, Readiness::READABLE);
        self.charge_data(node, data.len());
        Ok(())
    }
}
