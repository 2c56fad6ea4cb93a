//! Names of hosts and network interfaces.

use crate::values::error::Explained;
use crate::values::zone::zoned;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};

/// Returns the addresses of a name. It blocks, except for an address with an interface.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound) if no address was found, for any reason: getaddrinfo(3) has error
/// numbers of its own, which std does not return.
pub(crate) fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some((ip, zone)) = zoned(name) {
        return Ok(vec![SocketAddrV6::new(ip, port, 0, interface_index(zone)?).into()]);
    }
    match (name, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) if is_unknown(&error) => Err(io::Error::new(io::ErrorKind::NotFound, error)),
        Err(error) => Err(error),
    }
}

fn is_unknown(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // Errors of getaddrinfo(3) have no number here.
        None => error.kind() != io::ErrorKind::InvalidInput,
        // WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY and WSANO_DATA.
        Some(number) => cfg!(windows) && (11_001..=11_004).contains(&number),
    }
}

/// Returns the index of the interface with this name.
#[cfg(unix)]
fn interface_index(name: &str) -> io::Result<u32> {
    use nix::errno::Errno;
    nix::net::if_::if_nametoindex(name).map_err(|error| match error {
        Errno::ENODEV | Errno::ENXIO | Errno::EINVAL => no_interface(name),
        error => error.into(),
    })
}

#[cfg(not(unix))]
fn interface_index(name: &str) -> io::Result<u32> {
    Err(no_interface(name)) // The error advises to use the index.
}

/// Makes the error for an unknown interface.
fn no_interface(name: &str) -> io::Error {
    let what = match name.is_empty() {
        true => "there is no interface behind the `%`".to_owned(),
        false => format!("there is no network interface `{name}`"),
    };
    let text = format!("{what} (`ip link` lists the interfaces; an index works as well)");
    Explained::error(io::ErrorKind::InvalidInput, text)
}
