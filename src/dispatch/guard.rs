//! Users' code under guard: a panic is caught and reported, a slow callback is named.

use crate::logging::REACTOR;
use crate::world::Clock;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// asyncio's threshold, `slow_callback_duration`.
const SLOW: Duration = Duration::from_millis(100);

/// Runs a user's code. `None` if it has panicked, which has been logged then.
///
/// What the code had borrowed is sound afterwards as far as the reactor is concerned: no method of
/// the context leaves off in the middle. The user's own object may not be; it is dropped soon.
pub(super) fn guarded<T>(who: &str, what: &str, code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            log::error!(target: REACTOR, "{who}: panic in {what}: {}", message(&*payload));
            drop_quietly(payload);
            None
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A panic's payload may panic itself when it is dropped. Then that one's payload is leaked: it is
/// the user's third mistake in a row, and the reactor goes on.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

/// Notices callbacks that hold everybody else up.
///
/// The clock is read once a callback, after it: the end of one is the beginning of the next.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Clock,
    threshold: Duration,
    last_look: Instant,
}

impl Watch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, threshold: SLOW, last_look: clock.now() }
    }

    pub(super) fn set_threshold(&mut self, threshold: Duration) {
        self.threshold = threshold;
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.last_look = now;
    }

    /// The latest reading of the clock.
    pub(super) fn last_look(&self) -> Instant {
        self.last_look
    }

    /// How long it has been since the last look, if that was too long.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let now = self.clock.now();
        let took = now.saturating_duration_since(self.last_look);
        self.last_look = now;
        (took >= self.threshold).then_some(took)
    }

    pub(super) fn complain(&self, who: &str, callback: &str, took: Duration, others: usize) {
        log::warn!(
            target: REACTOR,
            "slow: {who} took {took:.1?} in {callback}; {others} others that were ready had to wait"
        );
    }
}
