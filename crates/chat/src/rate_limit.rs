//! A token bucket that limits the rate of lines.

use std::time::{Duration, Instant};

/// A burst of lines, and the rate after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateLimit {
    /// The time after which one more line is allowed.
    interval: Duration,
    /// The time after which a whole burst is allowed again.
    burst: Duration,
}

impl RateLimit {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        assert!(burst > 0 && per_second > 0, "a flood limit of 0 would allow no lines");
        let interval = Duration::from_secs(1) / per_second;
        Self { interval, burst: interval * burst }
    }

    /// Returns a limit per minute, all of which may be used at once. 0: no limit.
    pub(super) fn per_minute(count: u32) -> Option<Self> {
        let minute = Duration::from_secs(60);
        (count > 0).then(|| Self { interval: minute / count, burst: minute })
    }

    /// Returns a limit of twice the burst and twice the rate.
    pub(super) fn doubled(&self) -> Self {
        Self { interval: self.interval / 2, burst: self.burst }
    }
}

/// Enough for a user that pastes a page and types a line per second. A program within this limit costs little.
impl Default for RateLimit {
    fn default() -> Self {
        Self::new(1_000, 100)
    }
}

/// A token bucket, stored as the time at which it will be full again. It is empty when that time is a whole burst
/// away.
#[derive(Debug, Default)]
pub(super) struct TokenBucket {
    full_at: Option<Instant>,
    /// The client has been notified since the bucket was full.
    notified: bool,
}

/// The delay of a client that exceeds the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slowed {
    /// The time until the next line is allowed.
    pub(super) wait: Duration,
    /// It is the first delay since the bucket was full.
    pub(super) is_new: bool,
}

impl TokenBucket {
    /// Takes a token, if there is one. Otherwise, takes nothing and returns the time until there is one.
    pub(super) fn take(&mut self, limit: &RateLimit, now: Instant) -> Option<Duration> {
        let full_at = self.full_at.filter(|full_at| *full_at > now).unwrap_or(now) + limit.interval;
        let wait = (full_at - now).saturating_sub(limit.burst);
        if wait.is_zero() {
            self.full_at = Some(full_at);
            return None;
        }
        Some(wait)
    }

    /// Returns true if the bucket is full.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }

    /// Counts a line. Returns `None` if another line is allowed now.
    pub(super) fn spend(&mut self, limit: &RateLimit, now: Instant) -> Option<Slowed> {
        let was_full = self.full_at.is_none_or(|full_at| full_at <= now);
        let full_at = self.full_at.filter(|_| !was_full).unwrap_or(now) + limit.interval;
        self.full_at = Some(full_at);
        self.notified &= !was_full;

        let with_the_next = full_at + limit.interval - now;
        let wait = with_the_next.saturating_sub(limit.burst);
        if wait.is_zero() {
            return None;
        }
        let is_new = !std::mem::replace(&mut self.notified, true);
        Some(Slowed { wait, is_new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_each_interval_allows_one_line() {
        let (limit, mut bucket) = (RateLimit::new(3, 10), TokenBucket::default());
        let start = Instant::now();
        let interval = Duration::from_millis(100);
        assert_eq!(bucket.spend(&limit, start), None);
        assert_eq!(bucket.spend(&limit, start), None);
        let slowed = Slowed { wait: interval, is_new: true };
        assert_eq!(bucket.spend(&limit, start), Some(slowed));
        let slowed = Slowed { wait: interval, is_new: false };
        assert_eq!(bucket.spend(&limit, start + interval), Some(slowed));
        // One line was allowed meanwhile, and the next one is not.
        let half = Slowed { wait: interval / 2, is_new: false };
        assert_eq!(bucket.spend(&limit, start + interval * 5 / 2), Some(half));
    }

    #[test]
    fn the_notice_is_repeated_after_a_pause() {
        let (limit, mut bucket) = (RateLimit::new(1, 10), TokenBucket::default());
        let start = Instant::now();
        let notified =
            |bucket: &mut TokenBucket, at| bucket.spend(&limit, at).map(|slowed| slowed.is_new);
        assert_eq!(notified(&mut bucket, start), Some(true));
        assert_eq!(notified(&mut bucket, start + Duration::from_millis(50)), Some(false));
        assert_eq!(notified(&mut bucket, start + Duration::from_millis(200)), Some(true));
    }
}
