//! ICMP echo messages, for IPv4 (RFC 792) and IPv6 (RFC 4443).

/// The IP version. The message types have different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A received message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// The reply to an echo request.
    Reply { identifier: u16, sequence: u16, data: &'a [u8] },
    /// The error of an echo request that was not delivered.
    Error { identifier: u16, sequence: u16, what: &'static str },
}

/// The length of an echo message's header.
const HEADER: usize = 8;

/// Returns an echo request. The system computes the checksum for IPv6.
pub(crate) fn request(family: Family, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let kind = if family == Family::V4 { 8 } else { 128 };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(data);
    if family == Family::V4 {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// Splits a packet of a raw socket into the TTL and the data after the IPv4 header. Returns `None` if the header is
/// malformed: the packet is unchecked.
pub(crate) fn without_header(packet: &[u8]) -> Option<(u8, &[u8])> {
    let first = *packet.first()?;
    let length = usize::from(first & 15) * 4;
    (first >> 4 == 4 && length >= 20).then_some(())?;
    Some((*packet.get(8)?, packet.get(length..)?))
}

/// Parses a message. Returns `None` if it is malformed or not about an echo.
pub(crate) fn parse(family: Family, message: &[u8]) -> Option<Message<'_>> {
    let (kind, code) = (*message.first()?, *message.get(1)?);
    let rest = message.get(HEADER..)?;
    let what = match (family, kind, code) {
        (Family::V4, 0, _) | (Family::V6, 129, _) => {
            let (identifier, sequence) = identifiers(message)?;
            return Some(Message::Reply { identifier, sequence, data: rest });
        }
        (Family::V4, 3, 0) | (Family::V6, 1, 0) => "Destination Net Unreachable",
        (Family::V4, 3, 1) | (Family::V6, 1, 3) => "Destination Host Unreachable",
        (Family::V4, 3, 4) | (Family::V6, 2, _) => "Frag needed",
        (Family::V4, 3, 9 | 10 | 13) | (Family::V6, 1, 1) => "Packet filtered",
        (Family::V4, 3, _) | (Family::V6, 1, _) => "Destination Unreachable",
        (Family::V4, 11, _) | (Family::V6, 3, _) => "Time to live exceeded",
        _ => return None,
    };
    // The beginning of the packet that was not delivered follows.
    let (protocol, original) = match family {
        Family::V4 => (*rest.get(9)?, without_header(rest)?.1),
        Family::V6 => (*rest.get(6)?, rest.get(40..)?),
    };
    let (ours, request) = if family == Family::V4 { (1, 8) } else { (58, 128) };
    (protocol == ours && *original.first()? == request).then_some(())?;
    let (identifier, sequence) = identifiers(original)?;
    Some(Message::Error { identifier, sequence, what })
}

/// Returns the identifier and the sequence number of an echo message.
fn identifiers(message: &[u8]) -> Option<(u16, u16)> {
    let number = |at| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    Some((number(4)?, number(6)?))
}

/// Returns the Internet checksum (RFC 1071).
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|pair| {
        let second = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], second]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 header with one word of options.
    fn packet(message: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 24];
        (packet[0], packet[8], packet[9]) = (0x46, 61, 1);
        packet.extend(message);
        packet
    }

    #[test]
    fn request_has_a_valid_checksum() {
        for data in [&b"even"[..], b"odd", b""] {
            assert_eq!(checksum(&request(Family::V4, 0x1234, 7, data)), 0);
        }
    }

    #[test]
    fn reply_is_parsed_after_its_header() {
        let mut reply = request(Family::V4, 0x1234, 7, b"data");
        reply[0] = 0;
        let packet = packet(&reply);
        let (ttl, message) = without_header(&packet).unwrap();
        assert_eq!(ttl, 61);
        let expected = Message::Reply { identifier: 0x1234, sequence: 7, data: b"data" };
        assert_eq!(parse(Family::V4, message), Some(expected));
        assert_eq!(parse(Family::V4, &request(Family::V4, 1, 1, b"")), None, "a request is none");
    }

    #[test]
    fn error_names_the_failed_request() {
        let request = request(Family::V4, 0x1234, 7, b"data");
        let trouble = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &packet(&request)].concat();
        let what = "Time to live exceeded";
        let expected = Message::Error { identifier: 0x1234, sequence: 7, what };
        assert_eq!(parse(Family::V4, &trouble), Some(expected));
    }

    #[test]
    fn truncated_and_malformed_messages_are_ignored() {
        let request4 = request(Family::V4, 0x1234, 7, b"");
        let mut packet6 = vec![0; 40];
        packet6[6] = 58;
        packet6.extend(request(Family::V6, 0x1234, 7, b""));
        let four = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &packet(&request4)].concat();
        let six = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &packet6].concat();
        for (family, whole) in [(Family::V4, four), (Family::V6, six)] {
            assert!(parse(family, &whole).is_some());
            for length in 0..whole.len() {
                assert_eq!(parse(family, &whole[..length]), None, "{length} bytes");
            }
        }
        for length in 0..24 {
            assert_eq!(without_header(&packet(b"")[..length]), None);
        }
        // A header length above the packet's length, and one below the minimum.
        for first in [0x4F, 0x44, 0x40, 0x65] {
            let mut packet = packet(b"");
            packet[0] = first;
            assert_eq!(without_header(&packet), None);
        }
    }
}
