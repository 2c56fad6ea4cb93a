//! Addresses of sockets.

#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::option;

/// The address of one end of a connection, or of a listener.
///
/// It prints in the usual form, `127.0.0.1:7000` or `[::1]:7000`. Functions that take an address accept
/// it: [`Context::connect_tcp`](crate::Context::connect_tcp), `std::net::TcpStream::connect`.
///
/// ```
/// use ropewalk::Address;
///
/// let address = Address::from("127.0.0.1:7000".parse::<std::net::SocketAddr>().unwrap());
/// assert_eq!(address.to_string(), "127.0.0.1:7000");
/// assert_eq!(address.port(), Some(7000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IPv4 or IPv6 address and a port.
    Inet(SocketAddr),
    /// The name of a Unix socket.
    #[cfg(unix)]
    Unix(UnixAddress),
    /// A pair of pipes or other descriptors: see [`Pipes`](crate::Pipes).
    #[cfg(unix)]
    Pipes,
    /// A pipe to a process, by its number.
    #[cfg(all(unix, feature = "process"))]
    Process(u32),
    /// Standard input and output: see `Pipes::standard`.
    #[cfg(unix)]
    StandardIo,
    /// No address is known: the socket is closed, or not connected, or not yet.
    Unknown,
}

impl Address {
    /// Returns the IP address and port, if there is one.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }

    /// Returns the name of a Unix socket, if it is one.
    #[cfg(unix)]
    pub fn unix(&self) -> Option<&UnixAddress> {
        match self {
            Self::Unix(address) => Some(address),
            _ => None,
        }
    }

    /// Returns true if it is a pipe to a process.
    pub(crate) fn is_process(&self) -> bool {
        #[cfg(all(unix, feature = "process"))]
        return matches!(self, Self::Process(_));
        #[cfg(not(all(unix, feature = "process")))]
        false
    }

    /// Returns the IP address, if there is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// Returns the port, if there is one.
    pub fn port(&self) -> Option<u16> {
        self.socket_addr().map(|address| address.port())
    }
}

/// The error of sending or connecting to an unknown address.
pub(crate) fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the address is unknown")
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

#[cfg(unix)]
impl From<UnixAddress> for Address {
    fn from(address: UnixAddress) -> Self {
        Self::Unix(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Pipes => f.write_str("a pair of pipes"),
            #[cfg(all(unix, feature = "process"))]
            Self::Process(number) => write!(f, "process {number}"),
            #[cfg(unix)]
            Self::StandardIo => f.write_str("standard input and output"),
            #[cfg(unix)]
            Self::Unix(address) => address.fmt(f),
            Self::Unknown => f.write_str("an unknown address"),
        }
    }
}

impl ToSocketAddrs for Address {
    type Iter = option::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.socket_addr().into_iter())
    }
}
