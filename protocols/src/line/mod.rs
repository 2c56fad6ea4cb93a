//! The line protocol: splits received data into lines, for a handler.
//!
//! | File | Contents |
//! |---|---|
//! | `receiver.rs` | the protocol: from chunks of data to the handler's callbacks |
//! | `handler.rs` | the traits that users implement |
//! | `transport.rs` | the connection, as a handler sees it |
//! | `framing.rs` | where lines begin and end; no I/O |
//! | `delimiter.rs` | delimiters of lines |
//! | `buffer.rs` | received data that is not delivered yet |

mod buffer;
mod delimiter;
mod framing;
mod handler;
mod receiver;

mod transport;

pub use delimiter::Delimiter;
pub use handler::{Line, LineHandler};
pub use receiver::LineReceiver;
pub use transport::LineTransport;
