//! A cancelled timer that fires.
//!
//! What one sees: a callback of a timer runs after the timer was cancelled, and what it works on is gone. It happens when
//! both are due at the same time: a timeout and a retry, after a pause of the whole process.
//!
//! Why: the loop takes all timers that are due out of its queue, and calls them one after the other. The first cancels the
//! second. That one is no longer in the queue, so `cancel` finds nothing, and it is called.
//!
//! The cure: take one timer at a time; or look again, before each call, whether it was cancelled. Ropewalk takes one at a
//! time, up to the instant at which the turn began.
//!
//! The issue: chenshuo/muduo#668, "bug: Timer callbacks may still be invoked even after the timer has been canceled".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::SmallLoop;
use crate::{Exhibit, Result, Shown};
use ropewalk::Reactor;
use ropewalk::journal::{TimerJob, What};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "cancelled_sibling_fires",
    about: "A timer cancels another one that is due as well, and it fires nevertheless.",
    issue: "chenshuo/muduo#668: bug: Timer callbacks may still be invoked even after the timer has been canceled",
    broken,
    cured,
};

const FIRST: u32 = 0;
const SECOND: u32 = 1;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let now = Instant::now();
    let mut timers = BTreeMap::from([(FIRST, now), (SECOND, now)]);
    let mut second_has_fired = false;
    // The fault: what is due is taken out at once, and nothing looks at it again.
    let due: Vec<_> =
        timers.iter().filter(|(_, due)| **due <= now).map(|(&timer, _)| timer).collect();
    timers.retain(|timer, _| !due.contains(timer));
    for timer in due {
        small.note(None, What::TimerFired(TimerJob::Call, timer));
        if timer == FIRST {
            let was_pending = timers.remove(&SECOND).is_some();
            small.say(None, &format!("cancels timer {SECOND}, which was pending: {was_pending}"));
        }
        second_has_fired |= timer == SECOND;
    }
    let shown = Shown::new(small.into_lines()).mark("cancels").mark("timer 1 fired");
    Ok(shown.judge(second_has_fired, format!("the cancelled timer fired: {second_has_fired}")))
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let (second, is_over) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(false)));
    let second_has_fired = Rc::new(Cell::new(false));
    let (fired, over, other) = (second_has_fired.clone(), is_over.clone(), second.clone());
    let context = reactor.context();
    context.call_later(Duration::ZERO, move |context| {
        if let Some(other) = other.take() {
            context.cancel(other);
        }
    });
    second.set(Some(context.call_later(Duration::ZERO, move |_| fired.set(true))));
    context.call_later(Duration::ZERO, move |_| over.set(true));
    turn_until(&mut reactor, |_| is_over.get())?;
    let fired = second_has_fired.get();
    let shown = Shown::new(lines(&mut reactor)).mark("fired");
    Ok(shown.judge(fired, format!("the cancelled timer fired: {fired}")))
}
