//! Lines: a protocol that cuts what comes into lines, for a handler that is told of each.
//!
//! | File | What |
//! |---|---|
//! | `receiver.rs` | the protocol: from the reactor's pieces to the handler's callbacks |
//! | `handler.rs` | what users implement |
//! | `transport.rs` | the connection, as a handler sees it |
//! | `framing.rs` | where lines begin and end: no I/O |
//! | `delimiter.rs` | what stands between two lines |
//! | `rest.rs` | what has come and not been delivered |

mod delimiter;
mod framing;
mod handler;
mod receiver;
mod rest;
mod transport;

pub use delimiter::Delimiter;
pub use handler::{Line, LineHandler};
pub use receiver::LineReceiver;
pub use transport::LineTransport;
