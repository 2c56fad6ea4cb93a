//! Drops of values that users gave to a reactor.

mod methods;
mod panics;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
#[path = "../support/unix.rs"]
mod unix;

/// The delay of timers that are not to fire.
const LATER: std::time::Duration = std::time::Duration::from_secs(3600);
