//! Protocols for [Ropewalk](ropewalk), written on its public API alone: what stands here, you could
//! have written.
//!
//! | What | Where | After |
//! |---|---|---|
//! | [`Echo`], [`Discard`] | `echo.rs`, `discard.rs` | RFC 862, RFC 863 |
//! | [`LineReceiver`] and what belongs to it | `line/` | Twisted's `LineReceiver` |
//! | a chat server, [`chat::Chat`] | `chat/` | the evenings of our youth |
//!
//! Read [`Echo`] first: it is a protocol in a dozen lines. Then write a [`LineHandler`] of your own;
//! the chat is a long one.

pub mod chat;
mod discard;
mod echo;
mod line;

pub use discard::Discard;
pub use echo::Echo;
pub use line::{Delimiter, Line, LineHandler, LineReceiver, LineTransport};
