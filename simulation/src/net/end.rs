//! An end of a connection, as a program has it.

use crate::agenda::{Happens, Key};
use crate::net::connection::Stage;
use crate::net::error::system;
use crate::net::option::Sort;
use crate::net::way::{Fin, Freight};
use crate::net::{Net, Shared, nanos, no_descriptors};
use crate::node::NodeId;
use crate::trace::What;
use ropewalk::backend::{SocketBackend, StreamBackend};
use ropewalk::{Address, Id, SocketOption};
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;

/// A connection, or one in the making.
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
        local: Option<SocketAddr>,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        Sort::stream(peer).check_all(options)?;
        let key = {
            let mut net = net.borrow_mut();
            net.charge_call();
            net.note(node, None, What::Connects(peer));
            let begun = match peer {
                Address::Inet(peer) => net.connect(node, *peer, local),
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
        if self.host(node).weather.no_descriptors {
            return Err(no_descriptors());
        }
        let to = self.node_of(node, peer.ip()).ok_or_else(|| system(ErrorKind::HostUnreachable))?;
        let ip = match local {
            Some(local) if !local.ip().is_unspecified() => {
                if !self.host(node).has(local.ip()) {
                    return Err(from_there(local, ErrorKind::AddrNotAvailable));
                }
                local.ip()
            }
            _ => self.host(node).address_towards(peer.ip()),
        };
        if let Some(local) = local.filter(|local| local.port() != 0)
            && self.is_in_use(node, SocketAddr::new(ip, local.port()), false)
        {
            return Err(from_there(local, ErrorKind::AddrInUse));
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
        self.send(key, 0, Freight::Syn);
        Ok(key)
    }

    /// Sets an option that the end has.
    pub(super) fn set_end_option(&mut self, key: Key, side: u8, option: &SocketOption) {
        let now = self.at();
        let Some(connection) = self.connection(key) else { return };
        let [ours, theirs] = &mut connection.ways;
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
                end.heard_at = now;
                if let Some(keep_alive) = keep_alive {
                    let at = now + nanos(keep_alive.idle);
                    self.agenda.enter(at, Happens::KeepAlive(key, side));
                }
            }
            _ => {} // They change nothing that could be told here.
        }
    }

    fn read(&mut self, key: Key, side: u8, buffer: &mut [u8]) -> io::Result<usize> {
        self.charge_call();
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let (node, peer) =
            (connection.ends[usize::from(side)].node, connection.ends[usize::from(1 - side)].node);
        let (short, block) = {
            let weather = &self.host(node).weather;
            (weather.short, weather.would_block)
        };
        let latency = nanos(self.link(node, peer).latency);
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let way = &mut connection.ways[usize::from(1 - side)];
        let mut count = way.arrived.min(buffer.len());
        if count == 0 {
            return self.read_nothing(key, side);
        }
        if connection.random.chance(block) {
            self.repeat_events_soon(key, side);
            return Err(system(ErrorKind::WouldBlock));
        }
        let cut_short = connection.random.chance(short);
        if cut_short {
            count = connection.random.between(1, count as u64) as usize;
        }
        let way = &mut connection.ways[usize::from(1 - side)];
        way.take(&mut buffer[..count]);
        let (has_room, has_window) = (way.takes_more(), std::mem::take(&mut way.wants_window));
        self.charge_data(node, count);
        let at = self.at() + latency;
        if has_room {
            self.agenda.enter(at, Happens::Room(key, 1 - side));
        }
        if has_window {
            self.agenda.enter(at, Happens::Window(key, 1 - side));
        }
        if cut_short {
            self.repeat_events_soon(key, side);
        }
        let id = self.id_of(key, side);
        self.note(node, id, What::Reads(count));
        Ok(count)
    }

    /// Nothing has arrived: why.
    fn read_nothing(&mut self, key: Key, side: u8) -> io::Result<usize> {
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let end = &mut connection.ends[usize::from(side)];
        if end.ended || end.is_dead && end.error.is_none() {
            let (node, id) = (end.node, end.id);
            self.note(node, id, What::Reads(0));
            return Ok(0);
        }
        Err(system(end.error.take().unwrap_or(ErrorKind::WouldBlock)))
    }

    fn write(&mut self, key: Key, side: u8, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.charge_write();
        let node = match self.connection(key) {
            Some(connection) => connection.ends[usize::from(side)].node,
            None => return Err(system(ErrorKind::NotConnected)),
        };
        let (short, block) = {
            let weather = &self.host(node).weather;
            (weather.short, weather.would_block)
        };
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        // The system knows at once that the other end of a Unix connection is closed.
        let is_gone = connection.is_unix && connection.ends[usize::from(1 - side)].is_closed();
        let end = &mut connection.ends[usize::from(side)];
        if let Some(error) = end.error.take() {
            return Err(system(error));
        }
        if end.is_dead || end.is_shut || is_gone {
            return Err(system(ErrorKind::BrokenPipe));
        }
        let id = end.id;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let is_connected = end.stage == Stage::Connected;
        let way = &mut connection.ways[usize::from(side)];
        let mut count = offered.min(if is_connected { way.room() } else { 0 });
        if count > 0 && connection.random.chance(block) {
            self.repeat_events_soon(key, side);
            return Err(system(ErrorKind::WouldBlock));
        }
        let cut_short = count > 1 && connection.random.chance(short);
        if cut_short {
            count = connection.random.between(1, count as u64) as usize;
        }
        let way = &mut connection.ways[usize::from(side)];
        way.wants_room = count < offered;
        if count == 0 {
            return if offered == 0 { Ok(0) } else { Err(system(ErrorKind::WouldBlock)) };
        }
        pieces(slices, count).for_each(|piece| way.bytes.extend(piece));
        self.charge_data(node, count);
        pieces(slices, count).for_each(|piece| self.note(node, id, What::Writes(piece)));
        if cut_short {
            self.repeat_events_soon(key, side);
        }
        self.push_on(key, side);
        Ok(count)
    }

    fn shut_down(&mut self, key: Key, side: u8) -> io::Result<()> {
        self.charge_call();
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let end = &mut connection.ends[usize::from(side)];
        if end.is_dead || end.stage != Stage::Connected {
            return Err(system(ErrorKind::NotConnected));
        }
        if !std::mem::replace(&mut end.is_shut, true) {
            let (node, id) = (end.node, end.id);
            connection.ways[usize::from(side)].fin = Fin::Wanted;
            self.note(node, id, What::ShutsDown);
            self.push_on(key, side);
        }
        Ok(())
    }

    /// A program closes its end, or ends itself.
    pub(super) fn close_end(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let unread = connection.ways[usize::from(1 - side)].arrived;
        let end = &mut connection.ends[usize::from(side)];
        if end.is_closed() {
            return;
        }
        let (node, id, address) = (end.node, end.id.take(), end.address.clone());
        let connecting = end.stage == Stage::Connecting;
        end.stage = Stage::Closed;
        let (resets, is_dead) = (end.resets_on_close || unread > 0, end.is_dead);
        let shut = std::mem::replace(&mut end.is_shut, true);
        // Nobody will read it.
        let incoming = &mut connection.ways[usize::from(1 - side)];
        incoming.bytes.drain(..unread);
        incoming.arrived = 0;
        self.spent += nanos(self.costs.call);
        self.note(node, id, What::Closes);
        if side == 0
            && let Some(port) = address.port()
        {
            self.host_mut(node).release_port(port);
        }
        if is_dead || connecting {
            // Nothing to say; one that is still let in hears of it when it is.
        } else if resets {
            self.reset(key, side);
        } else if !shut {
            if let Some(connection) = self.connection(key) {
                connection.ways[usize::from(side)].fin = Fin::Wanted;
            }
            self.push_on(key, side);
        }
        self.free_if_over(key);
    }

    fn id_of(&mut self, key: Key, side: u8) -> Option<Id> {
        self.connection(key)?.ends[usize::from(side)].id
    }
}

