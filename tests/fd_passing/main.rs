//! Descriptors that are passed over Unix sockets.
#![cfg(unix)]

mod pressure;
mod receiving;
mod sending;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/unix.rs"]
mod unix;
