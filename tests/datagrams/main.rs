//! Datagram sockets.

mod connected;
mod delivery;
mod errors;
mod lifecycle;
mod multicast;
mod peers;
mod queue;
#[cfg(target_os = "linux")]
mod raw;
#[path = "../support/datagrams.rs"]
mod recorder;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
#[path = "../support/unix.rs"]
mod unix;
