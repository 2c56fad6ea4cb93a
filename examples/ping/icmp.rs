//! The messages of which a ping consists, for IPv4 (RFC 792) and IPv6 (RFC 4443).

/// Whose messages: they differ in their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What a packet that came in says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// The answer to an echo request.
    Reply { identifier: u16, sequence: u16, data: &'a [u8] },
    /// An echo request did not get there.
    Trouble { identifier: u16, sequence: u16, what: &'static str },
}

/// How long the head of an echo message is.
const HEAD: usize = 8;

/// An echo request. What the system fills in is left 0: for IPv6 the checksum.
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

/// Takes an IPv4 header off, and tells its TTL: a raw socket gives it with each packet. `None` if it
/// is none; nobody has checked what comes.
pub(crate) fn without_header(packet: &[u8]) -> Option<(u8, &[u8])> {
    let first = *packet.first()?;
    let length = usize::from(first & 15) * 4;
    (first >> 4 == 4 && length >= 20).then_some(())?;
    Some((*packet.get(8)?, packet.get(length..)?))
}

/// What a message says; `None` if it has nothing to do with echoes, or is malformed.
pub(crate) fn parse(family: Family, message: &[u8]) -> Option<Message<'_>> {
    let (kind, code) = (*message.first()?, *message.get(1)?);
    let rest = message.get(HEAD..)?;
    let what = match (family, kind, code) {
        (Family::V4, 0, _) | (Family::V6, 129, _) => {
            let (identifier, sequence) = names(message)?;
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
    // The beginning of the packet that did not get there follows.
    let (protocol, original) = match family {
        Family::V4 => (*rest.get(9)?, without_header(rest)?.1),
        Family::V6 => (*rest.get(6)?, rest.get(40..)?),
    };
    let (ours, request) = if family == Family::V4 { (1, 8) } else { (58, 128) };
    (protocol == ours && *original.first()? == request).then_some(())?;
    let (identifier, sequence) = names(original)?;
    Some(Message::Trouble { identifier, sequence, what })
}

/// The identifier and the sequence number of an echo message.
fn names(message: &[u8]) -> Option<(u16, u16)> {
    let number = |at| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    Some((number(4)?, number(6)?))
}

/// The Internet checksum (RFC 1071).
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
    fn a_request_adds_up() {
        for data in [&b"even"[..], b"odd", b""] {
            assert_eq!(checksum(&request(Family::V4, 0x1234, 7, data)), 0);
        }
    }

    #[test]
    fn a_reply_is_understood_behind_its_header() {
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
    fn trouble_is_told_of_the_request_that_had_it() {
        let request = request(Family::V4, 0x1234, 7, b"data");
        let trouble = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &packet(&request)].concat();
        let what = "Time to live exceeded";
        let expected = Message::Trouble { identifier: 0x1234, sequence: 7, what };
        assert_eq!(parse(Family::V4, &trouble), Some(expected));
    }

    #[test]
    fn whatever_is_cut_short_or_made_up_is_no_message() {
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
        // A header that says that it is longer than the packet, or shorter than any.
        for first in [0x4F, 0x44, 0x40, 0x65] {
            let mut packet = packet(b"");
            packet[0] = first;
            assert_eq!(without_header(&packet), None);
        }
    }
}
