//! Network interfaces of the machine.

use std::fmt;
use std::net::Ipv4Addr;

/// One of the machine's network interfaces, for multicast.
///
/// ```
/// use ropewalk::Interface;
/// use std::net::Ipv4Addr;
///
/// assert_eq!(Interface::from("127.0.0.1"), Interface::Address(Ipv4Addr::LOCALHOST));
/// assert_eq!(Interface::from("2"), Interface::Index(2));
/// assert_eq!(Interface::from("eth0").to_string(), "eth0");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The system chooses: the interface of the route to the group.
    #[default]
    Any,
    /// The interface with this address. IPv4 only.
    Address(Ipv4Addr),
    /// The interface with this index (`ip link` lists them). For IPv4 on Linux only.
    Index(u32),
    /// The interface with this name, for example `eth0`. Linux only.
    Name(String),
}

impl From<Ipv4Addr> for Interface {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address)
    }
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

/// Parses an address or an index; any other text is a name.
impl From<&str> for Interface {
    fn from(text: &str) -> Self {
        if let Ok(address) = text.parse() {
            Self::Address(address)
        } else if let Ok(index) = text.parse() {
            Self::Index(index)
        } else {
            Self::Name(text.to_owned())
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any interface"),
            Self::Address(address) => address.fmt(f),
            Self::Index(index) => write!(f, "interface {index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
