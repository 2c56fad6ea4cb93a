//! Timers.

mod delays;
mod lists;
mod objects;
mod scheduling;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
