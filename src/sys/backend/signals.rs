//! Signals of a backend.

/// One signal that a [`Backend`](crate::backend::Backend) watches.
pub trait SignalWatchBackend {
    /// Returns true if the signal has arrived since the last call.
    fn take(&mut self) -> bool;
}

/// The signals that a [`Backend`](crate::backend::Backend) catches.
pub trait SignalBackend {
    /// Begins a run; signals are reported from now on. Returns true if it had not begun before.
    fn begin_run(&mut self) -> bool;

    /// Ends the run: signals have their default action again.
    fn end_run(&mut self);

    /// Returns the numbers of the signals that have arrived since the last call.
    fn pending(&mut self) -> Vec<i32>;
}
