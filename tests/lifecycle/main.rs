//! The lifecycle of connections and of reactors.

mod callbacks;
mod connections;
mod endings;
mod ids;
mod lingering;
mod reactors;
#[path = "../support/script/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
