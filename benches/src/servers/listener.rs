//! Listeners with the options of all servers: SO_REUSEADDR, a long backlog, TCP_NODELAY.

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The length of the accept queue: Linux's default limit (net.core.somaxconn), since a thousand
/// clients connect at once.
pub(super) const BACKLOG: i32 = 4096;

/// Returns a nonblocking listener, for libraries that take one. Linux lets accepted connections
/// inherit TCP_NODELAY, so it is set once.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Sets the same options on the listener of a library that makes its own with SO_REUSEADDR, and
/// cannot set the others. Its descriptor belongs to this process, so this process duplicates it.
pub(super) fn improve(address: SocketAddr) -> io::Result<()> {
    let ourselves = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        // Skips closed descriptors and descriptors of other kinds.
        if let Ok(socket) =
            rustix::process::pidfd_getfd(&ourselves, number, PidfdGetfdFlags::empty())
            && rustix::net::getsockname(&socket).is_ok_and(|name| name == address.into())
        {
            sockopt::set_tcp_nodelay(&socket, true)?;
            rustix::net::listen(&socket, BACKLOG)?;
        }
    }
    Ok(())
}