/// The first `count` bytes that the slices hold.
fn pieces<'a>(slices: &'a [IoSlice<'_>], count: usize) -> impl Iterator<Item = &'a [u8]> {
    let mut left = count;
    let pieces = slices.iter().map(move |slice| {
        let taken = slice.len().min(left);
        left -= taken;
        &slice[..taken]
    });
    pieces.filter(|piece| !piece.is_empty())
}

/// A local address that cannot be had, told as the reactor tells it.
fn from_there(local: SocketAddr, kind: ErrorKind) -> io::Error {
    io::Error::new(kind, format!("from the local address {local}: {}", system(kind)))
}

impl SocketBackend for SimulatedStream {
    fn register(&mut self, id: Id) {
        let mut net = self.net.borrow_mut();
        if let Some(connection) = net.connection(self.key) {
            connection.ends[usize::from(self.side)].id = Some(id);
        }
        let truth = net.truth(self.key, self.side);
        if truth != Default::default() {
            net.tell_end(self.key, self.side, truth);
        }
    }

    fn deregister(&mut self) {
        if let Some(connection) = self.net.borrow_mut().connection(self.key) {
            let end = &mut connection.ends[usize::from(self.side)];
            end.id = None;
            end.told = Default::default();
        }
    }

    fn local_address(&self) -> io::Result<Address> {
        match self.net.borrow_mut().connection(self.key) {
            Some(connection) => {
                let end = &connection.ends[usize::from(self.side)];
                Ok(end.in_its_words(&end.address))
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
        let sort = connection.ends[usize::from(self.side)].sort();
        sort.check(option)?;
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

    fn shutdown_write(&self) -> io::Result<()> {
        self.net.borrow_mut().shut_down(self.key, self.side)
    }

    fn reset_on_close(&self) {
        if let Some(connection) = self.net.borrow_mut().connection(self.key) {
            // A Unix socket does not linger (unix(7)): it resets when something is unread, and only then.
            connection.ends[usize::from(self.side)].resets_on_close = !connection.is_unix;
        }
    }
}

impl Drop for SimulatedStream {
    fn drop(&mut self) {
        self.net.borrow_mut().close_end(self.key, self.side);
    }
}
