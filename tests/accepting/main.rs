//! Listeners.

mod clients;
mod descriptors;
mod limits;
mod ports;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
