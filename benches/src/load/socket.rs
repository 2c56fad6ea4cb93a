//! Sockets of the clients.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, connect, recv, socket_with, sockopt,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connects a long-lived client. Its socket is nonblocking, and closes with a reset, so that
/// thousands of them leave no state that could affect the next measurement.
pub(super) fn connected(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = new(address)?;
    connect(&socket, &address)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Returns a socket for a connection to `address`.
///
/// It uses the cheapest congestion control, since there is no congestion within a machine. BBR, the
/// default of some systems, paces each socket with a timer.
pub(super) fn new(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_congestion(&socket, "reno")?;
    Ok(socket)
}

/// Reads into `buffer`. Returns the number of bytes, 0 if there are none yet.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(socket, buffer, RecvFlags::DONTWAIT)
}

/// Discards up to as many bytes as `buffer` is long. The buffer is unchanged.
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

/// Returns the error of an unexpected answer.
pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("wrong answer: {what}"))
}
