//! Protocols for [Ropewalk](ropewalk), written on its public API only.
//!
//! | Protocol | File | Comparable to |
//! |---|---|---|
//! | [`Echo`], [`Discard`] | `echo.rs`, `discard.rs` | RFC 862, RFC 863 |
//! | [`LineReceiver`], [`LineHandler`] and their types | `line/` | Twisted's `LineReceiver` |
//! | `LineEditor`, `EditorHandler` and their types (feature `editor`) | `editor/` | Twisted's `RecvLine`, readline |
//!
//! Read [`Echo`] first: it is a protocol of a dozen lines. Then write a [`LineHandler`]. A long example
//! of one is the chat server in the crate `ropewalk-chat`.

mod discard;
mod echo;
#[cfg(feature = "editor")]
mod editor;
mod line;

pub use discard::Discard;
pub use echo::Echo;
#[cfg(feature = "editor")]
pub use editor::{EditorHandler, EditorTransport, LineEditor, Screen};
pub use line::{Delimiter, Line, LineHandler, LineReceiver, LineTransport};
