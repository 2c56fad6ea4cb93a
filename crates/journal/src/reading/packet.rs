//! The headers of made-up packets: IP and TCP.

use std::net::{IpAddr, SocketAddr};

/// The longest payload: the length of an IPv4 packet has 16 bits.
pub(crate) const LONGEST: u32 = 65_000;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

/// The length of a TCP header without options.
const TCP_LENGTH: u16 = 20;

/// A packet of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) flags: u8,
    /// The number of bytes, at most [`LONGEST`].
    pub(crate) payload: u32,
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
}

impl Packet {
    /// Returns its headers. The TCP checksum is 0: it would need the payload.
    pub(crate) fn headers(&self) -> Vec<u8> {
        let length = TCP_LENGTH + self.payload as u16;
        let mut bytes = match (self.from.ip().to_canonical(), self.to.ip().to_canonical()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let [high, low] = (20 + length).to_be_bytes();
                // Version 4 and 20 bytes; do not fragment; 64 hops; TCP.
                let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0];
                header.extend(from.octets());
                header.extend(to.octets());
                let sum = checksum(&header).to_be_bytes();
                header[10..12].copy_from_slice(&sum);
                header
            }
            (from, to) => {
                let [high, low] = length.to_be_bytes();
                // Version 6; TCP; 64 hops.
                let mut header = vec![0x60, 0, 0, 0, high, low, 6, 64];
                header.extend(sixteen(from));
                header.extend(sixteen(to));
                header
            }
        };
        bytes.extend(self.from.port().to_be_bytes());
        bytes.extend(self.to.port().to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledged.to_be_bytes());
        // The header has five words; the window is 65,535.
        bytes.extend([5 << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes
    }
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Returns the checksum of an IPv4 header (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_the_rfc() {
        // The example of RFC 1071, section 3: the sum is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}
