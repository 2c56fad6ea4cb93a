//! Unix sockets: names, files, connections and datagrams.
#![cfg(unix)]

mod connections;
#[cfg(feature = "credentials")]
mod credentials;
mod datagram_sockets;
#[path = "../support/datagrams.rs"]
mod datagrams;
mod files;
mod names;
#[cfg(target_os = "linux")]
mod peer_names;
mod races;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/unix.rs"]
mod unix;
