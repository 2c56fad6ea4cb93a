//! Rare options of adopted sockets, which only other programs set: the feature `foreign_sockets`.

use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr, TcpRepair, Timestamping};
#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::{UdpGroSegment, UdpGsoSegment};
use nix::sys::socket::{TimestampingFlag, getsockopt, setsockopt};
use std::io;
use std::os::fd::BorrowedFd;

/// Turns off reports of errors and of send times. They would be queued in the receive buffer and never taken, and a TCP
/// connection would end after an ICMP message that TCP itself ignores.
pub(super) fn turn_off_reports(socket: BorrowedFd<'_>) {
    let _ = setsockopt(&socket, Ipv4RecvErr, &false);
    let _ = setsockopt(&socket, Ipv6RecvErr, &false);
    let _ = setsockopt(&socket, Timestamping, &TimestampingFlag::empty());
}

/// Turns off options by which several datagrams are received as one, or one is sent as several.
pub(super) fn turn_off_segments(socket: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    {
        let _ = setsockopt(&socket, UdpGroSegment, &false);
        let _ = setsockopt(&socket, UdpGsoSegment, &0);
    }
    let _ = socket;
}

/// Checks that TCP_REPAIR is off.
///
/// # Errors
///
/// If it is on.
pub(super) fn check_repair(socket: BorrowedFd<'_>) -> io::Result<()> {
    if getsockopt(&socket, TcpRepair).is_ok_and(|mode| mode != 0) {
        let text = "TCP_REPAIR is on: written data would not be sent; turn it off first";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
