//! Protocols for [Ropewalk](ropewalk), written on its public API only.
//!
//! | Protocol | File | Comparable to |
//! |---|---|---|
//! | [`Echo`], [`Discard`] | `echo.rs`, `discard.rs` | RFC 862, RFC 863 |
//! | [`LineReceiver`], [`LineHandler`] and their types | `line/` | Twisted's `LineReceiver` |
//! | `LineEditor`, `EditorHandler` and their types (feature `editor`) | `editor/` | Twisted's `RecvLine`, readline |
//! | `ProcessMonitor`, `MonitorOptions` and their types (feature `process`) | `monitor/` | Twisted's `ProcessMonitor`, daemontools |
//!
//! Read [`Echo`] first: it is a protocol of a dozen lines. Then write a [`LineHandler`]. A long example
//! of one is the chat server in the crate `ropewalk-chat`.

mod discard;
mod echo;
#[cfg(feature = "editor")]
mod editor;
mod line;
#[cfg(all(unix, feature = "process"))]
mod monitor;

pub use discard::Discard;
pub use echo::Echo;
#[cfg(feature = "editor")]
pub use editor::{EditorHandler, EditorTransport, LineEditor, Screen};
pub use line::{Delimiter, Line, LineHandler, LineReceiver, LineTransport};
#[cfg(all(unix, feature = "process"))]
pub use monitor::{MonitorHandler, MonitorOptions, MonitorState, NextRun, ProcessMonitor};
