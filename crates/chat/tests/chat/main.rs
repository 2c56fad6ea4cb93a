//! The chat, with many clients, on one reactor and on several.

mod chat;
mod crowds;
mod limits;
mod network;
mod network_ends;
mod street;
#[path = "../../../../protocols/tests/support/mod.rs"]
mod support;
