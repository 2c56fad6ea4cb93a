//! Sockets from elsewhere that a reactor adopts, and sockets that it detaches.

#![cfg(unix)]

mod adopted;
mod datagrams;
mod detached;
mod foreign;
mod moving;
#[path = "../support/mod.rs"]
mod support;
