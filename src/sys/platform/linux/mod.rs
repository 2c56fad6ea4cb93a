//! Linux and Android: what differs from other systems.

mod foreign_options;
pub(crate) mod multicast;
#[cfg(feature = "process")]
pub(crate) mod process;
#[cfg(feature = "foreign_sockets")]
mod rare_options;

use crate::sys::OwnedFd;
use crate::values::address::Address;
#[cfg(feature = "credentials")]
use crate::values::credentials::Credentials;
use crate::values::unix_address::UnixAddress;
pub(crate) use foreign_options::{check_stream, turn_off_for_datagrams, turn_off_for_streams};
use libc::{O_NOCTTY, O_NONBLOCK};
use mio::Interest;
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, netdevice,
};
use socket2::{SockRef, Socket};
use std::fs::{self, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
use std::os::fd::{AsRawFd, BorrowedFd};
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The maximum number of bytes of a Unix socket's path or name: sun_path holds one more (unix(7)).
pub(crate) const LONGEST_PATH: usize = 107;

/// The most bytes that one write of a blocking pipe takes. A pipe that poll(2) reports as writable has room for that
/// many (pipe(7)); a longer write may wait for the reader.
pub(crate) const PIPE_BUF: usize = 4096;

/// Opens a terminal once more, so that it need not block: other descriptors of it keep their O_NONBLOCK. Returns `None`
/// if it is a master side, which would open another terminal, or if the process may not open it.
pub(crate) fn open_terminal(terminal: BorrowedFd<'_>) -> Option<File> {
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    if fs::read_link(&path).ok()?.ends_with("ptmx") {
        return None;
    }
    let mut options = File::options();
    options.read(true).write(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path).ok()
}

/// Whether an accepted connection inherits the options of the listener. POSIX does not specify it.
pub(crate) const INHERITS_OPTIONS: bool = true;

/// Whether [`receive_inet`] passes MSG_DONTWAIT.
pub(crate) const RECEIVES_WITH_FLAGS: bool = true;

/// Without MSG_NOSIGNAL, a write to a connection that the peer has reset would kill a process that does not
/// ignore SIGPIPE, such as one with a `main` in another language. Plain writes already use it.
pub(crate) const SENDING: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// Descriptors are closed when a program is executed; this is set as they are received.
pub(crate) const RECEIVING: RecvFlags = RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT);

pub(crate) fn close_on_exec(_descriptors: &[OwnedFd]) {}

/// Returns the events for a stream. Urgent data is included because a read stops before it (see
/// `MORE_FOLLOWS`).
pub(crate) fn stream_interest() -> Interest {
    Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY
}

/// Receives a datagram. Returns the whole length of one that did not fit (MSG_TRUNC, recv(2)).
pub(crate) fn receive_inet(
    socket: &mio::net::UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, Address)> {
    const FLAGS: RecvFlags = RecvFlags::TRUNC.union(RecvFlags::DONTWAIT);
    let (_, length, sender) = net::recvfrom(socket, buffer, FLAGS)?;
    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
    let sender = sender.ok_or_else(|| io::Error::other("the datagram has no sender"))?;
    Ok((length, sender.into()))
}

pub(crate) fn include_header(socket: &Socket, ipv6: bool) -> io::Result<()> {
    match ipv6 {
        false => socket.set_header_included_v4(true),
        true => socket.set_header_included_v6(true),
    }
}

pub(crate) fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    // Zero means `None` to the system.
    let at_least = Duration::from_millis(1);
    socket.set_tcp_user_timeout(timeout.map(|timeout| timeout.max(at_least)))
}

pub(crate) fn set_traffic_class_v4(socket: &SockRef<'_>, class: u32) -> io::Result<()> {
    socket.set_tos_v4(class)
}

pub(crate) fn set_traffic_class_v6(socket: &SockRef<'_>, class: u32) -> io::Result<()> {
    socket.set_tclass_v6(class)
}

pub(crate) fn tie_to_device(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Sends at most `count` bytes of a file from `offset` on, without copying them. Returns `Unsupported` if the
/// system cannot do that for this file.
pub(crate) fn send_file(
    socket: BorrowedFd<'_>,
    file: &File,
    offset: u64,
    count: usize,
) -> io::Result<usize> {
    let Some(count) = NonZeroUsize::new(count) else { return Ok(0) };
    // The C library's off_t may have 32 bits.
    let offset = isize::try_from(offset).map_err(|_| io::ErrorKind::Unsupported)?;
    let sent = SockRef::from(&socket).sendfile(file, offset as usize, Some(count));
    sent.map_err(|error| match Errno::from_io_error(&error) {
        // Errors that sendfile(2) reports for the file, or if it does not support it.
        Some(Errno::BADF | Errno::INVAL | Errno::IO | Errno::NOSYS | Errno::OVERFLOW) => {
            io::ErrorKind::Unsupported.into()
        }
        _ => error,
    })
}

pub(crate) fn accept_nonblocking(listener: &mio::net::UnixListener) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(net::accept_with(listener, flags)?.into())
}

pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(name)?)
}

/// Returns the address for which the system chooses a name.
pub(crate) fn unnamed() -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_unnamed())
}

pub(crate) fn abstract_name(address: &std::os::unix::net::SocketAddr) -> Option<UnixAddress> {
    address.as_abstract_name().map(UnixAddress::abstract_name)
}

/// Returns the credentials that the peer had when it connected, or began to listen.
#[cfg(feature = "credentials")]
pub(crate) fn credentials(socket: BorrowedFd<'_>) -> Option<io::Result<Credentials>> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let peer = getsockopt(&socket, PeerCredentials).map(|peer| {
        // The system reports 0 for a process that has no id in this namespace.
        let pid = Some(peer.pid()).filter(|&pid| pid > 0);
        Credentials { pid, uid: peer.uid(), gid: peer.gid() }
    });
    Some(peer.map_err(io::Error::from))
}

/// Returns the index of an interface (netdevice(7)); `None` if there is none of this name.
pub(crate) fn interface_index(name: &str) -> io::Result<Option<u32>> {
    let any =
        net::socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    match netdevice::name_to_index(any, name) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::NODEV) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets the mode with which a socket's file is created, less the umask. So the file of a datagram socket, which
/// receives as soon as it is bound, is never more open than requested.
pub(crate) fn restrict(socket: &Socket, mode: u32) -> io::Result<()> {
    // std changes the mode of an open file only through a `File`, so this is a copy of the descriptor.
    let file = File::from(OwnedFd::from(socket.try_clone()?));
    file.set_permissions(Permissions::from_mode(mode))
}

/// Returns true if a stream socket listens.
pub(crate) fn listens(socket: &Socket) -> io::Result<bool> {
    socket.is_listener()
}

/// Returns true if a descriptor is open, and was open when the program began (proc_pid_fdinfo(5)).
#[cfg(feature = "systemd")]
pub(crate) fn was_passed(number: u32) -> bool {
    let close_on_exec = SocketFlags::CLOEXEC.bits(); // The same bit as O_CLOEXEC.
    let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok().and_then(|text| {
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(flags.trim(), 8).ok()
    });
    flags.is_some_and(|flags| flags & close_on_exec == 0)
}
