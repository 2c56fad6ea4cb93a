//! Addresses and host names, for connections and listeners.

use crate::values::address::Address;
use crate::values::error::Explained;
use crate::values::zone::{in_digits, zoned};
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Finds the addresses of a host name, or the address of an IPv6 address with the name of an interface,
/// for example `fe80::1%eth0`.
pub type LookUp<'a> = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + 'a;

/// The address of a listener or of a peer: an address in digits, a host name with a port, or a list
/// of addresses.
///
/// It is like std's `ToSocketAddrs`, except that the reactor's [backend](crate::backend::Backend) looks up the
/// names. The system blocks for the duration of the look-up. The name or the index of an interface may follow
/// an IPv6 address: `[fe80::1%eth0]:7000` (RFC 4007, section 11).
///
/// ```
/// use ropewalk::{Error, Protocol, Reactor, Transport};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// # }
///
/// let mut reactor = Reactor::new()?;
/// reactor.listen_tcp("localhost:0", || Quiet)?;
/// reactor.listen_tcp(("127.0.0.1", 0), || Quiet)?;
/// reactor.listen_tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 0)), || Quiet)?;
/// # Ok::<(), Error>(())
/// ```
pub trait ToAddresses: Debug {
    /// Returns the addresses, in the order in which to try them.
    ///
    /// # Errors
    ///
    /// If it is neither an address nor a name with a port, or `look_up` does not find the name or the
    /// interface.
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>>;
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        (**self).to_addresses(look_up)
    }
}

impl ToAddresses for str {
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let (host, port) = self
            .rsplit_once(':')
            .ok_or_else(|| invalid("it has no port, as in `localhost:7000`"))?;
        let port = port.parse().map_err(|_| invalid("its port is no number from 0 to 65,535"))?;
        check_host(host, port)?;
        match host.strip_prefix('[') {
            None => look_up(host, port),
            Some(inner) => {
                let inner = inner.strip_suffix(']').filter(|ip| zoned(ip).is_some());
                look_up(
                    inner.ok_or_else(|| {
                        invalid("the text between `[` and `]` is no IPv6 address")
                    })?,
                    port,
                )
            }
        }
    }
}

/// Refuses an empty host. It does not mean all addresses of the machine: a program would listen on every network
/// although its user did not request that.
fn check_host(host: &str, port: u16) -> io::Result<()> {
    if host.is_empty() || host == "*" {
        let text = format!(
            "it names no host; for this machine write localhost:{port}, and to listen on all of its \
             addresses 0.0.0.0:{port} or [::]:{port}"
        );
        return Err(Explained::error(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

impl ToAddresses for String {
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_addresses(look_up)
    }
}

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        match in_digits(self.0, self.1) {
            Some(address) => Ok(vec![address]),
            None => {
                check_host(self.0, self.1)?;
                look_up(self.0, self.1)
            }
        }
    }
}

impl ToAddresses for (String, u16) {
    fn to_addresses(&self, look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_addresses(look_up)
    }
}

impl ToAddresses for [SocketAddr] {
    fn to_addresses(&self, _look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

/// Returns no address if it is not an IP address.
impl ToAddresses for Address {
    fn to_addresses(&self, _look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok(self.socket_addr().into_iter().collect())
    }
}

/// Implements the trait for the types that std converts into an address.
macro_rules! to_addresses {
    ($($source:ty),*) => {$(
        impl ToAddresses for $source {
            fn to_addresses(&self, _look_up: &LookUp<'_>) -> io::Result<Vec<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)])
            }
        }
    )*};
}

to_addresses!(SocketAddr, SocketAddrV4, SocketAddrV6);
to_addresses!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16));
