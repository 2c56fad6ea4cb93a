//! Settings of a reactor, and its state.

use crate::reactor::Reactor;
use std::time::Duration;

impl Reactor {
    /// Returns true while a run is in progress: see [`Context::is_running`](crate::Context::is_running).
    pub fn is_running(&self) -> bool {
        self.dispatcher.context.is_running()
    }

    /// Sets the grace period: how long a stop waits for [holds](crate::Hold), and for peers that are slow to take
    /// queued data. Default: 10 seconds. Zero does not wait for any: a stop then ends the run at once.
    #[doc(alias = "crash")]
    pub fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Returns the grace period.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Sets the duration above which a callback is logged as slow. Default: 100 ms.
    #[doc(alias = "slow_callback_duration")]
    pub fn set_slow_callback_duration(&mut self, duration: Duration) {
        self.dispatcher.stopwatch.set_threshold(duration);
    }

    /// Returns the duration above which a callback is logged as slow.
    pub fn slow_callback_duration(&self) -> Duration {
        self.dispatcher.stopwatch.threshold()
    }
}
