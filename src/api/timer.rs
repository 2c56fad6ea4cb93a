//! Timers: calls that are made later.

use crate::api::context::Context;
use crate::api::discard::Discarded;
use crate::source::timer::TimerId;
use crate::values::id::Id;
use crate::values::logging::TIMER;
use log::trace;
use std::any::type_name;
use std::time::{Duration, Instant};

/// The job of a timer.
pub(crate) enum Job {
    /// A user's call.
    Call(Box<dyn Call>),
    /// The time that the caller gave a closing connection is over.
    CloseDeadline(Id),
    /// Checks whether the peer of a closing connection has taken data since this number of bytes was sent.
    CloseProgress(Id, u64),
    /// An attempt is repeated, since the queue of the listener was full.
    #[cfg(unix)]
    ConnectAgain(Id),
    /// A connection attempt has taken too long.
    ConnectTimeout(Id),
    /// The handshake of the filters of a connection has taken too long.
    HandshakeTimeout(Id),
    /// A socket has lingered long enough.
    LingerEnd(Id),
    /// The backoff of a source ends: it tries again.
    BackoffEnd(Id),
}

/// A requested call, with a name for the logs.
pub(crate) trait Call {
    fn make(self: Box<Self>, context: &mut Context);

    fn name(&self) -> &'static str;
}

impl<F: FnOnce(&mut Context)> Call for F {
    fn make(self: Box<Self>, context: &mut Context) {
        self(context);
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// # Time
impl Context {
    /// Calls `call` once, after `delay`, never earlier. The delay counts from this call: earlier work of the
    /// running callback, such as a name look-up, does not shorten it.
    ///
    /// Timers that are due at the same time are called in the order in which they were scheduled. A timer that
    /// a callback schedules is called in a later turn, even with a delay of zero. A delay too long for the
    /// clock is cut to about 584 years.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// let tea = context.call_later(Duration::from_millis(2), |context| context.stop());
    /// let fire = context.call_later(Duration::from_secs(600), |_| panic!("the house burns"));
    /// assert!(context.cancel(fire));
    /// assert!(context.is_active(tea));
    /// reactor.run()?;
    /// assert!(!reactor.context().is_active(tea));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "callLater")]
    pub fn call_later(
        &mut self,
        delay: Duration,
        call: impl FnOnce(&mut Self) + 'static,
    ) -> TimerId {
        let call: Box<dyn Call> = Box::new(call);
        let name = call.name();
        let timer = self.schedule(delay, Job::Call(call));
        trace!(target: TIMER, "{timer} in {delay:?}: {name}");
        timer
    }

    /// Calls `call` once, at `when`, or in the next turn if `when` has passed. It does not read the clock.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// let noon = context.now() + Duration::from_millis(2);
    /// let bell = context.call_at(noon, |context| context.stop());
    /// // The clock is a millisecond slow.
    /// context.reset(bell, Duration::from_millis(3));
    /// reactor.run()?;
    /// assert!(reactor.context().now() > noon);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "callAt")]
    pub fn call_at(&mut self, when: Instant, call: impl FnOnce(&mut Self) + 'static) -> TimerId {
        let (now, call): (_, Box<dyn Call>) = (self.now, Box::new(call));
        let (name, delay) = (call.name(), when.saturating_duration_since(now));
        let timer = self.timers.schedule(now, delay, Job::Call(call));
        trace!(target: TIMER, "{timer} {delay:?} after the turn's beginning: {name}");
        timer
    }

    /// Cancels a call that has not been made. Returns true if there was one. The closure is dropped once the
    /// running callback has returned.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        trace!(target: TIMER, "{timer} cancelled");
        let job = self.timers.cancel(timer);
        let was_active = job.is_some();
        if let Some(Job::Call(call)) = job {
            self.discard(Discarded::Call(call));
        }
        was_active
    }

    /// Reschedules a call that has not been made: it is made after `delay`, which counts from this call of
    /// `reset`. Returns true if there was one.
    pub fn reset(&mut self, timer: TimerId, delay: Duration) -> bool {
        trace!(target: TIMER, "{timer} reset to {delay:?}");
        self.timers.reset(timer, self.backend.now(), delay)
    }

    /// Returns true if the call has not been made or cancelled.
    #[doc(alias = "active")]
    pub fn is_active(&self, timer: TimerId) -> bool {
        self.timers.is_active(timer)
    }

    /// Schedules a job after `delay`. It reads the clock, since much time may have passed in this turn.
    pub(crate) fn schedule(&mut self, delay: Duration, job: Job) -> TimerId {
        self.timers.schedule(self.backend.now(), delay, job)
    }

    pub(crate) fn timer_mark(&self) -> u64 {
        self.timers.mark()
    }

    pub(crate) fn pop_due(&mut self, mark: u64) -> Option<Job> {
        let (timer, job) = self.timers.pop_due(self.now, mark)?;
        trace!(target: TIMER, "{timer} is due");
        Some(job)
    }

    /// Removes the first timer, due or not.
    pub(crate) fn take_timer(&mut self) -> Option<Job> {
        self.timers.pop()
    }

    /// Returns the time until the first timer is due. It reads the clock if there is a timer.
    pub(crate) fn until_next_timer(&self) -> Option<Duration> {
        (self.timers.len() > 0).then(|| self.timers.until_next(self.backend.now())).flatten()
    }
}
