//! Ends of connections that are held by a test in place of a reactor.

use crate::net::connection::{BUFFER, Stage};
use crate::net::error::system;
use crate::net::{Shared, SimulatedListener, SimulatedStream};
use crate::node::NodeId;
use ropewalk::{Address, Id};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

impl SimulatedStream {
    /// Connects to a listener of the other node, and waits to be accepted.
    pub(crate) fn connect_to_listener(
        net: &Shared,
        from: (NodeId, Address),
        to: (NodeId, SocketAddr),
    ) -> io::Result<Self> {
        let mut this = net.borrow_mut();
        let listener =
            this.listener_at(to.0, to.1).ok_or_else(|| system(ErrorKind::ConnectionRefused))?;
        let key = this.new_connection(from, (to.0, to.1.into()), Stage::Connected, false);
        this.enqueue_connection(listener, key);
        if let Some(connection) = this.connection(key) {
            // The test sees the address of the peer as it was given.
            connection.ends[1].is_ipv6_socket = false;
        }
        drop(this);
        Ok(Self::new(net.clone(), key, 0))
    }

    /// Returns the id of the connection in the reactor that has the other end.
    pub(crate) fn peer_id(&self) -> Option<Id> {
        let side = usize::from(1 - self.side);
        self.net.borrow_mut().connection(self.key)?.ends[side].id
    }

    /// Sets the buffers towards this end to size 0, so that the other end can send nothing; or restores them.
    pub(crate) fn set_reading(&self, takes: bool) {
        let mut net = self.net.borrow_mut();
        let (key, writer) = (self.key, 1 - self.side);
        let Some(connection) = net.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(writer)];
        let size = if takes { BUFFER } else { 0 };
        (direction.send_buffer, direction.receive_buffer) = (size, size);
        if takes {
            direction.writer_waits = false;
            net.send_queued(key, writer);
            net.notify_writable(key, writer);
        }
    }
}

impl SimulatedListener {
    /// Accepts the oldest queued connection for a test.
    pub(crate) fn accept_for_test(&self) -> io::Result<SimulatedStream> {
        let (key, _) = self.net.borrow_mut().accept(self.key)?;
        Ok(SimulatedStream::new(self.net.clone(), key, 1))
    }
}
