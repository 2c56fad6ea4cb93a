//! Datagrams between Unix sockets, which do not travel: they are there at once, or not at all.

use crate::net::Net;
use crate::net::datagram::transmission::memory_for;
use crate::net::error::{no_socket_at, not_the_peer, system, too_long};
use crate::node::NodeId;
use crate::schedule::Key;
use crate::unix_names::UnixKind;
use ropewalk::UnixAddress;
use ropewalk::backend::Happening;
use std::io::{self, ErrorKind};

/// How many datagrams wait at a Unix socket before senders have to (unix(7), `max_dgram_qlen`).
const UNIX_QUEUE: usize = 10;

impl Net {
    /// There is room at a socket, or it is closed: senders that are connected to it become writable.
    pub(super) fn notify_waiting_senders(&mut self, key: Key) {
        let Some(socket) = self.datagram(key) else { return };
        for sender in std::mem::take(&mut socket.waiting) {
            if self.datagram(sender).is_some_and(|sender| sender.unix_peer == Some(key)) {
                self.notify_datagram(sender, Happening { writable: true, ..Happening::default() });
            }
        }
    }

    /// The socket that this one was connected to is gone, which is reported once.
    pub(super) fn disconnect_unix(&mut self, key: Key) -> io::Error {
        if let Some(socket) = self.datagram(key) {
            (socket.peer, socket.unix_peer) = (None, None);
        }
        system(ErrorKind::ConnectionRefused)
    }

    /// Where a Unix socket sends to, if it may.
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
        let (node, sender, free_space) = (socket.node, socket.address.clone(), socket.send_buffer);
        if to.is_unnamed() {
            return Err(no_socket_at(to));
        }
        // What describes it lies in the sender's buffer, too.
        if data.len() > free_space - 32 {
            return Err(too_long());
        }
        let receiver = self.unix_receiver(key, node, to)?;
        let Some(socket) = self.datagram(receiver) else {
            return Err(system(ErrorKind::ConnectionRefused));
        };
        // Two that are connected with each other, and one that sends to itself, have no limit but the buffer.
        let is_own = receiver == key || socket.unix_peer == Some(key);
        let is_full =
            if is_own { socket.queued >= free_space } else { socket.queue.len() > UNIX_QUEUE };
        if is_full {
            if !socket.waiting.contains(&key) {
                socket.waiting.push(key);
            }
            return Err(system(ErrorKind::WouldBlock));
        }
        socket.queued += memory_for(data.len());
        socket.queue.push_back((data.into(), sender));
        self.notify_datagram(receiver, Happening { readable: true, ..Happening::default() });
        self.charge_data(node, data.len());
        Ok(())
    }
}
