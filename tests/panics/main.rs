//! Panics in user code.

mod isolation;
mod resets;
#[path = "../support/mod.rs"]
mod support;
