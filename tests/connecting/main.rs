//! Attempts to connect.

mod addresses;
mod failures;
mod requests;
#[path = "../support/script.rs"]
mod script;
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod targets;
