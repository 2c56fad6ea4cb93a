//! Errors with the numbers, and so the texts, of the system.

#[cfg(unix)]
use ropewalk::UnixAddress;
use std::io::{self, ErrorKind};

/// Returns the system's error of a kind.
pub(crate) fn system(kind: ErrorKind) -> io::Error {
    match number(kind) {
        Some(number) if cfg!(target_os = "linux") => io::Error::from_raw_os_error(number),
        _ => kind.into(),
    }
}

/// Returns the error of accept(2) and others if a process has no descriptors left.
pub(crate) fn no_descriptors() -> io::Error {
    io::Error::from_raw_os_error(if cfg!(windows) { 10_024 } else { 24 }) // EMFILE
}

/// Returns the error of send(2) for a datagram that does not fit into a packet.
pub(super) fn too_long() -> io::Error {
    io::Error::from_raw_os_error(90) // EMSGSIZE
}

/// Returns the error of setsockopt(2) for an option that the protocol does not have.
pub(super) fn no_such_option() -> io::Error {
    match cfg!(target_os = "linux") {
        true => io::Error::from_raw_os_error(92), // ENOPROTOOPT
        false => ErrorKind::Unsupported.into(),
    }
}

/// Returns the error of a Unix socket of the other type (unix(7)).
#[cfg(unix)]
pub(crate) fn wrong_type() -> io::Error {
    io::Error::from_raw_os_error(91) // EPROTOTYPE
}

/// Returns the error of sending to a Unix datagram socket that is connected with another socket (unix(7)).
#[cfg(unix)]
pub(super) fn not_the_peer() -> io::Error {
    io::Error::from_raw_os_error(1) // EPERM
}

/// Returns the error of connect(2) for a Unix address that no socket has. An abstract name is not a file that
/// could be missing. For an unnamed address the reactor makes the error.
#[cfg(unix)]
pub(crate) fn no_socket_at(address: &UnixAddress) -> io::Error {
    if address.is_unnamed() {
        return io::Error::new(ErrorKind::InvalidInput, "an unnamed socket cannot be reached");
    }
    system(match address.as_abstract_name() {
        Some(_) => ErrorKind::ConnectionRefused,
        None => ErrorKind::NotFound,
    })
}

/// Linux's error numbers (errno(3)).
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
    fn each_error_number_has_its_kind() {
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
