//! The example programs as processes, with files, pipes and signals.
//!
//! `cargo test` builds the programs. To run these tests alone, run `cargo build --examples` first.

#![cfg(unix)]

/// Runs the unit tests in `ping`'s parser.
#[allow(dead_code)]
#[path = "../../ping/icmp.rs"]
mod icmp;

mod arguments;
mod datagrams;
mod ending;
mod files;
mod output;
#[path = "../../../tests/support/ports.rs"]
mod ports;
mod proxy;
mod restart;
mod scene;
mod simulated;
#[cfg(feature = "inotify")]
#[path = "../../../tests/support/status.rs"]
mod status;
mod stepping;
#[cfg(feature = "inotify")]
mod tail;
mod talking;
mod tape;
mod unix;
