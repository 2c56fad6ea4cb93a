//! Lists of timers.

use crate::api::context::Context;
use crate::api::timer::Job;
use crate::source::timer::TimerId;
use std::time::Instant;

impl TimerId {
    /// Returns the timers that have not fired and were not cancelled, with the times when they are due, in this order:
    /// calls, and timers of callback objects. Those of the reactor itself, such as timeouts of attempts to connect, are
    /// left out. It takes a time proportional to their number.
    ///
    /// ```
    /// use ropewalk::{Reactor, TimerId};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// let late = context.call_later(Duration::from_secs(60), |_| {});
    /// let early = context.call_later(Duration::from_secs(1), |_| {});
    /// let ids = TimerId::all(context).into_iter().map(|(timer, _due)| timer);
    /// assert_eq!(ids.collect::<Vec<_>>(), [early, late]);
    /// # context.cancel(late);
    /// # context.cancel(early);
    /// # assert!(TimerId::all(context).is_empty());
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    #[doc(alias = "getDelayedCalls")]
    pub fn all(context: &Context) -> Vec<(Self, Instant)> {
        context.timers.list(|job| matches!(job, Job::Call(_) | Job::Notify(..)))
    }

    /// Returns when the timer is due; `None` if it has fired or was cancelled. It fires in the first turn that begins
    /// then or later.
    #[doc(alias = "getTime")]
    #[doc(alias = "when")]
    pub fn due(self, context: &Context) -> Option<Instant> {
        context.timers.due(self)
    }
}
