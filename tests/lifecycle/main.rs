//! The lifecycle of connections and of reactors.

mod callbacks;
mod connections;
mod reactors;
#[path = "../support/mod.rs"]
mod support;
