//! Detection of slow callbacks.

use crate::sys::SharedBackend;
use crate::values::logging::REACTOR;
use crate::values::statistics::Statistics;
use log::warn;
use std::time::{Duration, Instant};

/// The default threshold: that of asyncio's `slow_callback_duration`.
const SLOW: Duration = Duration::from_millis(100);

/// The number of callbacks that are timed together: enough to hide the cost of the clock.
const STRETCH: u32 = 64;

/// How many callbacks are timed one by one after a slow stretch.
const CLOSELY: u32 = 100_000;

/// A stopwatch for callbacks.
///
/// To read the clock costs as much as all else that surrounds a callback. So the first callback of a
/// turn is timed by itself, and the others in stretches: if a stretch took less than the threshold,
/// each of its callbacks did. After a stretch that took longer, each callback is timed by itself for a
/// while, since a callback that was slow once will be slow again.
#[derive(Debug)]
pub(super) struct Stopwatch {
    backend: SharedBackend,
    /// The backend receives every callback, so each is timed by itself.
    observed: bool,
    /// The journal receives the duration of each callback.
    timed: bool,
    /// The duration of the last callback, or of the last stretch.
    took: Duration,
    threshold: Duration,
    last_look: Instant,
    /// How many callbacks are timed together now.
    stretch: u32,
    /// How many of them have not returned yet.
    left: u32,
    /// How many more callbacks are timed one by one.
    closely: u32,
}

impl Stopwatch {
    pub(super) fn new(backend: SharedBackend) -> Self {
        let (last_look, observed) = (backend.now(), backend.observes_callbacks());
        Self {
            backend,
            observed,
            timed: false,
            took: Duration::ZERO,
            threshold: SLOW,
            last_look,
            stretch: 1,
            left: 1,
            closely: 0,
        }
    }

    pub(super) fn set_threshold(&mut self, threshold: Duration) {
        self.threshold = threshold;
    }

    pub(super) fn threshold(&self) -> Duration {
        self.threshold
    }

    /// Has each callback timed by itself, for the journal.
    pub(super) fn time_each(&mut self, timed: bool) {
        self.timed = timed;
        (self.stretch, self.left) = (1, 1);
    }

    /// Returns how long the last callback took, if each is timed for the journal.
    pub(super) fn timed(&self) -> Option<Duration> {
        self.timed.then_some(self.took)
    }

    /// Returns the time of the last look at the clock.
    pub(super) fn last_look(&self) -> Instant {
        self.last_look
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.last_look = now;
        (self.stretch, self.left) = (1, 1);
    }

    /// Returns true if the backend receives every callback.
    pub(super) fn is_observed(&self) -> bool {
        self.observed
    }

    /// Counts a callback that has returned. Returns true if it is time to look at the clock.
    #[inline(always)]
    pub(super) fn returned(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// Looks at the clock. Returns the callbacks since the last look if they took too long.
    #[cold]
    pub(super) fn look(&mut self, totals: &mut Statistics) -> Option<Slow> {
        let callbacks = self.stretch - self.left;
        if callbacks == 0 {
            return None;
        }
        let now = self.backend.now();
        let took = now.saturating_duration_since(self.last_look);
        self.took = took;
        totals.longest_callback = totals.longest_callback.max(took);
        let slow = (took >= self.threshold).then_some(Slow { took, callbacks });
        self.closely = if slow.is_some() { CLOSELY } else { self.closely.saturating_sub(1) };
        let one_by_one = self.closely > 0 || self.observed || self.timed;
        self.stretch = if one_by_one { 1 } else { STRETCH };
        (self.last_look, self.left) = (now, self.stretch);
        slow
    }
}

/// Callbacks that took too long, all together.
#[derive(Debug)]
pub(super) struct Slow {
    took: Duration,
    callbacks: u32,
}

impl Slow {
    /// Logs a warning. `last` is the type and the name of the callback that returned last.
    pub(super) fn report(&self, last: Option<(&str, &str)>) {
        let Self { took, callbacks } = self;
        let what = match last {
            Some((type_name, callback)) if *callbacks == 1 => {
                return warn!(
                    target: REACTOR,
                    "slow: {type_name} took {took:.1?} in {callback}; everything else was delayed"
                );
            }
            Some((type_name, callback)) => {
                format!("{callbacks} callbacks, the last of them {type_name} in {callback},")
            }
            None => format!("the end of a turn, {callbacks} of its callbacks,"),
        };
        warn!(
            target: REACTOR,
            "slow: {what} took {took:.1?}; everything else was delayed; from now on each callback \
             is timed separately"
        );
    }
}
