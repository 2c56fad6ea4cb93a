//! Simulated stream sockets.

use crate::net::connection::Stage;
use crate::net::direction::Segment;
use crate::net::error::system;
use crate::net::option::SocketKind;
use crate::net::{Net, Shared, nanos, no_descriptors};
use crate::node::NodeId;
use crate::schedule::{Key, Scheduled};
use crate::trace::What;
use ropewalk::backend::{ConnectRequest, SocketBackend, StreamBackend};
use ropewalk::{Address, Id, SocketOption};
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;

/// One end of a connection, possibly still connecting.
#[derive(Debug)]
pub(crate) struct SimulatedStream {
    pub(super) net: Shared,
    pub(super) key: Key,
    pub(super) side: u8,
}

impl SimulatedStream {
    pub(super) fn new(net: Shared, key: Key, side: u8) -> Self {
        Self { net, key, side }
    }

    /// Begins to connect.
    pub(crate) fn connect(
        net: &Shared,
        node: NodeId,
        peer: &Address,
        request: &ConnectRequest<'_>,
    ) -> io::Result<Self> {
        let options = request.options;
        SocketKind::stream(peer).check_all(options)?;
        let key = {
            let mut net = net.borrow_mut();
            net.charge_call();
            net.note(node, None, What::Connects(peer));
            let begun = match peer {
                Address::Inet(peer) => net.connect(node, *peer, request.local),
                #[cfg(unix)]
                Address::Unix(peer) => net.connect_unix(node, peer),
                _ => Err(ErrorKind::Unsupported.into()),
            };
            begun.inspect_err(|error| net.note(node, None, What::Refuses(error.kind())))?
        };
        let stream = Self::new(net.clone(), key, 0);
        let mut net = stream.net.borrow_mut();
        options.iter().for_each(|option| net.set_end_option(key, 0, option));
        drop(net);
        Ok(stream)
    }
}

impl Net {
    fn connect(
        &mut self,
        node: NodeId,
        peer: SocketAddr,
        local: Option<SocketAddr>,
    ) -> io::Result<Key> {
        if self.host(node).conditions.no_descriptors {
            return Err(no_descriptors());
        }
        let to = self.node_of(node, peer.ip()).ok_or_else(|| system(ErrorKind::HostUnreachable))?;
        let ip = match local {
            Some(local) if !local.ip().is_unspecified() => {
                if !self.host(node).has(local.ip()) {
                    return Err(local_address_error(local, ErrorKind::AddrNotAvailable));
                }
                local.ip()
            }
            _ => self.host(node).address_towards(peer.ip()),
        };
        if let Some(local) = local.filter(|local| local.port() != 0)
            && self.is_in_use(node, SocketAddr::new(ip, local.port()), false)
        {
            return Err(local_address_error(local, ErrorKind::AddrInUse));
        }
        let host = self.host_mut(node);
        let port = match local.map_or(0, |local| local.port()) {
            0 => host.free_port().ok_or_else(|| system(ErrorKind::AddrNotAvailable))?,
            port => port,
        };
        host.take_port(port);
        let local = Address::Inet(SocketAddr::new(ip, port));
        let from = (node, local);
        let key = self.new_connection(from, (to, peer.into()), Stage::Connecting, false);
        self.send(key, 0, Segment::Syn);
        Ok(key)
    }

    /// Sets an option of an end.
    pub(super) fn set_end_option(&mut self, key: Key, side: u8, option: &SocketOption) {
        let now = self.at();
        let Some(connection) = self.connection(key) else { return };
        let [ours, theirs] = &mut connection.directions;
        let (out, incoming) = if side == 0 { (ours, theirs) } else { (theirs, ours) };
        let end = &mut connection.ends[usize::from(side)];
        match option {
            SocketOption::SendBuffer(bytes) => out.send_buffer = (*bytes).max(2304),
            SocketOption::ReceiveBuffer(bytes) if !connection.is_unix => {
                incoming.receive_buffer = (*bytes).max(1152);
            }
            SocketOption::UserTimeout(span) => {
                end.user_timeout = span.filter(|span| !span.is_zero()).map(nanos);
            }
            SocketOption::Linger(span) => {
                end.resets_on_close = span.is_some_and(|s| s.is_zero()) && !connection.is_unix;
            }
            SocketOption::KeepAlive(keep_alive) => {
                end.keep_alive = *keep_alive;
                end.last_activity = now;
                if let Some(keep_alive) = keep_alive {
                    let at = now + nanos(keep_alive.idle);
                    self.schedule.add(at, Scheduled::KeepAlive(key, side));
                }
            }
            _ => {} // Other options have no observable effect here.
        }
    }
}

/// Returns the error for a local address that cannot be used, with the reactor's wording.
fn local_address_error(local: SocketAddr, kind: ErrorKind) -> io::Error {
    io::Error::new(kind, format!("from the local address {local}: {}", system(kind)))
}

impl SocketBackend for SimulatedStream {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        if let Some(connection) = net.connection(self.key) {
            connection.ends[usize::from(self.side)].id = Some(id);
        }
        let readiness = net.readiness(self.key, self.side);
        if readiness != Default::default() {
            net.notify_end(self.key, self.side, readiness);
        }
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        if let Some(connection) = self.net.borrow_mut().connection(self.key) {
            let end = &mut connection.ends[usize::from(self.side)];
            end.id = None;
            end.pending = Default::default();
        }
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        match self.net.borrow_mut().connection(self.key) {
            Some(connection) => {
                let end = &connection.ends[usize::from(self.side)];
                Ok(end.in_own_family(&end.address))
            }
            None => Err(system(ErrorKind::NotConnected)),
        }
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let mut net = self.net.borrow_mut();
        let error = net
            .connection(self.key)
            .and_then(|connection| connection.ends[usize::from(self.side)].error.take());
        Ok(error.map(system))
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(connection) = net.connection(self.key) else { return Ok(()) };
        let kind = connection.ends[usize::from(self.side)].kind();
        kind.check(option)?;
        net.set_end_option(self.key, self.side, option);
        Ok(())
    }
}

impl StreamBackend for SimulatedStream {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        let mut net = self.net.borrow_mut();
        let Some(connection) = net.connection(self.key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let peer = connection.ends[usize::from(1 - self.side)].address.clone();
        let end = &mut connection.ends[usize::from(self.side)];
        match end.error.take() {
            Some(error) => Err(system(error)),
            None => Ok((end.stage == Stage::Connected).then_some(peer)),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.net.borrow_mut().read(self.key, self.side, buffer)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.net.borrow_mut().write(self.key, self.side, slices)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.net.borrow_mut().shut_down(self.key, self.side)
    }

    fn reset_on_close(&self) -> io::Result<()> {
        if let Some(connection) = self.net.borrow_mut().connection(self.key) {
            // A Unix socket has no SO_LINGER (unix(7)): it resets only if data is unread.
            connection.ends[usize::from(self.side)].resets_on_close = !connection.is_unix;
        }
        Ok(())
    }
}

impl Drop for SimulatedStream {
    fn drop(&mut self) {
        self.net.borrow_mut().close_end(self.key, self.side);
    }
}
