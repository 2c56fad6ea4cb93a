//! The system: the poll, the clock, names and sockets.
//!
//! All input and output of a reactor passes through the traits in [`backend`]. The system implements them in
//! the other files, which the feature `system` includes.

pub mod backend;
pub(crate) mod errno;
pub(crate) mod error;
#[cfg(unix)]
mod received;

#[cfg(all(unix, feature = "system"))]
mod adopt;
#[cfg(feature = "system")]
mod datagram;
#[cfg(feature = "system")]
mod family;
#[cfg(all(unix, feature = "system"))]
mod fd_passing;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod inherited;
#[cfg(feature = "system")]
mod listener;
#[cfg(feature = "system")]
mod multicast;
#[cfg(feature = "system")]
mod names;
#[cfg(feature = "system")]
mod options;
mod platform;
#[cfg(feature = "system")]
mod poll;
#[cfg(feature = "system")]
mod pool;
#[cfg(all(unix, feature = "process"))]
mod process;
#[cfg(all(unix, feature = "system"))]
mod shared;
#[cfg(all(unix, feature = "signals"))]
mod signals;
#[cfg(all(unix, feature = "system"))]
mod socket_file;
#[cfg(feature = "system")]
mod stream;
#[cfg(feature = "system")]
mod system;
#[cfg(all(unix, feature = "pty"))]
mod terminal;
#[cfg(feature = "system")]
mod thread_job;
#[cfg(all(unix, feature = "system"))]
mod unix;
#[cfg(all(unix, feature = "system"))]
mod watch;

#[cfg(feature = "system")]
use std::io;
use std::rc::Rc;

#[cfg(all(unix, feature = "process"))]
pub(crate) use backend::ProcessBackend;
#[cfg(unix)]
pub(crate) use backend::WatchBackend;
pub(crate) use backend::{
    Answer, Answered, ArrivalBackend, Backend, DatagramBackend, Event, Events, Incoming, JobWork,
    ListenerBackend, Multicast, Readiness, SentKind, SocketBackend, StreamBackend, StreamSocket,
    ThreadJob,
};
#[cfg(unix)]
pub(crate) use received::MAX_DESCRIPTORS;
#[cfg(all(unix, feature = "signals"))]
pub(crate) use signals::set_cleanup;
#[cfg(unix)]
pub(crate) use std::os::fd::{BorrowedFd, OwnedFd};
#[cfg(feature = "system")]
pub use system::System;

/// The backend of a reactor, shared by its parts.
pub(crate) type SharedBackend = Rc<dyn Backend>;

/// Returns the id of this process. A child of fork(2) recognises by it what belongs to its parent.
pub(crate) fn process_id() -> u32 {
    // std panics on targets without processes.
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

/// Repeats a system call while a signal interrupts it (EINTR).
#[cfg(feature = "system")]
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A borrowed descriptor, or socket on Windows.
#[cfg(all(unix, feature = "system"))]
use std::os::fd::BorrowedFd as Borrowed;
#[cfg(all(windows, feature = "system"))]
use std::os::windows::io::BorrowedSocket as Borrowed;
