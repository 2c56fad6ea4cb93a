//! Numeric addresses, for datagrams.

use crate::values::address::{Address, unknown};
use crate::values::error::Explained;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use crate::values::zone::in_digits;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Finds the addresses of a host name, or of an IPv6 address with the name of an interface, for example
/// `fe80::1%eth0`.
pub type LookUp<'a> = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + 'a;

/// An address of a datagram socket or its peer. A host name is looked up before and between runs only, and never for
/// a single datagram: it would block the reactor. Its first address is used.
///
/// For connections there is [`ToAddresses`](crate::ToAddresses).
/// The name or the index of an interface may follow an IPv6 address. The
/// backend looks up the name of an interface, which does not block; an index needs no look-up. An
/// IP address without a port has port 0, as raw sockets need.
///
/// ```
/// use ropewalk::ToAddress;
///
/// // Finds the index of an interface.
/// let look_up = |name: &str, port| match name {
///     "fe80::1%eth0" => Ok(vec![format!("[fe80::1%2]:{port}").parse().unwrap()]),
///     "localhost" => Ok(vec![([127, 0, 0, 1], port).into()]),
///     _ => Err(std::io::ErrorKind::NotFound.into()),
/// };
/// let dns = "127.0.0.1:53".to_address(&look_up).unwrap();
/// assert_eq!(dns, ([127, 0, 0, 1], 53).to_address(&look_up).unwrap());
/// let on_link = "[fe80::1%2]:53".to_address(&look_up).unwrap();
/// assert_eq!(on_link, "[fe80::1%eth0]:53".to_address(&look_up).unwrap());
/// assert_eq!(dns, "localhost:53".to_address(&look_up).unwrap());
/// let error = "localhost".to_address(&look_up).unwrap_err();
/// assert!(error.to_string().starts_with("not an address"), "{error}");
/// ```
pub trait ToAddress: Debug {
    /// Returns the address. `look_up` is called for host names, and for addresses with the name of an interface.
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
        let (ip, port) = self
            .strip_prefix('[')
            .and_then(|text| text.rsplit_once("]:"))
            .or_else(|| self.rsplit_once(':').filter(|(host, _)| !host.contains(':')))
            .and_then(|(ip, port)| Some((ip, port.parse().ok()?)))
            .ok_or_else(no_address)?;
        (ip, port).to_address(look_up)
    }
}

impl ToAddress for String {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        self.as_str().to_address(look_up)
    }
}

impl ToAddress for (&str, u16) {
    fn to_address(&self, look_up: &LookUp<'_>) -> io::Result<Address> {
        let &(ip, port) = self;
        if let Some(address) = in_digits(ip, port) {
            return Ok(Address::Inet(address));
        }
        if matches!(ip, "" | "*") {
            return Err(no_address());
        }
        let found = look_up(ip, port)?.into_iter().next();
        found.map(Address::Inet).ok_or_else(no_address)
    }
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
