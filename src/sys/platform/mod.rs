//! Differences between systems. `target_os` occurs only here.
//!
//! Each system has the same names: Linux and Android those of `linux`, all others those of `other`.

#[cfg(all(feature = "system", any(target_os = "android", target_os = "linux")))]
mod linux;
#[cfg(all(feature = "system", not(any(target_os = "android", target_os = "linux"))))]
mod other;

#[cfg(all(feature = "system", any(target_os = "android", target_os = "linux")))]
pub(super) use linux::*;
#[cfg(all(feature = "system", not(any(target_os = "android", target_os = "linux"))))]
pub(super) use other::*;

#[cfg(feature = "system")]
use socket2::TcpKeepalive;
#[cfg(all(feature = "system", unix))]
use std::fs::{File, TryLockError};
#[cfg(feature = "system")]
use std::time::Duration;

/// Whether a read or write that returns less than requested means that the next one would block.
#[cfg(feature = "system")]
pub(super) const SHORT_MEANS_WOULD_BLOCK: bool =
    cfg!(any(target_os = "android", target_os = "linux"));

/// Sets the interval and the number of probes, on systems where each socket has its own.
#[cfg(feature = "system")]
pub(super) fn set_probes(keep_alive: TcpKeepalive, interval: Duration, count: u32) -> TcpKeepalive {
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        target_os = "windows"
    ))]
    let keep_alive = keep_alive.with_interval(interval).with_retries(count);
    let _ = (interval, count);
    keep_alive
}

/// Locks a file for this process alone, unless another process has locked it (flock(2)).
#[cfg(all(feature = "system", target_os = "linux"))]
pub(super) fn try_lock(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

/// std has no locks for some systems, such as Android before Rust 1.98.
#[cfg(all(feature = "system", unix, not(target_os = "linux")))]
pub(super) fn try_lock(file: &File) -> Result<(), TryLockError> {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        Errno::WOULDBLOCK => TryLockError::WouldBlock,
        error => TryLockError::Error(error.into()),
    })
}
