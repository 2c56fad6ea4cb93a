//! Timers.

mod delays;
mod scheduling;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
