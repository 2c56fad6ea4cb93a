//! Simulated listeners.

use crate::net::connection::{Connection, Stage};
use crate::net::error::system;
use crate::net::option::SocketKind;
use crate::net::{Net, Shared, SimulatedStream, event, no_descriptors};
use crate::node::{NodeId, PendingSource};
use crate::schedule::Key;
use crate::trace::What;
#[cfg(unix)]
use crate::unix_names::UnixKind;
#[cfg(unix)]
use ropewalk::UnixAddress;
use ropewalk::backend::{Event, ListenerBackend, Readiness, SocketBackend, StreamSocket};
use ropewalk::{Address, Id, SocketOption};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) key: Key,
    pub(super) node: NodeId,
    address: Address,
    backlog: usize,
    /// It leaves IPv4 addresses to other sockets (ipv6(7), IPV6_V6ONLY).
    only_ipv6: bool,
    /// The options that accepted connections inherit.
    options: Vec<SocketOption>,
    /// Connections that were not accepted yet.
    queue: VecDeque<Key>,
    id: Option<Id>,
    /// Its reactor has a pending event.
    is_notified: bool,
}

impl Listener {
    /// Returns true if another connection can be queued. Linux queues one more than requested (listen(2)).
    pub(super) fn has_space(&self) -> bool {
        self.queue.len() <= self.backlog
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct SimulatedListener {
    pub(super) net: Shared,
    pub(super) key: Key,
}

impl SimulatedListener {
    pub(crate) fn listen(
        net: &Shared,
        node: NodeId,
        address: &Address,
        backlog: u32,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        SocketKind::stream(address).check_all(options)?;
        let only_ipv6 = options.contains(&SocketOption::OnlyIpv6(true));
        let mut this = net.borrow_mut();
        this.charge_call();
        let found = this.listener_address(node, address, only_ipv6);
        let address =
            found.inspect_err(|error| this.note(node, None, What::Refuses(error.kind())))?;
        let serial = this.new_serial();
        let entry = this.listeners.vacant_entry();
        let key = Key { slot: entry.key() as u32, serial };
        entry.insert(Listener {
            key,
            node,
            address: address.clone(),
            backlog: backlog as usize,
            only_ipv6,
            options: options.to_vec(),
            queue: VecDeque::new(),
            id: None,
            is_notified: false,
        });
        let host = this.host_mut(node);
        match &address {
            Address::Inet(address) => _ = host.listeners.insert(*address, key),
            #[cfg(unix)]
            Address::Unix(address) => {
                host.unix_names.take(UnixKind::Stream, address.clone(), key);
            }
            _ => {}
        }
        this.note(node, None, What::Listens(&address));
        Ok(Self { net: net.clone(), key })
    }
}

impl Net {
    /// Returns the address of a listener that is bound to `address`.
    fn listener_address(
        &mut self,
        node: NodeId,
        address: &Address,
        only_ipv6: bool,
    ) -> io::Result<Address> {
        let host = self.host_mut(node);
        if host.conditions.no_descriptors {
            return Err(no_descriptors());
        }
        match address {
            Address::Inet(address) => {
                let address = SocketAddr::new(address.ip(), host.own_port(address, false)?);
                if self.is_in_use(node, address, only_ipv6) {
                    return Err(system(ErrorKind::AddrInUse));
                }
                Ok(address.into())
            }
            #[cfg(unix)]
            Address::Unix(address) => Ok(host.unix_names.free(UnixKind::Stream, address)?.into()),
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Returns true if a listener or an outgoing connection uses the port.
    pub(super) fn is_in_use(&mut self, node: NodeId, address: SocketAddr, only_ipv6: bool) -> bool {
        let (ip, port) = (address.ip(), address.port());
        let host = self.host(node);
        if host.connects_from(port) {
            return true;
        }
        let listeners: Vec<_> = host.listeners.iter().map(|(at, key)| (*at, *key)).collect();
        listeners.into_iter().any(|(other, key)| {
            let others = self.listener(key).is_some_and(|other| other.only_ipv6);
            other.port() == port && overlap((ip, only_ipv6), (other.ip(), others))
        })
    }

    /// Connects to a Unix socket: immediately or not at all.
    #[cfg(unix)]
    pub(super) fn connect_unix(&mut self, node: NodeId, peer: &UnixAddress) -> io::Result<Key> {
        let host = self.host(node);
        if host.conditions.no_descriptors {
            return Err(no_descriptors());
        }
        let listener = host.unix_names.find(UnixKind::Stream, peer)?;
        match self.listener(listener) {
            None => return Err(system(ErrorKind::ConnectionRefused)),
            Some(listener) if !listener.has_space() => return Err(system(ErrorKind::WouldBlock)),
            Some(_) => {}
        }
        let ends = ((node, UnixAddress::unnamed().into()), (node, peer.clone().into()));
        let key = self.new_connection(ends.0, ends.1, Stage::Connected, true);
        self.enqueue_connection(listener, key);
        Ok(key)
    }

    fn listener(&mut self, key: Key) -> Option<&mut Listener> {
        self.listeners.get_mut(key.slot as usize).filter(|listener| listener.key == key)
    }

    /// Returns the listener that a connection attempt reaches.
    pub(super) fn listener_for(&mut self, key: Key) -> Option<&Listener> {
        let end = &self.connection(key)?.ends[1];
        let (node, address) = (end.node, end.address.socket_addr()?);
        let key = self.listener_at(node, address)?;
        self.listener(key).map(|listener| &*listener)
    }

    /// Returns the listener on an address of a node.
    pub(super) fn listener_at(&mut self, node: NodeId, address: SocketAddr) -> Option<Key> {
        let key = self.host(node).listener(address)?;
        let listener = self.listener(key)?;
        let excludes = listener.only_ipv6 && address.is_ipv4();
        (!excludes).then_some(key)
    }

    /// Queues a connection to be accepted.
    pub(super) fn enqueue_connection(&mut self, listener: Key, connection: Key) {
        if let Some(connection) = self.connection(connection) {
            connection.ends[1].stage = Stage::Connected;
        }
        let Some(listener) = self.listener(listener) else { return };
        let is_ipv6_socket = listener.address.ip().is_some_and(|ip| ip.is_ipv6());
        listener.queue.push_back(connection);
        let (node, key, options) = (listener.node, listener.key, listener.options.clone());
        if !std::mem::replace(&mut listener.is_notified, true) {
            self.notify(node, PendingSource::Listener(key));
        }
        if let Some(connection) = self.connection(connection) {
            connection.ends[1].is_ipv6_socket = is_ipv6_socket;
        }
        for option in options {
            self.set_end_option(connection, 1, &option);
        }
    }

    pub(super) fn take_listener_event(&mut self, key: Key) -> Option<Event> {
        let listener = self.listener(key)?;
        listener.is_notified = false;
        event(listener.id, Readiness::READABLE)
    }

    pub(super) fn accept(&mut self, key: Key) -> io::Result<(Key, Address)> {
        self.charge_call();
        let Some(listener) = self.listener(key) else {
            return Err(system(ErrorKind::InvalidInput));
        };
        let (node, id) = (listener.node, listener.id);
        if self.host(node).conditions.no_descriptors {
            self.note(node, id, What::Refuses(ErrorKind::Other));
            return Err(no_descriptors());
        }
        loop {
            let Some(listener) = self.listener(key) else {
                return Err(system(ErrorKind::InvalidInput));
            };
            let first = listener.queue.pop_front().ok_or_else(|| system(ErrorKind::WouldBlock))?;
            if let Some(Connection { ends, .. }) = self.connection(first) {
                let peer = ends[1].in_own_family(&ends[0].address);
                self.note(node, id, What::Accepts(&peer));
                return Ok((first, peer));
            }
        }
    }

    fn close_listener(&mut self, key: Key) {
        let Some(listener) = self.listener(key) else { return };
        let (node, id, address) = (listener.node, listener.id, listener.address.clone());
        let queue = std::mem::take(&mut listener.queue);
        self.listeners.remove(key.slot as usize);
        let host = self.host_mut(node);
        match &address {
            Address::Inet(address) => _ = host.listeners.remove(address),
            #[cfg(unix)]
            Address::Unix(address) => host.unix_names.release(UnixKind::Stream, address),
            _ => {}
        }
        self.note(node, id, What::Closes);
        // Connections that were not accepted are reset.
        for connection in queue {
            if let Some(connection) = self.connection(connection) {
                connection.ends[1].resets_on_close = true;
            }
            self.close_end(connection, 1);
        }
    }
}

/// Returns true if two addresses overlap. The unspecified IPv6 address includes all IPv4 addresses, except with
/// IPV6_V6ONLY.
pub(super) fn overlap(
    (one, one_only): (IpAddr, bool),
    (other, other_only): (IpAddr, bool),
) -> bool {
    let includes = |ip: IpAddr, only_ipv6: bool, other: IpAddr| {
        ip.is_unspecified() && (ip.is_ipv4() == other.is_ipv4() || ip.is_ipv6() && !only_ipv6)
    };
    one == other || includes(one, one_only, other) || includes(other, other_only, one)
}

impl SocketBackend for SimulatedListener {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(listener) = net.listener(self.key) else { return Ok(()) };
        listener.id = Some(id);
        let node = listener.node;
        if !listener.queue.is_empty() && !std::mem::replace(&mut listener.is_notified, true) {
            net.notify(node, PendingSource::Listener(self.key));
        }
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        if let Some(listener) = self.net.borrow_mut().listener(self.key) {
            listener.id = None;
        }
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        match self.net.borrow_mut().listener(self.key) {
            Some(listener) => Ok(listener.address.clone()),
            None => Err(system(ErrorKind::InvalidInput)),
        }
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(listener) = net.listener(self.key) else { return Ok(()) };
        SocketKind::stream(&listener.address).bound().check(option)?;
        listener.options.push(option.clone());
        Ok(())
    }
}

impl ListenerBackend for SimulatedListener {
    fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        let (key, peer) = self.net.borrow_mut().accept(self.key)?;
        Ok((StreamSocket::new(SimulatedStream::new(self.net.clone(), key, 1)), peer))
    }
}

impl Drop for SimulatedListener {
    fn drop(&mut self) {
        self.net.borrow_mut().close_listener(self.key);
    }
}
