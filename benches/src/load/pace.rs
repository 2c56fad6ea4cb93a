//! Pacing of the load: when it works, when it waits, and for how long.

use super::Stretch;
use crate::system::{has_one_processor, processors};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use std::hint::spin_loop;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for each client after a pass in which a quarter had no data.
///
/// That quarter is being served then, and all others are queued after it. The bare loop takes ten
/// times as long to serve a client, so the load returns long before the server has no work left.
const WAIT: Duration = Duration::from_nanos(250);

/// The longest sleep, so that the server does not run out of work.
const NAP: Duration = Duration::from_millis(1);

/// How long a server may be silent before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time of a stretch, divided into work and waiting.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    end: Instant,
    now: Instant,
    /// When data last arrived.
    last_data: Instant,
    idle: Duration,
    /// This thread's processor time at the start.
    own: Duration,
    waiting: Waiting,
}

/// How to wait.
#[derive(Debug)]
enum Waiting {
    /// Spins: the load has its own processor.
    Spin,
    /// Yields: the server and the load share the only processor, and spinning would take it from
    /// the server.
    Yield,
    /// Sleeps: the server and the load share several processors. A thread that yields runs again
    /// soon. The sleep is as long as half of the clients take: shorter sleeps cost the server time,
    /// and longer ones may leave it without work.
    Sleep(Duration),
}

impl Pace {
    /// Starts a stretch of about `duration`.
    pub(super) fn start(duration: Duration) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            end: now + duration,
            now,
            last_data: now,
            idle: Duration::ZERO,
            own: own_processor_time(),
            waiting: match (processors(), has_one_processor()) {
                (1, _) => Waiting::Yield,
                (_, true) => Waiting::Spin,
                (_, false) => Waiting::Sleep(NAP / 4),
            },
        }
    }

    /// Ends a pass over `clients`, of which `had` had data, and waits if that is worthwhile.
    /// Returns true if the stretch continues.
    pub(super) fn turn(&mut self, had: usize, clients: usize) -> io::Result<bool> {
        let began = std::mem::replace(&mut self.now, Instant::now());
        if had > 0 {
            self.last_data = self.now;
        } else if self.now - self.last_data > PATIENCE {
            let message = "the server has not answered for 10 seconds";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        } else {
            // A pass without data counts as waiting.
            self.idle += self.now - began;
        }
        if let Waiting::Sleep(nap) = &mut self.waiting {
            *nap = if had * 2 < clients { (*nap * 5 / 4).min(NAP) } else { *nap * 3 / 4 };
        }
        if had * 4 < clients * 3 {
            self.wait(WAIT * clients as u32);
        }
        Ok(self.now < self.end)
    }

    /// Returns when the current pass began.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Ends the stretch, and returns how long it took and how the time was spent.
    pub(super) fn end(self, count: u64, bytes: u64, latencies: Histogram<u64>) -> Stretch {
        let elapsed = self.now - self.start;
        let processor_time = own_processor_time() - self.own;
        Stretch { count, bytes, elapsed, idle: self.idle, processor_time, latencies }
    }

    fn wait(&mut self, duration: Duration) {
        let since = self.now;
        while self.now - since < duration {
            match self.waiting {
                Waiting::Spin => spin_loop(),
                Waiting::Yield => thread::yield_now(),
                Waiting::Sleep(nap) => thread::sleep(nap),
            }
            self.now = Instant::now();
        }
        self.idle += self.now - since;
    }
}

/// Returns the processor time of this thread.
fn own_processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // It is never negative.
    Duration::try_from(time).unwrap_or_default()
}
