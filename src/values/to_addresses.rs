//! Addresses and host names, for connections and listeners.

use crate::values::address::Address;
use crate::values::error::Explained;
use crate::values::zone::{in_digits, zoned};
use std::fmt::{self, Debug};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The addresses that a [`ToAddresses`] stands for, or the name of the host to look up.
///
/// ```
/// use ropewalk::{Target, ToAddresses};
///
/// let host = Target::Host { host: "example.org".to_owned(), service: "https".to_owned() };
/// assert_eq!("example.org:https".target().unwrap(), host);
/// let address = "127.0.0.1:443".parse().unwrap();
/// assert_eq!("127.0.0.1:443".target().unwrap(), Target::Addresses(vec![address]));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Addresses, in the order in which to try them.
    Addresses(Vec<SocketAddr>),
    /// A host and a service on it.
    Host {
        /// The name of the host, or its address. The name of an interface may follow an IPv6 address.
        host: String,
        /// The port, or the name of a service (services(5)).
        service: String,
    },
}

impl Target {
    fn host(host: &str, service: impl ToString) -> io::Result<Self> {
        let service = service.to_string();
        check_host(host, &service)?;
        Ok(Self::Host { host: host.to_owned(), service })
    }
}

/// Formats it as the user wrote it.
impl Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => addresses.fmt(f),
            Self::Host { host, service } => write!(f, "{host}:{service}"),
        }
    }
}

/// The address of a listener or of a peer: an address in digits, a host name with a port, or a list
/// of addresses.
///
/// It is like std's `ToSocketAddrs`, except that names are not looked up here, which would block: that is left to
/// the reactor. A port may be given by the name of a service, as in `example.org:https`. The name or the index of an
/// interface may follow an IPv6 address: `[fe80::1%eth0]:7000` (RFC 4007, section 11).
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
    /// Returns the addresses, or the host to look up.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is neither an address nor a name with a port.
    fn target(&self) -> io::Result<Target>;
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}

impl ToAddresses for str {
    fn target(&self) -> io::Result<Target> {
        if let Ok(address) = self.parse() {
            return Ok(Target::Addresses(vec![address]));
        }
        let (host, service) = self
            .rsplit_once(':')
            .ok_or_else(|| invalid("the port is missing; write it as in `localhost:7000`"))?;
        if service.parse::<u16>().is_err() && !is_service(service) {
            return Err(invalid(
                "the port is neither a number from 0 to 65,535 nor the name of a service",
            ));
        }
        let Some(inner) = host.strip_prefix('[') else {
            return Target::host(host, service);
        };
        let ip = inner.strip_suffix(']').filter(|ip| zoned(ip).is_some() || ip_in_digits(ip));
        let text = "the text between `[` and `]` is not an IPv6 address";
        Target::host(ip.ok_or_else(|| invalid(text))?, service)
    }
}

/// Returns true if the text may be the name of a service, such as `https`.
pub(crate) fn is_service(text: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_valid)
}

fn ip_in_digits(ip: &str) -> bool {
    in_digits(ip, 0).is_some_and(|address| address.is_ipv6())
}

/// Refuses an empty host. It does not mean all addresses of the machine: a program would listen on every network
/// although its user did not request that.
fn check_host(host: &str, port: &str) -> io::Result<()> {
    if host.is_empty() || host == "*" {
        let text = format!(
            "the host is missing; use localhost:{port} for this machine, or 0.0.0.0:{port} or \
             [::]:{port} to listen on all its addresses"
        );
        return Err(Explained::error(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

impl ToAddresses for String {
    fn target(&self) -> io::Result<Target> {
        self.as_str().target()
    }
}

impl ToAddresses for (&str, u16) {
    fn target(&self) -> io::Result<Target> {
        match in_digits(self.0, self.1) {
            Some(address) => Ok(Target::Addresses(vec![address])),
            None => Target::host(self.0, self.1),
        }
    }
}

impl ToAddresses for (String, u16) {
    fn target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).target()
    }
}

impl ToAddresses for [SocketAddr] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Addresses(self.to_vec()))
    }
}

impl ToAddresses for Target {
    fn target(&self) -> io::Result<Target> {
        Ok(self.clone())
    }
}

/// Returns no address if it is not an IP address.
impl ToAddresses for Address {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Addresses(self.socket_addr().into_iter().collect()))
    }
}

/// Implements the trait for the types that std converts into an address.
macro_rules! to_addresses {
    ($($source:ty),*) => {$(
        impl ToAddresses for $source {
            fn target(&self) -> io::Result<Target> {
                Ok(Target::Addresses(vec![SocketAddr::from(*self)]))
            }
        }
    )*};
}

to_addresses!(SocketAddr, SocketAddrV4, SocketAddrV6);
to_addresses!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16));
