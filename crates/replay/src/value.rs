//! Addresses, errors and events in a record.

use crate::bytes::{Bytes, Malformed, put_bytes, put_number};
use ropewalk::Address;
use ropewalk::backend::Readiness;
#[cfg(unix)]
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;

/// The bits of a readiness in a record.
const READINESS: [(u8, Readiness); 5] = [
    (1, Readiness::READABLE),
    (2, Readiness::MORE_FOLLOWS),
    (4, Readiness::WRITABLE),
    (8, Readiness::FAILED),
    (16, Readiness::ENDED),
];

pub(crate) fn readiness_bits(readiness: Readiness) -> u8 {
    let is_set = |hint: Readiness| readiness & hint == hint;
    READINESS.iter().filter(|(_, hint)| is_set(*hint)).fold(0, |bits, (bit, _)| bits | bit)
}

pub(crate) fn readiness(bits: u8) -> Readiness {
    let set = READINESS.iter().filter(|(bit, _)| bits & bit != 0);
    set.fold(Readiness::default(), |readiness, (_, hint)| readiness.or(*hint))
}

/// The kinds of errors, by their number in a record. An error of another kind is recorded as `Other`.
const KINDS: [ErrorKind; 25] = [
    ErrorKind::Other,
    ErrorKind::AddrInUse,
    ErrorKind::AddrNotAvailable,
    ErrorKind::AlreadyExists,
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionAborted,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::HostUnreachable,
    ErrorKind::Interrupted,
    ErrorKind::InvalidData,
    ErrorKind::InvalidInput,
    ErrorKind::NetworkDown,
    ErrorKind::NetworkUnreachable,
    ErrorKind::NotConnected,
    ErrorKind::NotFound,
    ErrorKind::OutOfMemory,
    ErrorKind::PermissionDenied,
    ErrorKind::ResourceBusy,
    ErrorKind::StorageFull,
    ErrorKind::TimedOut,
    ErrorKind::UnexpectedEof,
    ErrorKind::Unsupported,
    ErrorKind::WouldBlock,
    ErrorKind::WriteZero,
];

/// Appends an error: a number of the system, or a kind with a text.
pub(crate) fn put_error(out: &mut Vec<u8>, error: &io::Error) {
    if let Some(number) = error.raw_os_error() {
        out.push(0);
        put_number(out, number as u32 as u64);
        return;
    }
    let number = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(0);
    out.push(1 + number as u8);
    let has_text = error.get_ref().is_some() || number == 0;
    put_bytes(out, if has_text { error.to_string() } else { String::new() }.as_bytes());
}

/// Takes an error.
pub(crate) fn error(bytes: &mut Bytes<'_>) -> Result<io::Error, Malformed> {
    let number = bytes.byte()?;
    if number == 0 {
        return Ok(io::Error::from_raw_os_error(bytes.small()? as i32));
    }
    let kind = KINDS.get(usize::from(number) - 1).ok_or(Malformed("an error is unknown"))?;
    match bytes.text()? {
        "" => Ok((*kind).into()),
        text => Ok(io::Error::new(*kind, text)),
    }
}

/// Appends an IP address and a port.
pub(crate) fn put_socket_addr(out: &mut Vec<u8>, address: &SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            out.push(4);
            out.extend(address.ip().octets());
        }
        SocketAddr::V6(address) => {
            out.push(6);
            out.extend(address.ip().octets());
            put_number(out, address.flowinfo().into());
            put_number(out, address.scope_id().into());
        }
    }
    out.extend(address.port().to_le_bytes());
}

/// Takes an IP address and a port, after the number of the kind.
fn inet(kind: u8, bytes: &mut Bytes<'_>) -> Result<SocketAddr, Malformed> {
    if kind == 4 {
        let ip: IpAddr = Ipv4Addr::from(bytes.array::<4>()?).into();
        return Ok((ip, u16::from_le_bytes(bytes.array()?)).into());
    }
    let ip = Ipv6Addr::from(bytes.array::<16>()?);
    let (flow, scope) = (bytes.small()?, bytes.small()?);
    let port = u16::from_le_bytes(bytes.array()?);
    Ok(SocketAddrV6::new(ip, port, flow, scope).into())
}

