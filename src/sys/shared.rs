//! Sockets that others may hold as well, as copies of the descriptor, and calls that must not wait.
//!
//! O_NONBLOCK belongs to the open file description (fcntl(2)), which all holders share, and any of them
//! may clear it. Reads and writes are therefore made with MSG_DONTWAIT, which no other holder can
//! change. Calls without such a flag are made after [`check`].

use crate::sys::Borrowed;
use crate::values::logging::REACTOR;
use log::debug;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;

/// Whether a socket is ready to be read or accepted from, so that the call that follows does not wait.
/// O_NONBLOCK is set again if another holder has cleared it. There remains the moment between this and
/// the call: it waits if another holder clears the flag in it, and takes what was ready as well.
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
    let flags = fcntl_getfl(socket)?;
    if !flags.contains(OFlags::NONBLOCK) {
        debug!(target: REACTOR, "another holder of a socket has cleared O_NONBLOCK; it is set again");
        fcntl_setfl(socket, flags | OFlags::NONBLOCK)?;
    }
    Ok(())
}
