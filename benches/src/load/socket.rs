//! What the clients do with their sockets.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, connect, recv, socket_with, sockopt,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How a client that stays connects. It does not block afterwards, and ends with a reset: so
/// thousands of them leave nothing behind in the system that the next measurement could stumble on.
pub(super) fn connected(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = new(address)?;
    connect(&socket, &address)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// A socket that can be connected to `address`.
///
/// It uses the congestion control that thinks least, for there is no congestion within a machine. BBR,
/// the default of some systems, paces what it sends with a timer for each socket.
pub(super) fn new(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_congestion(&socket, "reno")?;
    Ok(socket)
}

/// Reads what is there into `buffer`. How many bytes it was; none if there is nothing yet.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(socket, buffer, RecvFlags::DONTWAIT)
}

/// The same, but throws away what is there: as many bytes as `buffer` is long, which stays as it is.
pub(super) fn discard(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(socket, buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC)
}

fn receive_with(socket: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    match recv(socket, buffer, flags) {
        Ok((_, 0)) => Err(io::Error::other("the server closed a connection")),
        Ok((_, count)) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// What comes back is not what was sent.
pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server does not do its work: {what}"))
}
