//! The backend of a simulated datagram socket.

use super::Sharing;
use crate::net::Shared;
use crate::net::error::system;
use crate::net::option::SocketKind;
use crate::node::NodeId;
use crate::schedule::Key;
use crate::trace::What;
#[cfg(unix)]
use crate::unix_names::UnixKind;
#[cfg(unix)]
use ropewalk::UnixAddress;
use ropewalk::backend::{DatagramBackend, Multicast, Readiness, SocketBackend};
use ropewalk::{Address, Id, Interface, SocketOption};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// A datagram socket.
#[derive(Debug)]
pub(crate) struct SimulatedDatagram {
    net: Shared,
    key: Key,
}

impl SimulatedDatagram {
    pub(crate) fn bind(
        net: &Shared,
        node: NodeId,
        address: &Address,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        #[cfg(unix)]
        if let Address::Unix(name) = address
            && name.is_unnamed()
        {
            let mut this = net.borrow_mut();
            let name = this.host_mut(node).unix_names.free(UnixKind::Datagrams, name)?;
            drop(this);
            return Self::open(net, node, &name.into(), options);
        }
        Self::open(net, node, address, options)
    }

    /// Opens a socket. A Unix socket may have no name.
    fn open(
        net: &Shared,
        node: NodeId,
        address: &Address,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        SocketKind::datagrams(address).check_all(options)?;
        let mut this = net.borrow_mut();
        this.charge_call();
        let only_ipv6 = options.contains(&SocketOption::OnlyIpv6(true));
        let sharing = Sharing::of(options);
        let found = this.datagram_address(node, address, sharing, only_ipv6);
        let address =
            found.inspect_err(|error| this.note(node, None, What::Refuses(error.kind())))?;
        let key = this.new_datagram(node, address.clone(), sharing);
        this.note(node, None, What::Binds(&address));
        if let Some(socket) = this.datagram(key) {
            options.iter().for_each(|option| socket.set_option(option));
        }
        Ok(Self { net: net.clone(), key })
    }

    pub(crate) fn connected(
        net: &Shared,
        node: NodeId,
        peer: &Address,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        let local = match peer {
            Address::Inet(peer) => {
                let ip = net.borrow().host(node).address_towards(peer.ip());
                SocketAddr::new(ip, 0).into()
            }
            #[cfg(unix)]
            Address::Unix(_) => UnixAddress::unnamed().into(),
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        let socket = Self::open(net, node, &local, options)?;
        DatagramBackend::connect(&socket, peer)?;
        Ok(socket)
    }
}

/// Returns true if the interface is the loopback. There is one other interface, which has all other names.
fn is_loopback(interface: &Interface) -> bool {
    match interface {
        Interface::Any => false,
        Interface::Address(address) => address.is_loopback(),
        Interface::Index(index) => *index == 1,
        Interface::Name(name) => name == "lo",
    }
}

impl SocketBackend for SimulatedDatagram {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        if let Some(socket) = net.datagram(self.key) {
            socket.id = Some(id);
        }
        net.notify_datagram_state(self.key);
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        if let Some(socket) = self.net.borrow_mut().datagram(self.key) {
            socket.id = None;
            socket.pending = Readiness::default();
        }
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        match self.net.borrow_mut().datagram(self.key) {
            Some(socket) => Ok(socket.address.clone()),
            None => Err(system(ErrorKind::NotConnected)),
        }
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else { return Ok(()) };
        SocketKind::datagrams(&socket.address).bound().check(option)?;
        socket.set_option(option);
        Ok(())
    }
}

impl DatagramBackend for SimulatedDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.net.borrow_mut().receive(self.key, buffer)
    }

    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        self.net.borrow_mut().send_datagram(self.key, data, to)
    }

    fn connect(&self, peer: &Address) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let node = socket.node;
        match peer {
            Address::Inet(address) => {
                _ = net
                    .node_of(node, address.ip().to_canonical())
                    .ok_or_else(|| system(ErrorKind::HostUnreachable))?;
            }
            #[cfg(unix)]
            Address::Unix(address) => {
                let found = net.unix_receiver(self.key, node, address)?;
                if let Some(socket) = net.datagram(self.key) {
                    socket.unix_peer = Some(found);
                }
            }
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        if let Some(socket) = net.datagram(self.key) {
            socket.peer = Some(peer.clone());
        }
        Ok(())
    }

    fn multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let joined = |new: bool| if new { Ok(()) } else { Err(system(ErrorKind::AddrInUse)) };
        let left = |was: bool| if was { Ok(()) } else { Err(system(ErrorKind::AddrNotAvailable)) };
        match change {
            Multicast::Join(group, _) | Multicast::JoinSource(group, ..)
                if !group.is_multicast() =>
            {
                Err(system(ErrorKind::InvalidInput))
            }
            Multicast::Join(group, at) => {
                joined(socket.groups.insert((group, None, is_loopback(at))))
            }
            Multicast::Leave(group, at) => {
                left(socket.groups.remove(&(group, None, is_loopback(at))))
            }
            Multicast::JoinSource(group, source, at) => {
                joined(socket.groups.insert((group, Some(source), is_loopback(at))))
            }
            Multicast::LeaveSource(group, source, at) => {
                left(socket.groups.remove(&(group, Some(source), is_loopback(at))))
            }
            Multicast::Loopback(on) => {
                socket.multicast_loopback = on;
                Ok(())
            }
            Multicast::Ttl(hops) => {
                socket.hops = hops;
                Ok(())
            }
            Multicast::Interface(at) => {
                socket.on_loopback = is_loopback(at);
                Ok(())
            }
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl Drop for SimulatedDatagram {
    fn drop(&mut self) {
        self.net.borrow_mut().close_datagram(self.key);
    }
}
