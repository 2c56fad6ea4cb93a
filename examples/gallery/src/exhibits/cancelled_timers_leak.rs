//! Cancelled timers that stay.
//!
//! What one sees: memory grows with the number of requests, not of connections. Each request has a timeout of an hour, and
//! nearly all are cancelled after a millisecond.
//!
//! Why: it is costly to find an entry in the middle of a heap, so `cancel` only makes a note, and the entry is dropped when
//! it is due. Until then it is kept, with all that its closure holds, and the loop even wakes up for it.
//!
//! The cure: an index from the timer to its place, so that `cancel` removes it; or a sweep when half of the entries are
//! cancelled. In Ropewalk a cancelled timer is gone.
//!
//! The issue: tass-belgium/picotcp#399, "pico_stack.c: fix pico_timer_cancel".

use crate::on_ropewalk::lines;
use crate::small_loop::SmallLoop;
use crate::{Exhibit, Result, Shown};
use ropewalk::journal::WaitLimit;
use ropewalk::{Reactor, TimerId};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::{Duration, Instant};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "cancelled_timers_leak",
    about: "A cancelled timer is kept until it would have been due.",
    issue: "tass-belgium/picotcp#399: pico_stack.c: fix pico_timer_cancel",
    broken,
    cured,
};

const REQUESTS: u32 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Timers by their due time.
#[derive(Default)]
struct Timers {
    queue: BinaryHeap<Reverse<(Instant, u32)>>,
    cancelled: HashSet<u32>,
}

impl Timers {
    /// Cancels a timer. The fault: it makes a note, and the entry stays.
    fn cancel(&mut self, timer: u32) {
        self.cancelled.insert(timer);
    }

    fn next_due(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((due, _))| *due)
    }
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let mut timers = Timers::default();
    for request in 0..REQUESTS {
        timers.queue.push(Reverse((Instant::now() + TIMEOUT, request)));
        timers.cancel(request);
    }
    small.say(None, &format!("{REQUESTS} timers were set and cancelled"));
    let limit = timers.next_due().map(|due| due.saturating_duration_since(Instant::now()));
    small.wait(limit, WaitLimit::Timer)?;
    let kept = timers.queue.len();
    let shown = Shown::new(small.into_lines()).mark("turn begins");
    Ok(shown.judge(kept > 0, format!("{kept} cancelled timers are kept for an hour")))
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let context = reactor.context();
    for _request in 0..REQUESTS {
        let timeout = context.call_later(TIMEOUT, |_| ());
        context.cancel(timeout);
    }
    let kept = TimerId::all(context).len();
    for _ in 0..2 {
        reactor.turn(Some(Duration::from_millis(1)))?;
    }
    let shown = Shown::new(lines(&mut reactor)).mark("turn begins");
    Ok(shown.judge(kept > 0, format!("{kept} cancelled timers are kept")))
}