/// Takes an IP address and a port.
pub(crate) fn socket_addr(bytes: &mut Bytes<'_>) -> Result<SocketAddr, Malformed> {
    match bytes.byte()? {
        kind @ (4 | 6) => inet(kind, bytes),
        _ => Err(Malformed("an address is unknown")),
    }
}

/// Appends several IP addresses.
pub(crate) fn put_addresses(out: &mut Vec<u8>, addresses: &[SocketAddr]) {
    addresses.iter().for_each(|address| put_socket_addr(out, address));
}

/// Takes IP addresses up to the end.
pub(crate) fn addresses(mut bytes: Bytes<'_>) -> Result<Vec<SocketAddr>, Malformed> {
    let mut addresses = Vec::new();
    while !bytes.is_empty() {
        addresses.push(socket_addr(&mut bytes)?);
    }
    Ok(addresses)
}

/// Appends an address of any kind.
pub(crate) fn put_address(out: &mut Vec<u8>, address: &Address) {
    match address {
        Address::Inet(address) => put_socket_addr(out, address),
        #[cfg(unix)]
        Address::Unix(name) => match (name.path(), name.as_abstract_name()) {
            (Some(path), _) => {
                out.push(1);
                put_bytes(out, path.as_os_str().as_bytes());
            }
            (None, Some(name)) => {
                out.push(2);
                put_bytes(out, name);
            }
            (None, None) => out.push(3),
        },
        #[cfg(unix)]
        Address::Pipes => out.push(7),
        #[cfg(unix)]
        Address::StandardIo => out.push(8),
        #[cfg(feature = "process")]
        Address::Process(number) => {
            out.push(9);
            put_number(out, u64::from(*number));
        }
        _ => out.push(0),
    }
}

/// Takes an address of any kind.
pub(crate) fn address(bytes: &mut Bytes<'_>) -> Result<Address, Malformed> {
    #[cfg(unix)]
    use ropewalk::UnixAddress;
    match bytes.byte()? {
        0 => Ok(Address::Unknown),
        kind @ (4 | 6) => inet(kind, bytes).map(Address::Inet),
        #[cfg(unix)]
        1 => {
            let path = std::path::Path::new(OsStr::from_bytes(bytes.bytes()?));
            Ok(Address::Unix(path.into()))
        }
        #[cfg(unix)]
        2 => Ok(Address::Unix(UnixAddress::abstract_name(bytes.bytes()?))),
        #[cfg(unix)]
        3 => Ok(Address::Unix(UnixAddress::unnamed())),
        #[cfg(unix)]
        7 => Ok(Address::Pipes),
        #[cfg(unix)]
        8 => Ok(Address::StandardIo),
        #[cfg(feature = "process")]
        9 => bytes.small().map(Address::Process),
        _ => Err(Malformed("an address is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_survives_encoding() {
        for bits in 0..32 {
            let made = readiness(bits);
            assert_eq!(readiness(readiness_bits(made)), made, "{bits}");
        }
    }

    #[test]
    fn errors_survive_encoding() {
        for made in [
            io::Error::from_raw_os_error(104),
            ErrorKind::WouldBlock.into(),
            io::Error::new(ErrorKind::TimedOut, "too late"),
            io::Error::other("odd"),
        ] {
            let mut out = Vec::new();
            put_error(&mut out, &made);
            let again = error(&mut Bytes(&out)).unwrap();
            assert_eq!(again.to_string(), made.to_string());
            assert_eq!((again.kind(), again.raw_os_error()), (made.kind(), made.raw_os_error()));
        }
    }

    #[test]
    fn addresses_survive_encoding() {
        let mut addresses = vec![Address::Unknown];
        for text in ["10.0.0.1:7000", "[::1]:0", "[fe80::1%3]:80"] {
            addresses.push(Address::Inet(text.parse().unwrap()));
        }
        #[cfg(unix)]
        addresses.extend([
            Address::Unix(std::path::Path::new("/run/it").into()),
            Address::Unix(ropewalk::UnixAddress::abstract_name(b"a\0b")),
            Address::Unix(ropewalk::UnixAddress::unnamed()),
            Address::Pipes,
            Address::StandardIo,
        ]);
        for made in addresses {
            let mut out = Vec::new();
            put_address(&mut out, &made);
            assert_eq!(address(&mut Bytes(&out)), Ok(made));
        }
    }
}
