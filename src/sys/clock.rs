//! What time it is.

use crate::sys::Backend;
use std::rc::Rc;
use std::time::Instant;

/// The monotonic clock: it never goes back, and setting the wall clock does not touch it.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Other(Rc<dyn Backend>),
}

impl Clock {
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// The one place where the time is asked for.
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Other(backend) => backend.now(),
        }
    }
}
