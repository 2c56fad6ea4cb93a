//! What a datagram socket has to do with multicast: ip(7), ipv6(7).

use crate::sys::backend::Multicast;
use crate::sys::datagram::SystemDatagram;
use crate::values::error::Explained;
use crate::values::interface::Interface;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// An interface, as IPv4 takes it: by its address, or by its index if that is not 0.
type InterfaceV4 = (Ipv4Addr, u32);

impl SystemDatagram {
    /// Changes a multicast setting.
    pub(super) fn change_multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        match change {
            Multicast::Join(IpAddr::V4(group), interface) => {
                check(group.into())?;
                system::join(self, group, self.v4(interface)?)
            }
            Multicast::Join(IpAddr::V6(group), interface) => {
                check(group.into())?;
                self.any().join_multicast_v6(&group, self.index(interface)?)
            }
            Multicast::Leave(IpAddr::V4(group), interface) => {
                check(group.into())?;
                system::leave(self, group, self.v4(interface)?)
            }
            Multicast::Leave(IpAddr::V6(group), interface) => {
                check(group.into())?;
                self.any().leave_multicast_v6(&group, self.index(interface)?)
            }
            Multicast::JoinSource(group, source, interface) => {
                let (group, source, interface) = self.source_specific(group, source, interface)?;
                system::join_source(self, group, source, interface)
            }
            Multicast::LeaveSource(group, source, interface) => {
                let (group, source, interface) = self.source_specific(group, source, interface)?;
                system::leave_source(self, group, source, interface)
            }
            Multicast::Ttl(ttl) => self.for_families(
                || self.any().set_multicast_ttl_v4(ttl.into()),
                || self.any().set_multicast_hops_v6(ttl.into()),
            ),
            Multicast::Loopback(on) => self.for_families(
                || self.any().set_multicast_loop_v4(on),
                || self.any().set_multicast_loop_v6(on),
            ),
            Multicast::Interface(interface) => self.for_families(
                || system::set_interface(self, self.v4(interface)?),
                || self.any().set_multicast_if_v6(self.index(interface)?),
            ),
        }
    }

    /// Sets an option for each family of addresses that the socket sends to. One on IPv6 sends to IPv4 as
    /// well, unless it was told not to, and has an option of its own for that.
    fn for_families(
        &self,
        v4: impl FnOnce() -> io::Result<()>,
        v6: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.is_ipv6()? {
            return v4();
        }
        v6()?;
        match system::BOTH_FAMILIES && !self.any().only_v6()? {
            true => v4(),
            false => Ok(()),
        }
    }

    fn source_specific(
        &self,
        group: IpAddr,
        source: IpAddr,
        interface: &Interface,
    ) -> io::Result<(Ipv4Addr, Ipv4Addr, Ipv4Addr)> {
        check(group)?;
        let (IpAddr::V4(group), IpAddr::V4(source)) = (group, source) else {
            return Err(unsupported("of certain sources only IPv4 can be joined here"));
        };
        match self.v4(interface)? {
            (address, 0) => Ok((group, source, address)),
            _ => Err(unsupported("for certain sources an interface is told by its address")),
        }
    }

    /// Has the socket hear those groups alone that it has joined itself. Unless told so, Linux
    /// gives it what comes for any group that any program has joined, if the port is its own.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn receive_own_groups(&self) -> io::Result<()> {
        match self.is_ipv6()? {
            false => self.any().set_multicast_all_v4(false),
            true => self.any().set_multicast_all_v6(false),
        }
    }

    /// Elsewhere it does of itself, as far as is known.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn receive_own_groups(&self) -> io::Result<()> {
        Ok(())
    }

    fn v4(&self, interface: &Interface) -> io::Result<InterfaceV4> {
        match interface {
            Interface::Address(address) => Ok((*address, 0)),
            interface => Ok((Ipv4Addr::UNSPECIFIED, self.index(interface)?)),
        }
    }

    fn index(&self, interface: &Interface) -> io::Result<u32> {
        match interface {
            Interface::Any => Ok(0),
            Interface::Index(index) => Ok(*index),
            Interface::Name(name) => system::index(self, name),
            Interface::Address(_) => {
                let text = "for IPv6 an interface is told by its index or its name";
                Err(Explained::error(io::ErrorKind::InvalidInput, text))
            }
        }
    }
}

fn check(group: IpAddr) -> io::Result<()> {
    match group.is_multicast() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a multicast address")),
    }
}

fn unsupported(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use super::{InterfaceV4, SystemDatagram};
    use rustix::net::{netdevice, sockopt};
    use std::io;
    use std::net::Ipv4Addr;

    /// Whether a socket on IPv6 takes the options of IPv4.
    pub(super) const BOTH_FAMILIES: bool = true;

    pub(super) fn join(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        (address, index): InterfaceV4,
    ) -> io::Result<()> {
        let socket = socket.borrowed();
        Ok(sockopt::set_ip_add_membership_with_ifindex(socket, &group, &address, index)?)
    }

    pub(super) fn leave(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        (address, index): InterfaceV4,
    ) -> io::Result<()> {
        let socket = socket.borrowed();
        Ok(sockopt::set_ip_drop_membership_with_ifindex(socket, &group, &address, index)?)
    }

    pub(super) fn join_source(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        source: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        socket.any().join_ssm_v4(&source, &group, &interface)
    }

    pub(super) fn leave_source(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        source: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        socket.any().leave_ssm_v4(&source, &group, &interface)
    }

    pub(super) fn set_interface(
        socket: &SystemDatagram,
        (address, index): InterfaceV4,
    ) -> io::Result<()> {
        let socket = socket.borrowed();
        let any = Ipv4Addr::UNSPECIFIED;
        Ok(sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &address, index)?)
    }

    pub(super) fn index(socket: &SystemDatagram, name: &str) -> io::Result<u32> {
        Ok(netdevice::name_to_index(socket.borrowed(), name)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::{InterfaceV4, SystemDatagram, unsupported};
    use std::io;
    use std::net::Ipv4Addr;

    /// Whether a socket on IPv6 takes the options of IPv4.
    pub(super) const BOTH_FAMILIES: bool = false;

    fn address((address, index): InterfaceV4) -> io::Result<Ipv4Addr> {
        match index {
            0 => Ok(address),
            _ => Err(unsupported("here, for IPv4, an interface is told by its address")),
        }
    }

    pub(super) fn join(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        interface: InterfaceV4,
    ) -> io::Result<()> {
        socket.any().join_multicast_v4(&group, &address(interface)?)
    }

    pub(super) fn leave(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        interface: InterfaceV4,
    ) -> io::Result<()> {
        socket.any().leave_multicast_v4(&group, &address(interface)?)
    }

    pub(super) fn join_source(
        _socket: &SystemDatagram,
        _group: Ipv4Addr,
        _source: Ipv4Addr,
        _interface: Ipv4Addr,
    ) -> io::Result<()> {
        Err(unsupported("joining for certain sources is known to work on Linux only"))
    }

    pub(super) fn leave_source(
        socket: &SystemDatagram,
        group: Ipv4Addr,
        source: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        join_source(socket, group, source, interface)
    }

    pub(super) fn set_interface(socket: &SystemDatagram, interface: InterfaceV4) -> io::Result<()> {
        socket.any().set_multicast_if_v4(&address(interface)?)
    }

    pub(super) fn index(_socket: &SystemDatagram, _name: &str) -> io::Result<u32> {
        Err(unsupported("here an interface has no name; tell its index or its address"))
    }
}
