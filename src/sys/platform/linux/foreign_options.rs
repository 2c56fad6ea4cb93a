//! Options of adopted sockets that change the meaning of a read, a write or a close: socket(7), tcp(7), udp(7),
//! ip(7), ipv6(7), unix(7).
//!
//! `Context::adopt_connection` documents which of them are turned off. An error is ignored if a socket of
//! another family, or an old kernel, does not have an option.

use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr, TcpRepair, Timestamping};
#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::{UdpGroSegment, UdpGsoSegment};
use nix::sys::socket::{TimestampingFlag, getsockopt, setsockopt};
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
    #[cfg(target_os = "linux")]
    {
        // Several datagrams would be received as one, or one would be sent as several.
        let _ = setsockopt(&socket, UdpGroSegment, &false);
        let _ = setsockopt(&socket, UdpGsoSegment, &0);
    }
    turn_off(socket);
    // A pending error would be returned by the next call, whatever it does.
    let _ = SockRef::from(&socket).take_error();
}

fn turn_off(socket: BorrowedFd<'_>) {
    // close(2) would wait until all data is sent, for up to the time of SO_LINGER.
    let _ = SockRef::from(&socket).set_linger(None);
    // Credentials that are not read would take the space of descriptors, and cause short reads.
    let _ = SockRef::from(&socket).set_passcred(false);
    // Errors and send times would be queued in the receive buffer and never taken. A TCP connection would end
    // after an ICMP message that TCP itself ignores.
    let _ = setsockopt(&socket, Ipv4RecvErr, &false);
    let _ = setsockopt(&socket, Ipv6RecvErr, &false);
    let _ = setsockopt(&socket, Timestamping, &TimestampingFlag::empty());
}

/// Checks that no option makes the socket unusable as a connection.
///
/// # Errors
///
/// If such an option is on.
pub(crate) fn check_stream(socket: BorrowedFd<'_>) -> io::Result<()> {
    if getsockopt(&socket, TcpRepair).is_ok_and(|mode| mode != 0) {
        let text = "TCP_REPAIR is on: written data would not be sent; turn it off first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
