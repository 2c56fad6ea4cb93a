//! Unix systems other than Linux.

use crate::sys::OwnedFd;
#[cfg(feature = "credentials")]
use crate::values::credentials::Credentials;
use crate::values::unix_address::UnixAddress;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix};
use socket2::{SockRef, Socket};
use std::fs::File;
use std::io;
use std::net::{SocketAddr as InetAddress, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::os::unix::net::{SocketAddr, UnixStream};

/// The maximum number of bytes of a Unix socket's path: sun_path holds one more.
pub(crate) const LONGEST_PATH: usize = 103;

/// The most bytes that one write of a blocking pipe takes: the least that POSIX allows (limits.h). A pipe that poll(2)
/// reports as writable has room for that many.
pub(crate) const PIPE_BUF: usize = 512;

/// On these systems, opening /dev/fd only copies the descriptor.
pub(crate) fn open_terminal(_terminal: BorrowedFd<'_>) -> Option<File> {
    None
}

/// `recv_from` of the standard library passes no flags.
pub(crate) const RECEIVES_WITH_FLAGS: bool = false;

pub(crate) const SENDING: SendFlags = SendFlags::DONTWAIT;

pub(crate) const RECEIVING: RecvFlags = RecvFlags::DONTWAIT;

/// Until this call, a program that another thread executes inherits the descriptors.
pub(crate) fn close_on_exec(descriptors: &[OwnedFd]) {
    for descriptor in descriptors {
        // This fails only for a descriptor that is not open.
        let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
    }
}

pub(crate) fn send_file(_: BorrowedFd<'_>, _: &File, _: u64, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn accept_nonblocking(listener: &mio::net::UnixListener) -> io::Result<UnixStream> {
    let (socket, _undecoded) = SockRef::from(listener).accept()?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

pub(crate) fn abstract_address(_name: &[u8]) -> io::Result<SocketAddrUnix> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn unnamed() -> io::Result<SocketAddrUnix> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system assigns no names to sockets"))
}

pub(crate) fn abstract_name(_address: &SocketAddr) -> Option<UnixAddress> {
    None
}

#[cfg(feature = "credentials")]
pub(crate) fn credentials(_socket: BorrowedFd<'_>) -> Option<io::Result<Credentials>> {
    None
}

/// Returns the index of an interface; `None` if there is none of this name. getaddrinfo(3) finds it as the zone of a
/// numeric address.
pub(crate) fn interface_index(name: &str) -> io::Result<Option<u32>> {
    let zoned = format!("fe80::%{name}");
    let found = (zoned.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    Ok(match found {
        Some(InetAddress::V6(found)) => Some(found.scope_id()).filter(|&index| index > 0),
        _ => None,
    })
}

pub(crate) fn restrict(_socket: &Socket, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "freebsd")]
pub(crate) fn listens(socket: &Socket) -> io::Result<bool> {
    socket.is_listener()
}

/// Returns true if the socket listens. There is no such query: a listening socket has no peer, and a socket
/// without a peer is assumed to listen.
#[cfg(not(target_os = "freebsd"))]
pub(crate) fn listens(socket: &Socket) -> io::Result<bool> {
    Ok(socket.peer_addr().is_err())
}

/// SO_LINGER is the only option known to make close(2) wait.
pub(crate) fn turn_off_for_streams(socket: BorrowedFd<'_>) {
    let _ = SockRef::from(&socket).set_linger(None);
}

pub(crate) fn turn_off_for_datagrams(_socket: BorrowedFd<'_>) {}

pub(crate) fn check_stream(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// There is no such query: the environment is trusted.
#[cfg(feature = "systemd")]
pub(crate) fn was_passed(_number: u32) -> bool {
    true
}
