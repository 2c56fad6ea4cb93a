//! Listeners, with what all servers are to have: SO_REUSEADDR, a long backlog, TCP_NODELAY.

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many connections may wait to be accepted: what Linux allows unless told otherwise
/// (net.core.somaxconn), for a thousand clients begin at once.
pub(super) const BACKLOG: i32 = 4096;

/// A listener for those who take one that is made. It does not block; and Linux hands TCP_NODELAY
/// on to what it accepts, so it is set once.
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

/// The same for the listener of a library that makes its own, has set SO_REUSEADDR on it, and has
/// no way to set the others. Its descriptor is one of ours, so we have ourselves given a copy of
/// it.
pub(super) fn improve(address: SocketAddr) -> io::Result<()> {
    let ourselves = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        // What is none of ours any more, or no socket, is not looked for.
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
