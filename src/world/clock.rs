//! What time it is.

use std::time::Instant;

/// The monotonic clock: it never goes back, and setting the wall clock does not touch it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    /// The one place where the time is asked for.
    pub(crate) fn now(self) -> Instant {
        Instant::now()
    }
}
