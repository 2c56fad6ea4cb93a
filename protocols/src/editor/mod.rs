//! The line editor: reads lines from a terminal while other lines are printed above the one being typed.
//!
//! | File | Contents |
//! |---|---|
//! | `protocol.rs` | the protocol: from bytes of the keyboard to the handler's callbacks |
//! | `handler.rs` | the trait that users implement |
//! | `transport.rs` | the connection, as a handler sees it |
//! | `screen.rs` | the screen, for all that print on it |
//! | `state.rs` | what the protocol and the screen share |
//! | `input.rs` | what keys and pastes do; no I/O |
//! | `keys.rs` | keys, decoded from bytes |
//! | `paste.rs` | pasted text |
//! | `draft.rs` | the line being typed, and its cursor |
//! | `history.rs` | previous lines |
//! | `output.rs` | the sequences that draw; no I/O |

mod draft;
mod handler;
mod history;
mod input;
mod keys;
mod output;
mod paste;
mod protocol;
mod screen;
mod state;
mod transport;

pub use handler::EditorHandler;
pub use protocol::LineEditor;
pub use screen::Screen;
pub use transport::EditorTransport;
