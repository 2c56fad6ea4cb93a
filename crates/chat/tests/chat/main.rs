//! The chat, with many clients, on one reactor and on several.

mod crowds;
mod departed_reactors;
mod departures;
mod flow;
mod limits;
mod linked_chats;
mod network;
mod rooms;
#[path = "../../../../protocols/tests/support/mod.rs"]
mod support;
mod test_chat;
