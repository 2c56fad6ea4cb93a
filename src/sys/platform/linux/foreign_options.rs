//! Options that come with a socket that was made elsewhere, and change what a read, a write or a close
//! means: socket(7), tcp(7), udp(7), ip(7), ipv6(7), unix(7).
//!
//! `Context::adopt_connection` documents what is turned off here and what is not. It is no error that
//! a socket of another family or an old kernel does not have an option.

use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr, TcpRepair, Timestamping};
#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::{UdpGroSegment, UdpGsoSegment};
use nix::sys::socket::{TimestampingFlag, getsockopt, setsockopt};
use socket2::SockRef;
use std::io;
use std::os::fd::BorrowedFd;

/// Turns off what a connection must not have, and a listener must not hand down.
pub(crate) fn turn_off_for_streams(socket: BorrowedFd<'_>) {
    // TCP_CORK: what is written would be held back for up to 200 ms.
    let _ = SockRef::from(&socket).set_tcp_cork(false);
    turn_off(socket);
}

/// Turns off what a datagram socket must not have.
pub(crate) fn turn_off_for_datagrams(socket: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    {
        // Several datagrams would be received as one, or one sent as several.
        let _ = setsockopt(&socket, UdpGroSegment, &false);
        let _ = setsockopt(&socket, UdpGsoSegment, &0);
    }
    turn_off(socket);
    // The next call would report an error that is pending, whatever that call is about.
    let _ = SockRef::from(&socket).take_error();
}

fn turn_off(socket: BorrowedFd<'_>) {
    // close(2) would wait until all is sent, for as long as SO_LINGER says.
    let _ = SockRef::from(&socket).set_linger(None);
    // Credentials that are not read would take the room of descriptors, and have reads stop short.
    let _ = SockRef::from(&socket).set_passcred(false);
    // Errors and times of sending would be queued and never taken, in the room that is for
    // data; a TCP connection would end at an ICMP message that TCP itself ignores.
    let _ = setsockopt(&socket, Ipv4RecvErr, &false);
    let _ = setsockopt(&socket, Ipv6RecvErr, &false);
    let _ = setsockopt(&socket, Timestamping, &TimestampingFlag::empty());
}

/// # Errors
///
/// If the socket has an option with which it is no connection.
pub(crate) fn check_stream(socket: BorrowedFd<'_>) -> io::Result<()> {
    if getsockopt(&socket, TcpRepair).is_ok_and(|mode| mode != 0) {
        let text = "TCP_REPAIR is on: what is written would not be sent; turn it off first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
