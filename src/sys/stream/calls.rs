//! System calls for reading and writing a stream, and their flags.

use crate::sys::Borrowed;
#[cfg(unix)]
use crate::sys::platform::SENDING;
#[cfg(windows)]
use crate::sys::uninterrupted;
#[cfg(unix)]
use rustix::io::Errno;
#[cfg(unix)]
use rustix::net::{self, RecvFlags};
#[cfg(windows)]
use socket2::SockRef;
use std::io;

/// The flags for writing several slices, in the form of socket2.
#[cfg(unix)]
pub(super) const SENDING_SLICES: i32 = SENDING.bits() as i32;
#[cfg(windows)]
pub(super) const SENDING_SLICES: i32 = 0;

/// Reads.
///
/// On Linux this and [`send`], the two calls of an echo, are made without the C library, and everything from
/// here up to the event loop is inlined: on some machines the first return after a system call costs more than
/// all code of the reactor (docs/costs.md).
#[cfg(unix)]
#[inline(always)]
pub(super) fn receive(socket: Borrowed<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match net::recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, count)) => return Ok(count),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes.
#[cfg(unix)]
#[inline(always)]
pub(super) fn send(socket: Borrowed<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match net::send(socket, bytes, SENDING) {
            Ok(count) => return Ok(count),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(windows)]
pub(super) fn receive(socket: Borrowed<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| io::Read::read(&mut &*SockRef::from(&socket), buffer))
}

#[cfg(windows)]
pub(super) fn send(socket: Borrowed<'_>, bytes: &[u8]) -> io::Result<usize> {
    uninterrupted(|| io::Write::write(&mut &*SockRef::from(&socket), bytes))
}

/// Returns true if an attempt to connect continues after the call has returned (connect(2), EINPROGRESS).
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = error.kind() == io::ErrorKind::WouldBlock;
    in_progress
}
