//! Multicast for IPv4, with interfaces by index.

use crate::sys::datagram::SystemDatagram;
use crate::sys::multicast::InterfaceV4;
use rustix::net::{netdevice, sockopt};
use std::io;
use std::net::Ipv4Addr;

/// Whether an IPv6 socket accepts the options of IPv4.
pub(crate) const BOTH_FAMILIES: bool = true;

pub(crate) fn join(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    (address, index): InterfaceV4,
) -> io::Result<()> {
    let socket = socket.borrowed();
    Ok(sockopt::set_ip_add_membership_with_ifindex(socket, &group, &address, index)?)
}

pub(crate) fn leave(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    (address, index): InterfaceV4,
) -> io::Result<()> {
    let socket = socket.borrowed();
    Ok(sockopt::set_ip_drop_membership_with_ifindex(socket, &group, &address, index)?)
}

pub(crate) fn join_source(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    socket.any().join_ssm_v4(&source, &group, &interface)
}

pub(crate) fn leave_source(
    socket: &SystemDatagram,
    group: Ipv4Addr,
    source: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    socket.any().leave_ssm_v4(&source, &group, &interface)
}

pub(crate) fn set_interface(
    socket: &SystemDatagram,
    (address, index): InterfaceV4,
) -> io::Result<()> {
    let socket = socket.borrowed();
    let any = Ipv4Addr::UNSPECIFIED;
    Ok(sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &address, index)?)
}

pub(crate) fn index(socket: &SystemDatagram, name: &str) -> io::Result<u32> {
    Ok(netdevice::name_to_index(socket.borrowed(), name)?)
}

/// Limits the socket to groups that it has joined itself. By default Linux also delivers datagrams for any
/// group that any program on the machine has joined, if the port matches.
pub(crate) fn receive_own_groups(socket: &SystemDatagram) -> io::Result<()> {
    match socket.is_ipv6()? {
        false => socket.any().set_multicast_all_v4(false),
        true => socket.any().set_multicast_all_v6(false),
    }
}
