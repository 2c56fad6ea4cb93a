//! Errors, as the system has them: with its numbers, and so with its words.

#[cfg(unix)]
use ropewalk::UnixAddress;
use std::io::{self, ErrorKind};

/// The error of a kind.
pub(crate) fn system(kind: ErrorKind) -> io::Error {
    match number(kind) {
        Some(number) if cfg!(target_os = "linux") => io::Error::from_raw_os_error(number),
        _ => kind.into(),
    }
}

/// As accept(2) and its kin say it when a process has no descriptors left.
pub(crate) fn no_descriptors() -> io::Error {
    io::Error::from_raw_os_error(if cfg!(windows) { 10_024 } else { 24 }) // EMFILE
}

/// As send(2) says it of a datagram that no packet can hold.
pub(super) fn too_long() -> io::Error {
    io::Error::from_raw_os_error(90) // EMSGSIZE
}

/// As setsockopt(2) says it of an option that the protocol does not know.
pub(super) fn no_such_option() -> io::Error {
    match cfg!(target_os = "linux") {
        true => io::Error::from_raw_os_error(92), // ENOPROTOOPT
        false => ErrorKind::Unsupported.into(),
    }
}

/// As unix(7) says it of a socket of the other type, for connections or for datagrams.
#[cfg(unix)]
pub(crate) fn wrong_type() -> io::Error {
    io::Error::from_raw_os_error(91) // EPROTOTYPE
}

/// As unix(7) says it of a socket for datagrams that is connected with another.
#[cfg(unix)]
pub(super) fn not_the_peer() -> io::Error {
    io::Error::from_raw_os_error(1) // EPERM
}

/// As connect(2) says it of a Unix address that nobody has: an abstract name is no file that could be missing.
/// The reactor itself says it of the address without a name.
#[cfg(unix)]
pub(crate) fn no_socket_at(address: &UnixAddress) -> io::Error {
    if address.is_unnamed() {
        return io::Error::new(ErrorKind::InvalidInput, "nobody can be reached without a name");
    }
    system(match address.as_abstract_name() {
        Some(_) => ErrorKind::ConnectionRefused,
        None => ErrorKind::NotFound,
    })
}

/// Linux's (errno(3)).
fn number(kind: ErrorKind) -> Option<i32> {
    Some(match kind {
        ErrorKind::AddrInUse => 98,
        ErrorKind::AddrNotAvailable => 99,
        ErrorKind::BrokenPipe => 32,
        ErrorKind::ConnectionRefused => 111,
        ErrorKind::ConnectionReset => 104,
        ErrorKind::HostUnreachable => 113,
        ErrorKind::InvalidInput => 22,
        ErrorKind::NotConnected => 107,
        ErrorKind::NotFound => 2,
        ErrorKind::PermissionDenied => 13,
        ErrorKind::TimedOut => 110,
        ErrorKind::Unsupported => 95,
        ErrorKind::WouldBlock => 11,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn each_number_is_of_its_kind() {
        use ErrorKind::*;
        for kind in [AddrInUse, AddrNotAvailable, BrokenPipe, ConnectionRefused, ConnectionReset] {
            assert_eq!(system(kind).kind(), kind);
        }
        for kind in [HostUnreachable, InvalidInput, NotConnected, NotFound, PermissionDenied] {
            assert_eq!(system(kind).kind(), kind);
        }
        for kind in [TimedOut, Unsupported, WouldBlock] {
            assert_eq!(system(kind).kind(), kind);
        }
    }
}
