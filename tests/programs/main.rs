//! The bundled programs, run as people run them: as processes, with files, pipes and signals.
//!
//! `cargo test` builds them; to run these tests alone, say `cargo build --examples` first.

#![cfg(unix)]

/// What `ping` understands is tested here as well, where it stands.
#[allow(dead_code)]
#[path = "../../examples/support/icmp.rs"]
mod icmp;

/// What the programs share is tested here as well, where it stands.
#[allow(dead_code)]
#[path = "../../examples/support/mod.rs"]
mod support;

mod arguments;
mod datagrams;
mod ending;
mod files;
mod output;
#[path = "../support/ports.rs"]
mod ports;
mod proxy;
mod restart;
mod scene;
mod simulated;
mod talking;
mod unix;
