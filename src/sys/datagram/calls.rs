//! Sending and receiving datagrams.

use crate::sys::datagram::Family;
#[cfg(unix)]
use crate::sys::{BorrowedFd, unix};
use crate::values::address::{Address, unknown};
#[cfg(unix)]
use rustix::net::{self, SendFlags};
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;

/// Whether [`receive_inet`] passes MSG_DONTWAIT. `recv_from` of the standard library does not.
#[cfg(unix)]
pub(super) const RECEIVES_WITH_FLAGS: bool = cfg!(any(target_os = "linux", target_os = "android"));

pub(super) fn receive(socket: &Family, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
    match socket {
        Family::Inet(socket) => receive_inet(socket, buffer),
        // Not by rustix, which panics at a sender's name that fills all of sun_path.
        #[cfg(unix)]
        Family::Unix(socket) => {
            let (length, sender) = socket.recv_from(buffer)?;
            Ok((length, unix::address(&sender)))
        }
    }
}

/// Linux returns the length of a datagram that did not fit (MSG_TRUNC, recv(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn receive_inet(socket: &mio::net::UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
    const FLAGS: net::RecvFlags = net::RecvFlags::TRUNC.union(net::RecvFlags::DONTWAIT);
    let (_, length, sender) = net::recvfrom(socket, buffer, FLAGS)?;
    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
    let sender = sender.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    Ok((length, sender.into()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive_inet(socket: &mio::net::UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
    let (length, sender) = socket.recv_from(buffer)?;
    Ok((length, sender.into()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const SENDING: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const SENDING: SendFlags = SendFlags::DONTWAIT;

pub(super) fn send(socket: &Family, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    match socket {
        #[cfg(unix)]
        Family::Inet(socket) => send_by(socket.as_fd(), data, to),
        #[cfg(unix)]
        Family::Unix(socket) => send_by(socket.as_fd(), data, to),
        #[cfg(not(unix))]
        Family::Inet(socket) => match to {
            None => socket.send(data),
            Some(Address::Inet(to)) => socket.send_to(data, *to),
            Some(Address::Unknown) => Err(unknown()),
        },
    }
}

#[cfg(unix)]
fn send_by(socket: BorrowedFd<'_>, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    Ok(match to {
        None => net::send(socket, data, SENDING)?,
        Some(Address::Inet(to)) => net::sendto(socket, data, SENDING, to)?,
        Some(Address::Unix(to)) => net::sendto(socket, data, SENDING, &unix::destination(to)?)?,
        Some(Address::Unknown) => return Err(unknown()),
    })
}
