//! Sockets from elsewhere that a reactor adopts, and sockets that it detaches.

#![cfg(unix)]

mod adopted;
mod datagrams;
mod detached;
mod foreign;
mod moving;
mod options;
#[cfg(target_os = "linux")]
#[path = "../support/producers.rs"]
mod producers;
#[cfg(target_os = "linux")]
#[path = "../support/datagrams.rs"]
mod recorder;
#[cfg(target_os = "linux")]
mod shared;
#[path = "../support/mod.rs"]
mod support;
