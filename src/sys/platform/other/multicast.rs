//! Multicast for IPv4, with interfaces by address.

use crate::sys::datagram::SystemDatagram;
use crate::sys::multicast::{InterfaceV4, unsupported};
use std::io;
use std::net::Ipv4Addr;

/// Whether an IPv6 socket accepts the options of IPv4.
pub(crate) const BOTH_FAMILIES: bool = false;

fn address((address, index): InterfaceV4) -> io::Result<Ipv4Addr> {
    match index {
        0 => Ok(address),
        _ => Err(unsupported("on this system, IPv4 multicast needs the interface's address")),
    }
}

pub(crate) fn join(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    interface: InterfaceV4,
) -> io::Result<()> {
    socket.any().join_multicast_v4(&group, &address(interface)?)
}

pub(crate) fn leave(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    interface: InterfaceV4,
) -> io::Result<()> {
    socket.any().leave_multicast_v4(&group, &address(interface)?)
}

pub(crate) fn join_source(
    _socket: &SystemDatagram,
    _group: Ipv4Addr,
    _source: Ipv4Addr,
    _interface: Ipv4Addr,
) -> io::Result<()> {
    Err(unsupported("source-specific multicast is supported on Linux only"))
}

pub(crate) fn leave_source(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    join_source(socket, group, source, interface)
}

pub(crate) fn set_interface(socket: &SystemDatagram, interface: InterfaceV4) -> io::Result<()> {
    socket.any().set_multicast_if_v4(&address(interface)?)
}

pub(crate) fn index(_socket: &SystemDatagram, _name: &str) -> io::Result<u32> {
    Err(unsupported("interface names are not supported on this system; use an address"))
}

/// On other systems a socket receives only from groups that it has joined itself, as far as is known.
pub(crate) fn receive_own_groups(_socket: &SystemDatagram) -> io::Result<()> {
    Ok(())
}
