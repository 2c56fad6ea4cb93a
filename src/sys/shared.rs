//! Shared sockets: calls that must not block although other processes may hold the same socket.
//!
//! O_NONBLOCK belongs to the open file description (fcntl(2)), which all holders share, and any of them may
//! clear it. Reads and writes are therefore made with MSG_DONTWAIT, which no other holder can change. Calls
//! without such a flag are made after [`check`].

use crate::sys::Borrowed;
use crate::values::logging::REACTOR;
use log::debug;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use std::io;

/// Checks that a socket is ready to be read or accepted from, so that the next call does not block. Sets
/// O_NONBLOCK again if another holder has cleared it. A race remains: the call blocks if, after this check,
/// another holder both clears the flag and takes the ready data.
///
/// # Errors
///
/// `WouldBlock` if it is not ready.
pub(super) fn check(socket: Borrowed<'_>) -> io::Result<()> {
    let mut polled = [PollFd::new(&socket, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default()))?;
    if polled[0].revents().is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let socket = SockRef::from(&socket);
    if !socket.nonblocking()? {
        debug!(target: REACTOR, "O_NONBLOCK was cleared on a shared socket; it is set again");
        socket.set_nonblocking(true)?;
    }
    Ok(())
}
