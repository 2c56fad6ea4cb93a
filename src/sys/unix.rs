//! Unix sockets: addresses, connect, accept and credentials.

use crate::sys::options::set_options;
use crate::sys::platform::{
    LONGEST_PATH, abstract_address, abstract_name, accept_nonblocking, unnamed,
};
use crate::values::address::Address;
use crate::values::socket_option::SocketOption;
use crate::values::unix_address::UnixAddress;
use rustix::net::SocketAddrUnix;
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// Opens a non-blocking socket of this family.
pub(super) fn open(kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Connects; this succeeds or fails immediately.
pub(super) fn connect(
    address: &UnixAddress,
    options: &[SocketOption],
) -> io::Result<mio::net::UnixStream> {
    let socket = open(Type::STREAM)?;
    set_options(&SockRef::from(&socket), options)?;
    rustix::net::connect(&socket, &destination(address)?)?;
    Ok(mio::net::UnixStream::from_std(socket.into()))
}

/// Accepts a connection, and reads the peer's name.
///
/// The name that accept(2) fills in is not decoded: a client may bind to a path of 108 bytes, for which the
/// system reports a length beyond sun_path (unix(7), BUGS), and mio's accept panics on it. It also drops
/// abstract names. std's decoding of getpeername(2) handles both.
pub(super) fn accept(
    listener: &mio::net::UnixListener,
) -> io::Result<(mio::net::UnixStream, Address)> {
    let socket = accept_nonblocking(listener)?;
    // If the name of the peer cannot be read, the connection is served like one without a name.
    let peer =
        socket.peer_addr().map_or_else(|_| UnixAddress::unnamed().into(), |peer| address(&peer));
    Ok((mio::net::UnixStream::from_std(socket), peer))
}

/// Returns the address of a receiver in the system's form.
pub(super) fn destination(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    if address.is_unnamed() {
        return Err(invalid("an unnamed socket cannot be reached".to_owned()));
    }
    system_address(address)
}

/// Returns an address in the system's form.
///
/// # Errors
///
/// If it is a path, or a name, that the system would change, or that is too long.
pub(super) fn system_address(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    if let Some(path) = address.path() {
        check(path)?;
        return Ok(SocketAddrUnix::new(path)?);
    }
    let Some(name) = address.as_abstract_name() else {
        return unnamed();
    };
    if name.len() > LONGEST_PATH {
        let length = name.len();
        return Err(invalid(format!(
            "the name has {length} bytes; the limit for an abstract name is {LONGEST_PATH}"
        )));
    }
    abstract_address(name)
}

fn check(path: &Path) -> io::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(invalid("the path is empty".to_owned()));
    }
    if bytes.contains(&0) {
        return Err(invalid("the path contains a zero byte".to_owned()));
    }
    if bytes.len() > LONGEST_PATH {
        let length = bytes.len();
        return Err(invalid(format!(
            "the path has {length} bytes; the limit for a socket is {LONGEST_PATH}"
        )));
    }
    Ok(())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Returns the address that the system has reported.
pub(super) fn address(address: &SocketAddr) -> Address {
    let name = match address.as_pathname() {
        Some(path) => UnixAddress::from(path),
        None => abstract_name(address).unwrap_or_else(UnixAddress::unnamed),
    };
    Address::Unix(name)
}
