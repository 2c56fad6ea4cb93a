//! Calls and messages from other threads.

mod blocking_calls;
mod calls;
mod channels;
mod jobs;
#[path = "../support/mod.rs"]
mod support;
