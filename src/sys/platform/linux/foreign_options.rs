//! Options of adopted sockets that change the meaning of a read, a write or a close: socket(7), tcp(7), udp(7),
//! ip(7), ipv6(7), unix(7).
//!
//! `Context::adopt_connection` documents which of them are turned off. An error is ignored if a socket of
//! another family, or an old kernel, does not have an option.

#[cfg(feature = "foreign_sockets")]
use super::rare_options;
use socket2::SockRef;
use std::io;
use std::os::fd::BorrowedFd;

/// Turns off options that a connection must not have, and a listener must not pass on.
pub(crate) fn turn_off_for_streams(socket: BorrowedFd<'_>) {
    // TCP_CORK would hold written data back for up to 200 ms.
    let _ = SockRef::from(&socket).set_tcp_cork(false);
    turn_off(socket);
}

/// Turns off options that a datagram socket must not have.
pub(crate) fn turn_off_for_datagrams(socket: BorrowedFd<'_>) {
    #[cfg(feature = "foreign_sockets")]
    rare_options::turn_off_segments(socket);
    turn_off(socket);
    // A pending error would be returned by the next call, whatever it does.
    let _ = SockRef::from(&socket).take_error();
}

fn turn_off(socket: BorrowedFd<'_>) {
    // close(2) would wait until all data is sent, for up to the time of SO_LINGER.
    let _ = SockRef::from(&socket).set_linger(None);
    // Credentials that are not read would take the space of descriptors, and cause short reads.
    let _ = SockRef::from(&socket).set_passcred(false);
    #[cfg(feature = "foreign_sockets")]
    rare_options::turn_off_reports(socket);
}

/// Checks that no option makes the socket unusable as a connection.
///
/// # Errors
///
/// If such an option is on.
pub(crate) fn check_stream(socket: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(feature = "foreign_sockets")]
    rare_options::check_repair(socket)?;
    let _ = socket;
    Ok(())
}
