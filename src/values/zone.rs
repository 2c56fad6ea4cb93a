//! Addresses with the interface on which they are to be found: `fe80::1%eth0` (RFC 4007, section 11).
//! Floor 0.

use crate::values::error::Explained;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

/// The address in digits, and the name of its interface, if `text` has both. An index in the place of
/// the name is none: std understands it.
pub(crate) fn zoned(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (ip, zone) = text.split_once('%')?;
    Some((ip.parse().ok()?, zone))
}

/// An address in digits and a port, with the index of its interface if it has one.
pub(crate) fn in_digits(ip: &str, port: u16) -> Option<SocketAddr> {
    match ip.parse() {
        Ok(ip) => Some(SocketAddr::new(ip, port)),
        Err(_) if ip.contains('%') => format!("[{ip}]:{port}").parse().ok(),
        Err(_) => None,
    }
}

/// No interface has the name that stands behind an address.
pub(crate) fn no_interface(name: &str) -> io::Error {
    let what = match name.is_empty() {
        true => "there is no interface behind the `%`".to_owned(),
        false => format!("there is no network interface `{name}`"),
    };
    let text = format!("{what} (`ip link` lists those that are there; an index will do as well)");
    Explained::error(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_told_from_indexes_and_from_names_of_hosts() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        assert_eq!(zoned("fe80::1%eth0"), Some((ip, "eth0")));
        assert_eq!(zoned("fe80::1%eth0%1"), Some((ip, "eth0%1")));
        assert_eq!(zoned("fe80::1%"), Some((ip, "")));
        assert_eq!(zoned("fe80::1"), None);
        assert_eq!(zoned("10.0.0.1%eth0"), None);
        assert_eq!(zoned("host%eth0"), None);
        assert_eq!(in_digits("fe80::1%4", 7).unwrap().to_string(), "[fe80::1%4]:7");
        assert_eq!(in_digits("10.0.0.1", 7).unwrap().to_string(), "10.0.0.1:7");
        assert_eq!(in_digits("fe80::1%eth0", 7), None);
    }
}
