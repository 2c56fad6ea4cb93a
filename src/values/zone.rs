//! Zones of IPv6 addresses: `fe80::1%eth0` (RFC 4007, section 11).

use std::net::{Ipv6Addr, SocketAddr};

/// Splits a numeric address with the name of an interface. Returns `None` for an index in place of
/// the name, which std parses.
pub(crate) fn zoned(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (ip, zone) = text.split_once('%')?;
    Some((ip.parse().ok()?, zone))
}

/// Parses a numeric address, with the index of its interface if it has one, and adds a port.
pub(crate) fn in_digits(ip: &str, port: u16) -> Option<SocketAddr> {
    match ip.parse() {
        Ok(ip) => Some(SocketAddr::new(ip, port)),
        Err(_) if ip.contains('%') => format!("[{ip}]:{port}").parse().ok(),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_is_name_of_interface_not_index() {
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
