//! Processes of a backend.

use crate::sys::backend::{SocketBackend, StreamSocket, unsupported};
use crate::values::process::{ProcessExit, Signal, WindowSize};
use std::io;

/// A process that a [`Backend`](crate::backend::Backend) has started, and that was not reaped. An event reports its
/// end.
pub trait ProcessBackend: SocketBackend {
    /// Returns the number by which the system names it.
    fn number(&self) -> u32;

    /// Returns how it ended, and reaps it; `None` if it runs.
    ///
    /// # Errors
    ///
    /// If it was reaped elsewhere.
    fn try_wait(&mut self) -> io::Result<Option<ProcessExit>>;

    /// Sends a signal to it, and never to another process that has the same number later.
    ///
    /// # Errors
    ///
    /// If it has ended, or is another user's.
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// Sets the window size of its pseudo-terminal, which notifies the foreground processes (SIGWINCH).
    ///
    /// # Errors
    ///
    /// If it has none, or its pipes are closed. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        let _ = size;
        Err(unsupported())
    }

    /// Returns the window size of its pseudo-terminal.
    ///
    /// # Errors
    ///
    /// As for [`set_window_size`](Self::set_window_size).
    fn window_size(&self) -> io::Result<WindowSize> {
        Err(unsupported())
    }

    /// Kills it, waits for its end for a short while, and reaps it.
    ///
    /// # Errors
    ///
    /// If it was reaped elsewhere, or does not end.
    fn kill_and_wait(&mut self) -> io::Result<ProcessExit>;
}

/// A process that was started, and its pipes: standard input, output and error.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Spawned {
    pub process: Box<dyn ProcessBackend>,
    pub pipes: [Option<StreamSocket>; 3],
}
