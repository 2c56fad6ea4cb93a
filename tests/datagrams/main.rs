//! Datagram sockets.

mod connected;
mod delivery;
mod errors;
mod lifecycle;
mod peers;
mod queue;
#[path = "../support/datagrams.rs"]
mod recorder;
#[path = "../support/script.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
#[path = "../support/unix.rs"]
mod unix;
