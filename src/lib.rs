//! Event-driven networking with callback objects.

mod address;
mod connector;
mod context;
mod dispatch;
mod error;
mod handle;
mod id;
mod listener;
mod logging;
mod options;
mod outbox;
mod protocol;
mod reactor;
mod reason;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod sources;
mod stream;
mod timer;
mod transport;
mod world;

pub use address::Address;
pub use context::{Context, Port};
pub use error::Error;
pub use handle::{Handle, ReactorGone};
pub use id::Id;
pub use options::{ConnectOptions, ListenOptions};
pub use protocol::{Factory, Protocol};
pub use reactor::Reactor;
pub use reason::Reason;
pub use timer::TimerId;
pub use transport::Transport;
