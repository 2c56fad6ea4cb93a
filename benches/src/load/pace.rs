//! When the load works and when it waits, and for how long it has done so.

use super::Stretch;
use crate::system::{has_one_processor, processors};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use std::hint::spin_loop;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait, for each client, when a quarter of them had nothing.
///
/// That quarter is being served then, and all others are in line behind it; to serve one takes the bare
/// loop ten times as long as this. So the load is back long before the server runs out of work.
const WAIT: Duration = Duration::from_nanos(250);

/// Who sleeps waits for this long at most, so that the server does not run out of work.
const NAP: Duration = Duration::from_millis(1);

/// A server that says nothing for so long is not going to.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time of a stretch, spent between working and waiting.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    end: Instant,
    now: Instant,
    /// When somebody was heard last.
    heard: Instant,
    idle: Duration,
    /// This thread's processor time when it started.
    own: Duration,
    waiting: Waiting,
}

/// How to wait.
#[derive(Debug)]
enum Waiting {
    /// The processor is ours.
    Spin,
    /// Server and load share the only processor: to spin would take it from the server.
    Yield,
    /// Server and load share several. Whoever yields is soon there again, so sleep, and for so long
    /// that half of the clients have something then: to look more often costs the server's time,
    /// and to look less often may leave it without work.
    Sleep(Duration),
}

impl Pace {
    /// A stretch that begins now and takes about so long.
    pub(super) fn start(duration: Duration) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            end: now + duration,
            now,
            heard: now,
            idle: Duration::ZERO,
            own: own_processor_time(),
            waiting: match (processors(), has_one_processor()) {
                (1, _) => Waiting::Yield,
                (_, true) => Waiting::Spin,
                (_, false) => Waiting::Sleep(NAP / 4),
            },
        }
    }

    /// All of `clients` have been asked, and so many `had` something: waits if it is worth it.
    /// Says whether the stretch goes on.
    pub(super) fn turn(&mut self, had: usize, clients: usize) -> io::Result<bool> {
        let began = std::mem::replace(&mut self.now, Instant::now());
        if had > 0 {
            self.heard = self.now;
        } else if self.now - self.heard > PATIENCE {
            let message = "the server has not answered for 10 seconds";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        } else {
            // To ask in vain is to wait, too.
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

    /// When the present turn began.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Says how long the stretch has been, and what became of that time.
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

/// The processor time of this thread.
fn own_processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // It is never negative.
    Duration::try_from(time).unwrap_or_default()
}
