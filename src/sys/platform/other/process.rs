//! Processes on systems other than Linux: there are none yet.

use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::process::Signal;
use std::io;
use std::process::Child;

/// Returns an error, so that nothing is started.
pub(crate) fn check() -> io::Result<()> {
    let text = "processes are supported on Linux only, by pidfd_open(2)";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

pub(crate) fn open(_child: &Child) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn signal(_process: BorrowedFd<'_>, _signal: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
