//! The table of sockets and timers, and the state of each kind.

pub(crate) mod blocks;
pub(crate) mod connector;
pub(crate) mod datagram;
pub(crate) mod detach;
pub(crate) mod error;
#[cfg(unix)]
pub(crate) mod fd_passing;
pub(crate) mod gathered;
pub(crate) mod lingering;
pub(crate) mod listener;
pub(crate) mod names;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process;
pub(crate) mod retention;
pub(crate) mod send_buffer;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod timer;
#[cfg(unix)]
pub(crate) mod watch;
