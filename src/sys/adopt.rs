//! Adopting descriptors: checks before a socket is accepted.

use crate::sys::backend::AdoptRequest;
use crate::sys::datagram::SystemDatagram;
use crate::sys::listener::SystemListener;
use crate::sys::platform::{self, listens};
use crate::sys::stream::SystemStream;
use crate::values::address::Address;
use mio::Registry;
use socket2::{Domain, Socket, Type};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Adopts a listening socket, made by any program.
///
/// # Errors
///
/// If it is anything else. Its descriptor is closed then.
pub(super) fn listener(poll: &Rc<Registry>, request: AdoptRequest) -> io::Result<SystemListener> {
    let socket = stream_socket(request.descriptor)?;
    if !listens(&socket)? {
        return Err(invalid("the socket is not listening; call listen(2) first"));
    }
    SystemListener::adopt(poll, socket, request.takes_descriptors)
}

/// Adopts a connected socket. Returns its peer's address as well.
///
/// # Errors
///
/// If it is anything else. Its descriptor is closed then.
pub(super) fn connection(
    poll: &Rc<Registry>,
    request: AdoptRequest,
) -> io::Result<(SystemStream, Address)> {
    let socket = stream_socket(request.descriptor)?;
    if listens(&socket)? {
        return Err(invalid("the socket is listening; adopt it as a listener"));
    }
    if let Err(error) = socket.peer_addr() {
        return Err(match error.kind() {
            io::ErrorKind::NotConnected => invalid("the socket is not connected"),
            _ => error,
        });
    }
    SystemStream::adopt(poll, socket, request.takes_descriptors)
}

/// Adopts a datagram socket, UDP or raw. Returns the address of its peer as well, if it is connected.
///
/// # Errors
///
/// If it is anything else. Its descriptor is closed then.
pub(super) fn datagram(
    poll: &Rc<Registry>,
    descriptor: OwnedFd,
) -> io::Result<(SystemDatagram, Option<Address>)> {
    let socket = Socket::from(descriptor);
    match kind(&socket)? {
        Type::DGRAM | Type::RAW => {}
        Type::STREAM => {
            return Err(invalid("the socket is a stream socket, not a datagram socket"));
        }
        _ => return Err(invalid("the socket is not a datagram socket")),
    }
    prepare(&socket)?;
    platform::turn_off_for_datagrams(socket.as_fd());
    SystemDatagram::adopt(poll, socket)
}

/// Checks that a descriptor is a stream socket of a supported family, and prepares it for a reactor.
fn stream_socket(descriptor: OwnedFd) -> io::Result<Socket> {
    let socket = Socket::from(descriptor);
    match kind(&socket)? {
        Type::STREAM => {}
        Type::DGRAM => return Err(invalid("the socket is a datagram socket, not a stream socket")),
        _ => return Err(invalid("the socket is not a stream socket")),
    }
    prepare(&socket)?;
    platform::check_stream(socket.as_fd())?;
    clear_options(socket.as_fd());
    Ok(socket)
}

/// Turns off the options that a stream socket must not have. Called for adopted connections, and for those
/// accepted from an adopted listener: connections inherit its options, even from before it was adopted.
pub(super) fn clear_options(socket: BorrowedFd<'_>) {
    platform::turn_off_for_streams(socket);
}

fn kind(socket: &Socket) -> io::Result<Type> {
    socket.r#type().map_err(|error| match error.raw_os_error() {
        Some(errno) if errno == rustix::io::Errno::NOTSOCK.raw_os_error() => {
            invalid("the descriptor is not a socket; use `Context::watch` for other descriptors")
        }
        _ => error,
    })
}

/// Checks the address family. Makes the socket non-blocking, and closed when a program is executed.
fn prepare(socket: &Socket) -> io::Result<()> {
    match socket.local_addr()?.domain() {
        Domain::IPV4 | Domain::IPV6 | Domain::UNIX => {}
        _ => return Err(invalid("the socket is not an IPv4, IPv6 or Unix socket")),
    }
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
