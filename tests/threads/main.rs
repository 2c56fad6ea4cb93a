//! Calls and messages from other threads.

mod calls;
mod channels;
#[path = "../support/mod.rs"]
mod support;
