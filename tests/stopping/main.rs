//! The end of a run: by a stop, by a signal, or by a failed poll.

mod draining;
#[cfg(all(unix, feature = "signals"))]
mod forced;
mod handlers;
mod holds;
mod idle;
mod runs;
#[path = "../support/script/mod.rs"]
mod script;
#[cfg(all(unix, feature = "signals"))]
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod triggers;
mod turns;
