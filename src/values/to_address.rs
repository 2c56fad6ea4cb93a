//! Numeric addresses, for datagrams.

use crate::values::address::{Address, unknown};
use crate::values::error::Explained;
use crate::values::to_addresses::is_service;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use crate::values::zone::in_digits;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Finds the addresses of a host and a port. The host is a name, an IPv6 address with the name of an interface, for
/// example `fe80::1%eth0`, or an address in digits. The port is a number or the name of a service.
pub type LookUp<'a> = dyn Fn(&str, &str) -> io::Result<Vec<SocketAddr>> + 'a;

/// An address of a datagram socket or its peer. A host name is looked up before and between runs only, and never for
/// a single datagram: it would block the reactor. Its first address is used.
///
/// For connections there is [`ToAddresses`](crate::ToAddresses).
/// The name or the index of an interface may follow an IPv6 address. The
/// backend looks up the name of an interface, which does not block; an index needs no look-up. A port may be given by
/// the name of a service of UDP, as in `127.0.0.1:domain`: then the file of services(5) is read each time. An
/// IP address without a port has port 0, as raw sockets need.
///
/// ```
/// use ropewalk::ToAddress;
///
/// // Finds the index of an interface.
/// let look_up = |host: &str, port: &str| match (host, port) {
///     ("fe80::1%eth0", _) => Ok(vec![format!("[fe80::1%2]:{port}").parse().unwrap()]),
///     ("localhost" | "127.0.0.1", "domain" | "53") => Ok(vec![([127, 0, 0, 1], 53).into()]),
///     _ => Err(std::io::ErrorKind::NotFound.into()),
/// };
/// let dns = "127.0.0.1:53".to_address(&look_up).unwrap();
/// assert_eq!(dns, ([127, 0, 0, 1], 53).to_address(&look_up).unwrap());
/// let on_link = "[fe80::1%2]:53".to_address(&look_up).unwrap();
/// assert_eq!(on_link, "[fe80::1%eth0]:53".to_address(&look_up).unwrap());
/// assert_eq!(dns, "localhost:53".to_address(&look_up).unwrap());
/// assert_eq!(dns, "127.0.0.1:domain".to_address(&look_up).unwrap());
/// let error = "localhost".to_address(&look_up).unwrap_err();
/// assert!(error.to_string().starts_with("not an address"), "{error}");
/// ```
pub trait ToAddress: Debug {
    /// Returns the address. `look_up` is called for host names, for services, and for addresses with the name of an
    /// interface.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no address;
    /// the errors of `look_up`.
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address>;
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        (**self).to_address(look_up)
    }
}

impl ToAddress for Address {
    fn to_address(&self, _look_up: &LookUp<'_>) -> io::Result<Address> {
        match self {
            Self::Inet(_) => Ok(self.clone()),
            #[cfg(unix)]
            Self::Unix(_) => Ok(self.clone()),
            _ => Err(unknown()),
        }
    }
}

#[cfg(unix)]
impl ToAddress for UnixAddress {
    fn to_address(&self, _look_up: &LookUp<'_>) -> io::Result<Address> {
        Ok(Address::Unix(self.clone()))
    }
}

impl ToAddress for str {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        if let Ok(address) = self.parse() {
            return Ok(Address::Inet(address));
        }
        let (host, port) = self
            .strip_prefix('[')
            .and_then(|text| text.rsplit_once("]:"))
            .or_else(|| self.rsplit_once(':').filter(|(host, _)| !host.contains(':')))
            .ok_or_else(no_address)?;
        match port.parse() {
            Ok(port) => (host, port).to_address(look_up),
            Err(_) if is_service(port) => first(host, port, look_up),
            Err(_) => Err(no_address()),
        }
    }
}

impl ToAddress for String {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        self.as_str().to_address(look_up)
    }
}

impl ToAddress for (&str, u16) {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        let &(host, port) = self;
        match in_digits(host, port) {
            Some(address) => Ok(Address::Inet(address)),
            None => first(host, &port.to_string(), look_up),
        }
    }
}

/// Looks up a host and a port, and returns the first address.
fn first(host: &str, port: &str, look_up: &LookUp<'_>) -> io::Result<Address> {
    if matches!(host, "" | "*") {
        return Err(no_address());
    }
    let found = look_up(host, port)?.into_iter().next();
    found.map(Address::Inet).ok_or_else(no_address)
}

/// Implements the trait for the types that std converts into an address.
macro_rules! to_address {
    ($($source:ty),*) => {$(
        impl ToAddress for $source {
            fn to_address(&self, _look_up: &LookUp<'_>) -> io::Result<Address> {
                Ok(Address::Inet(SocketAddr::from(*self)))
            }
        }
    )*};
}

to_address!(SocketAddr, SocketAddrV4, SocketAddrV6);
to_address!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16));

/// Implements the trait for IP addresses.
macro_rules! ip_to_address {
    ($($ip:ty),*) => {$(
        impl ToAddress for $ip {
            fn to_address(&self, _look_up: &LookUp<'_>) -> io::Result<Address> {
                Ok(Address::Inet(SocketAddr::new((*self).into(), 0)))
            }
        }
    )*};
}

ip_to_address!(IpAddr, Ipv4Addr, Ipv6Addr);

fn no_address() -> io::Error {
    let text = "not an address; examples are 127.0.0.1:7000, [::1]:7000 or localhost:7000";
    Explained::error(io::ErrorKind::InvalidInput, text)
}
