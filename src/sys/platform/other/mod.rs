//! Systems other than Linux and Android.

pub(crate) mod multicast;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process;
#[cfg(unix)]
mod unix;

use crate::values::address::Address;
use mio::Interest;
use socket2::{SockRef, Socket};
use std::io;
use std::time::Duration;
#[cfg(unix)]
pub(crate) use unix::*;

/// Whether an accepted connection inherits the options of the listener. POSIX does not specify it.
pub(crate) const INHERITS_OPTIONS: bool = false;

pub(crate) fn stream_interest() -> Interest {
    Interest::READABLE | Interest::WRITABLE
}

pub(crate) fn receive_inet(
    socket: &mio::net::UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, Address)> {
    let (length, sender) = socket.recv_from(buffer)?;
    Ok((length, sender.into()))
}

pub(crate) fn include_header(_socket: &Socket, _ipv6: bool) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "IP headers cannot be included on this system"))
}

pub(crate) fn set_user_timeout(
    _socket: &SockRef<'_>,
    _timeout: Option<Duration>,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn set_traffic_class_v4(_socket: &SockRef<'_>, _class: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn set_traffic_class_v6(_socket: &SockRef<'_>, _class: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn tie_to_device(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "dragonfly")]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(target_os = "freebsd")]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

/// Other systems have no such option, or it gives all connections to one of the listeners.
#[cfg(not(any(target_os = "dragonfly", target_os = "freebsd")))]
pub(crate) fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "ports cannot be shared on this system"))
}
