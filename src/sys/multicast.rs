//! Multicast settings of datagram sockets: ip(7), ipv6(7).

use crate::sys::backend::Multicast;
use crate::sys::datagram::SystemDatagram;
use crate::sys::platform::multicast as system;
use crate::values::error::Explained;
use crate::values::interface::Interface;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// An interface for IPv4: its address, or its index if that is not 0.
pub(super) type InterfaceV4 = (Ipv4Addr, u32);

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

    /// Sets an option for each address family that the socket sends to. An IPv6 socket also sends to IPv4, with
    /// a separate option, unless it was restricted to IPv6.
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
            return Err(unsupported("source-specific multicast is supported on IPv4 only"));
        };
        match self.v4(interface)? {
            (address, 0) => Ok((group, source, address)),
            _ => Err(unsupported("source-specific multicast needs the interface's address")),
        }
    }

    /// Limits the socket to groups that it has joined itself.
    pub(super) fn receive_own_groups(&self) -> io::Result<()> {
        system::receive_own_groups(self)
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
                let text = "IPv6 multicast requires the index or the name of the interface";
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

pub(super) fn unsupported(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, text)
}
