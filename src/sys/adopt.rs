//! Taking over sockets that were made elsewhere: what is looked at before one is believed.

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

/// A socket that listens, from whoever made it.
///
/// # Errors
///
/// If it is anything else. Its descriptor is closed then.
pub(super) fn listener(poll: &Rc<Registry>, descriptor: OwnedFd) -> io::Result<SystemListener> {
    let socket = stream_socket(descriptor)?;
    if !listens(&socket)? {
        return Err(unfit("the socket does not listen; call listen(2) first"));
    }
    SystemListener::adopt(poll, socket)
}

/// A socket that is connected, and its peer's address.
///
/// # Errors
///
/// If it is anything else. Its descriptor is closed then.
pub(super) fn connection(
    poll: &Rc<Registry>,
    descriptor: OwnedFd,
) -> io::Result<(SystemStream, Address)> {
    let socket = stream_socket(descriptor)?;
    if listens(&socket)? {
        return Err(unfit("the socket listens; adopt it as a listener"));
    }
    if let Err(error) = socket.peer_addr() {
        return Err(match error.kind() {
            io::ErrorKind::NotConnected => unfit("the socket is not connected, or not any more"),
            _ => error,
        });
    }
    SystemStream::adopt(poll, socket)
}

/// A datagram socket, UDP or raw, and the address of whom it is connected with.
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
        Type::STREAM => return Err(unfit("the socket is a stream, not for datagrams")),
        _ => return Err(unfit("the socket is not for datagrams")),
    }
    make_fit(&socket)?;
    platform::turn_off_for_datagrams(socket.as_fd());
    SystemDatagram::adopt(poll, socket)
}

/// A stream socket of a family that we speak, made fit for a reactor.
fn stream_socket(descriptor: OwnedFd) -> io::Result<Socket> {
    let socket = Socket::from(descriptor);
    match kind(&socket)? {
        Type::STREAM => {}
        Type::DGRAM => return Err(unfit("the socket is for datagrams, not a stream")),
        _ => return Err(unfit("the socket is not a stream")),
    }
    make_fit(&socket)?;
    platform::check_stream(socket.as_fd())?;
    clear_options(socket.as_fd());
    Ok(socket)
}

/// Turns off the options of a stream socket that must not be on: of one that is adopted, or that was
/// accepted from one that is, since connections inherit the options of their listener, from before it
/// was adopted as well.
pub(super) fn clear_options(socket: BorrowedFd<'_>) {
    platform::turn_off_for_streams(socket);
}

fn kind(socket: &Socket) -> io::Result<Type> {
    socket.r#type().map_err(|error| match error.raw_os_error() {
        Some(errno) if errno == rustix::io::Errno::NOTSOCK.raw_os_error() => {
            unfit("the descriptor is not a socket; `Context::watch` watches any other")
        }
        _ => error,
    })
}

/// Nobody waits on it, and no child inherits it.
fn make_fit(socket: &Socket) -> io::Result<()> {
    // The one place that tells the families apart.
    match socket.local_addr()?.domain() {
        Domain::IPV4 | Domain::IPV6 | Domain::UNIX => {}
        _ => return Err(unfit("the socket is of neither IPv4 nor IPv6, and no Unix socket")),
    }
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)
}

fn unfit(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
