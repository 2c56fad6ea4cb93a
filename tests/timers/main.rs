//! Timers.

mod delays;
mod scheduling;
#[path = "../support/script.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
