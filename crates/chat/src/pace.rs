//! How fast one may talk.

use std::time::{Duration, Instant};

/// How many lines are let through at once, and how long each one takes to be earned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// How long it takes to earn one line.
    interval: Duration,
    /// How long it takes to earn a whole burst.
    burst: Duration,
}

impl Limit {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        assert!(burst > 0 && per_second > 0, "a flood limit of 0 would let nobody say anything");
        let interval = Duration::from_secs(1) / per_second;
        Self { interval, burst: interval * burst }
    }

    /// So many a minute, or all of them at once. Zero is no limit.
    pub(super) fn per_minute(count: u32) -> Option<Self> {
        let minute = Duration::from_secs(60);
        (count > 0).then(|| Self { interval: minute / count, burst: minute })
    }

    /// Twice as many at once, and twice as fast.
    pub(super) fn doubled(&self) -> Self {
        Self { interval: self.interval / 2, burst: self.burst }
    }
}

/// A person pastes a page and types a line a second; a program that keeps to this costs little.
impl Default for Limit {
    fn default() -> Self {
        Self::new(1_000, 100)
    }
}

/// A token bucket, kept as one instant: the one at which it will be full again. It is empty when
/// that is a whole burst away.
#[derive(Debug, Default)]
pub(super) struct Pace {
    full_at: Option<Instant>,
    /// He has been told, and the bucket was not full again since.
    told: bool,
}

/// What someone who talks too fast has coming.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slowed {
    /// How long it is until the next line is earned.
    pub(super) wait: Duration,
    /// Whether it is the first time since the bucket was full.
    pub(super) is_new: bool,
}

impl Pace {
    /// Takes one if there is one. If not, returns how long it is until one is earned, and takes nothing.
    pub(super) fn take(&mut self, limit: &Limit, now: Instant) -> Option<Duration> {
        let full_at = self.full_at.filter(|full_at| *full_at > now).unwrap_or(now) + limit.interval;
        let wait = (full_at - now).saturating_sub(limit.burst);
        if wait.is_zero() {
            self.full_at = Some(full_at);
            return None;
        }
        Some(wait)
    }

    /// Returns true if all that is allowed at once may be taken.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }

    /// A line was sent. `None` if another one may follow at once.
    pub(super) fn spend(&mut self, limit: &Limit, now: Instant) -> Option<Slowed> {
        let was_full = self.full_at.is_none_or(|full_at| full_at <= now);
        let full_at = self.full_at.filter(|_| !was_full).unwrap_or(now) + limit.interval;
        self.full_at = Some(full_at);
        self.told &= !was_full;

        let with_the_next = full_at + limit.interval - now;
        let wait = with_the_next.saturating_sub(limit.burst);
        if wait.is_zero() {
            return None;
        }
        let is_new = !std::mem::replace(&mut self.told, true);
        Some(Slowed { wait, is_new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_line_for_each_interval() {
        let (limit, mut pace) = (Limit::new(3, 10), Pace::default());
        let start = Instant::now();
        let interval = Duration::from_millis(100);
        assert_eq!(pace.spend(&limit, start), None);
        assert_eq!(pace.spend(&limit, start), None);
        let slowed = Slowed { wait: interval, is_new: true };
        assert_eq!(pace.spend(&limit, start), Some(slowed));
        let slowed = Slowed { wait: interval, is_new: false };
        assert_eq!(pace.spend(&limit, start + interval), Some(slowed));
        // One line was earned since, and may be followed by none.
        let half = Slowed { wait: interval / 2, is_new: false };
        assert_eq!(pace.spend(&limit, start + interval * 5 / 2), Some(half));
    }

    #[test]
    fn who_was_silent_long_enough_is_told_anew() {
        let (limit, mut pace) = (Limit::new(1, 10), Pace::default());
        let start = Instant::now();
        let told = |pace: &mut Pace, at| pace.spend(&limit, at).map(|slowed| slowed.is_new);
        assert_eq!(told(&mut pace, start), Some(true));
        assert_eq!(told(&mut pace, start + Duration::from_millis(50)), Some(false));
        assert_eq!(told(&mut pace, start + Duration::from_millis(200)), Some(true));
    }
}
