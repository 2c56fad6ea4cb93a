//! Producers and files.

mod ends;
mod files;
mod flow;
#[path = "../support/producers.rs"]
mod producers;
#[path = "../support/script/mod.rs"]
mod script;
mod scripted;
#[path = "../support/mod.rs"]
mod support;
