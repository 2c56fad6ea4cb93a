//! A clock that jumps.
//!
//! What one sees: once a year, or after the first synchronisation of a device's clock, timers are an hour late; or all are
//! due at once.
//!
//! Why: the loop keeps the due time of a timer by the wall clock (gettimeofday(2)). That clock is set by people and by NTP,
//! and then the distance between now and the timer is another one.
//!
//! The cure: the monotonic clock, which nothing sets. `std::time::Instant` is that, and the reactor uses no other. The wall
//! clock is for what people read.
//!
//! The issue: h2o/h2o#2321, "issue with 'gettimeofday' for event loop time calculation".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::SmallLoop;
use crate::{Exhibit, Result, Shown};
use ropewalk::Reactor;
use ropewalk::journal::{TimerJob, WaitLimit, What};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "clock_jumps",
    about: "The wall clock is set back, and a timer of 20 ms waits for an hour.",
    issue: "h2o/h2o#2321: issue with 'gettimeofday' for event loop time calculation",
    broken,
    cured,
};

const DELAY: Duration = Duration::from_millis(20);
const JUMP: Duration = Duration::from_secs(3600);

/// A wall clock of its own, since a test may not set that of the machine.
struct WallClock {
    begun: Instant,
    set_back: Duration,
}

impl WallClock {
    fn new() -> Self {
        Self { begun: Instant::now(), set_back: Duration::ZERO }
    }

    /// Returns the time of day. The clock begins in the evening.
    fn now(&self) -> Duration {
        20 * JUMP + self.begun.elapsed() - self.set_back
    }
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let mut clock = WallClock::new();
    // The fault: the due time is a time of day.
    let due = clock.now() + DELAY;
    small.say(None, "timer 0 is set, 20 ms from now");
    clock.set_back = JUMP;
    small.say(None, "the clock is set back by an hour");
    for _ in 0..2 {
        small.wait(Some(due.saturating_sub(clock.now())), WaitLimit::Timer)?;
    }
    let has_fired = due <= clock.now();
    if has_fired {
        small.note(None, What::TimerFired(TimerJob::Call, 0));
    }
    let left = due.saturating_sub(clock.now()).as_secs();
    let shown = Shown::new(small.into_lines()).mark("turn begins").mark("set back");
    Ok(shown.judge(!has_fired, format!("100 ms later the timer has {left} s left")))
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let mut clock = WallClock::new();
    let has_fired = Rc::new(Cell::new(false));
    let fired = has_fired.clone();
    reactor.context().call_later(DELAY, move |_| fired.set(true));
    let due = clock.now() + DELAY;
    clock.set_back = JUMP;
    turn_until(&mut reactor, |_| has_fired.get())?;
    let left = due.saturating_sub(clock.now()).as_secs();
    let shown = Shown::new(lines(&mut reactor)).mark("turn begins").mark("fired");
    let verdict = format!("the timer fired in its time, which the wall clock reaches in {left} s");
    Ok(shown.judge(!has_fired.get(), verdict))
}
