//! Attempts to connect.

mod addresses;
mod failures;
#[cfg(target_os = "linux")]
mod narrow_ports;
mod race;
mod requests;
#[path = "../support/script/mod.rs"]
mod script;
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod targets;
