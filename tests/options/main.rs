//! Socket options of streams, as the system reports them.
#![cfg(any(target_os = "linux", target_os = "android"))]

mod checks;
#[path = "../support/datagrams.rs"]
mod datagrams;
mod getters;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod vanishing;
