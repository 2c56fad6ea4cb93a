//! Users' code under guard: a panic is caught and reported, a slow callback is named.

use crate::sys::Clock;
use crate::values::logging::REACTOR;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// asyncio's threshold, `slow_callback_duration`.
const SLOW: Duration = Duration::from_millis(100);

/// Runs a user's code.
///
/// What the code had borrowed is sound after a panic as far as the reactor is concerned: no method
/// of the context leaves off in the middle. The user's own object may not be; it is dropped soon.
#[inline]
pub(super) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panic(Some(payload)))
}

/// A user's name for a type of its own. To give it is a user's code as well.
pub(super) fn name_of(name: impl FnOnce() -> &'static str) -> &'static str {
    guarded(name).unwrap_or("a type whose type_name() panics")
}

/// What a user's code has panicked with; nothing once it is being dropped.
#[must_use]
pub(super) struct Panic(Option<Box<dyn Any + Send>>);

impl Panic {
    pub(super) fn message(&self) -> &str {
        let text = self.0.as_ref().and_then(|payload| {
            let text = payload.downcast_ref::<&str>().copied();
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        });
        text.unwrap_or("no message")
    }
}

/// The payload may panic when it is dropped. Then the payload of that panic is leaked: it might do the
/// same.
impl Drop for Panic {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}

/// How many callbacks are timed together.
const STRETCH: u32 = 32;

/// How many callbacks are timed one by one after a slow stretch.
const CLOSELY: u32 = 100_000;

/// Notices callbacks that hold everybody else up.
///
/// To read the clock costs as much as all else that surrounds a callback. So the first callback of a
/// turn is timed by itself, and the others in stretches: if a stretch took less than the threshold,
/// each of its callbacks did. After one that took longer each is timed by itself for a while, since
/// who was slow once will be again.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Clock,
    threshold: Duration,
    last_look: Instant,
    /// How many callbacks are timed together now.
    stretch: u32,
    /// How many of them have not returned yet.
    left: u32,
    /// How many more looks are taken after every callback.
    check_each_write: u32,
    /// The longest stretch there was.
    longest: Duration,
}

impl Watch {
    pub(super) fn new(clock: Clock) -> Self {
        let last_look = clock.now();
        Self {
            clock,
            threshold: SLOW,
            last_look,
            stretch: 1,
            left: 1,
            check_each_write: 0,
            longest: Duration::ZERO,
        }
    }

    pub(super) fn set_threshold(&mut self, threshold: Duration) {
        self.threshold = threshold;
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.last_look = now;
        (self.stretch, self.left) = (1, 1);
    }

    /// The longest that callbacks which were timed together have taken.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Notes that a callback has returned. Whether it is time to look.
    #[inline]
    pub(super) fn returned(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// Looks at the clock: whether what has returned since the last look took too long.
    pub(super) fn look(&mut self) -> Option<Slow> {
        let callbacks = self.stretch - self.left;
        if callbacks == 0 {
            return None;
        }
        let now = self.clock.now();
        let took = now.saturating_duration_since(self.last_look);
        self.longest = self.longest.max(took);
        let slow = (took >= self.threshold).then_some(Slow { took, callbacks });
        self.check_each_write =
            if slow.is_some() { CLOSELY } else { self.check_each_write.saturating_sub(1) };
        let one_by_one = self.check_each_write > 0 || self.clock.is_simulated();
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
    /// Says so; `last` is who ran last, and in which callback.
    pub(super) fn report(&self, last: Option<(&str, &str)>) {
        let Self { took, callbacks } = self;
        let what = match last {
            Some((who, callback)) if *callbacks == 1 => {
                return log::warn!(
                    target: REACTOR,
                    "slow: {who} took {took:.1?} in {callback}; everybody else had to wait"
                );
            }
            Some((who, callback)) => {
                format!("{callbacks} callbacks, the last of them {who} in {callback},")
            }
            None => format!("the end of a turn, {callbacks} of its callbacks,"),
        };
        log::warn!(
            target: REACTOR,
            "slow: {what} took {took:.1?}, and everybody else had to wait; from now on each \
             is timed by itself"
        );
    }
}
