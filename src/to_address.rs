//! What can be written where an address is wanted that must not be looked up.

use crate::address::Address;
#[cfg(unix)]
use crate::unix_address::UnixAddress;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Where datagrams come from and go to: an address in digits. A name is refused, for to look it up
/// would block the reactor at each datagram.
///
/// It is what `ToSocketAddrs` is for connections, except that it never asks the system. An IP
/// address alone stands for port 0, which is what raw sockets take.
///
/// ```
/// use ropewalk::ToAddress;
///
/// assert_eq!("127.0.0.1:53".to_address().unwrap(), ([127, 0, 0, 1], 53).to_address().unwrap());
/// assert!("[fe80::1%2]:53".to_address().is_ok()); // on the interface whose index is 2
/// let error = "localhost:53".to_address().unwrap_err();
/// assert!(error.to_string().starts_with("not an address in digits"), "{error}");
/// ```
pub trait ToAddress: Debug {
    /// The address.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is a name, or no address at all.
    fn to_address(&self) -> io::Result<Address>;
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self) -> io::Result<Address> {
        (**self).to_address()
    }
}

impl ToAddress for Address {
    fn to_address(&self) -> io::Result<Address> {
        Ok(self.clone())
    }
}

#[cfg(unix)]
impl ToAddress for UnixAddress {
    fn to_address(&self) -> io::Result<Address> {
        Ok(Address::Unix(self.clone()))
    }
}

impl ToAddress for str {
    fn to_address(&self) -> io::Result<Address> {
        self.parse().map(Address::Inet).map_err(|_| no_digits())
    }
}

impl ToAddress for String {
    fn to_address(&self) -> io::Result<Address> {
        self.as_str().to_address()
    }
}

impl ToAddress for (&str, u16) {
    fn to_address(&self) -> io::Result<Address> {
        let ip: IpAddr = self.0.parse().map_err(|_| no_digits())?;
        (ip, self.1).to_address()
    }
}

/// For all that std makes an address of.
macro_rules! to_address {
    ($($source:ty),*) => {$(
        impl ToAddress for $source {
            fn to_address(&self) -> io::Result<Address> {
                Ok(Address::Inet(SocketAddr::from(*self)))
            }
        }
    )*};
}

to_address!(SocketAddr, SocketAddrV4, SocketAddrV6);
to_address!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16));

/// For IP addresses alone.
macro_rules! ip_to_address {
    ($($ip:ty),*) => {$(
        impl ToAddress for $ip {
            fn to_address(&self) -> io::Result<Address> {
                (IpAddr::from(*self), 0).to_address()
            }
        }
    )*};
}

ip_to_address!(IpAddr, Ipv4Addr, Ipv6Addr);

fn no_digits() -> io::Error {
    let text = "not an address in digits, and names are not looked up for datagrams";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
