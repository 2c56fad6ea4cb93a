//! A wait that is rounded down.
//!
//! What one sees: a program with short timers takes a processor for itself, though each timer fires at the right time.
//!
//! Why: epoll_wait(2) counts in milliseconds. 900 microseconds become 0 of them, which means "do not wait". So the loop
//! turns, without a pause, for the last part of a millisecond before each timer.
//!
//! The cure: round up. A timer is then up to a millisecond late, and never early. mio rounds up, and so
//! does Ropewalk.
//!
//! The issue: tokio-rs/mio#1614, "poll() returns immdiately with timeouts less than one millisecond".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::SmallLoop;
use crate::{Exhibit, Result, Shown};
use ropewalk::Reactor;
use ropewalk::journal::{TimerJob, WaitLimit, What};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "rounded_wait",
    about: "A wait of less than a millisecond becomes none, and the loop spins.",
    issue: "tokio-rs/mio#1614: poll() returns immdiately with timeouts less than one millisecond",
    broken,
    cured,
};

const DELAY: Duration = Duration::from_micros(900);
const TIMERS: u32 = 5;
/// Turns that are few for these timers.
const FEW: u64 = 4 * TIMERS as u64;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let mut turns = 0;
    for timer in 0..TIMERS {
        let due = Instant::now() + DELAY;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // The fault: `as_millis` rounds down.
            let limit = Duration::from_millis(left.as_millis() as u64);
            small.wait(Some(limit), WaitLimit::Timer)?;
            turns += 1;
        }
        small.note(None, What::TimerFired(TimerJob::Call, timer));
    }
    let shown = Shown::new(small.into_lines()).mark("turn begins");
    Ok(shown.judge(turns > FEW, format!("{turns} turns for {TIMERS} timers")))
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    for _timer in 0..TIMERS {
        let has_fired = Rc::new(Cell::new(false));
        let fired = has_fired.clone();
        reactor.context().call_later(DELAY, move |_| fired.set(true));
        turn_until(&mut reactor, |_| has_fired.get())?;
    }
    let turns = reactor.context().statistics().turns;
    let shown = Shown::new(lines(&mut reactor)).mark("turn begins");
    Ok(shown.judge(turns > FEW, format!("{turns} turns for {TIMERS} timers")))
}
