//! Log targets, one for each subsystem. They are part of the public interface: users write
//! `RUST_LOG=ropewalk::timer=trace`.

/// Turns, stops, panics, slow callbacks.
pub(crate) const REACTOR: &str = "ropewalk::reactor";
/// Listeners, connections, and each system call on them.
pub(crate) const TCP: &str = "ropewalk::tcp";
/// Datagram sockets, and each system call on them.
pub(crate) const DATAGRAM: &str = "ropewalk::datagram";
/// Processes.
#[cfg(all(unix, feature = "process"))]
pub(crate) const PROCESS: &str = "ropewalk::process";
/// Timers set, cancelled, fired.
pub(crate) const TIMER: &str = "ropewalk::timer";
/// Calls from other threads.
#[cfg(feature = "system")]
pub(crate) const HANDLE: &str = "ropewalk::handle";
/// Signals.
#[cfg(feature = "signals")]
pub(crate) const SIGNAL: &str = "ropewalk::signal";
/// The last records of the journal before a panic or a slow callback.
pub(crate) const JOURNAL: &str = "ropewalk::journal";
