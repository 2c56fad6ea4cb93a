//! Tests of the timer queue.

use super::*;
use crate::source::retention::KEPT_SLOTS;

impl<T> TimerQueue<T> {
    /// Returns the number of entries of the heap.
    pub(crate) fn entries(&self) -> usize {
        self.heap.len()
    }
}

fn queue() -> (TimerQueue<u32>, Instant) {
    let epoch = Instant::now();
    (TimerQueue::new(epoch), epoch)
}

fn milliseconds(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn drain(queue: &mut TimerQueue<u32>, now: Instant) -> Vec<u32> {
    let mark = queue.mark();
    std::iter::from_fn(|| queue.pop_due(now, mark)).map(|(_, job)| job).collect()
}

#[test]
fn timers_fire_by_deadline_then_by_scheduling() {
    let (mut queue, now) = queue();
    for (job, delay) in [(1, 5), (2, 3), (3, 5), (4, 0), (5, 3)] {
        queue.schedule(now, milliseconds(delay), job);
    }
    assert_eq!(drain(&mut queue, now + milliseconds(4)), [4, 2, 5]);
    assert_eq!(queue.until_next(now + milliseconds(4)), Some(milliseconds(1)));
    assert_eq!(drain(&mut queue, now + milliseconds(5)), [1, 3]);
}

/// A queue that has scheduled this many timers before.
fn queue_after(scheduled: u64) -> (TimerQueue<u32>, Instant) {
    let (mut queue, now) = queue();
    queue.scheduled = scheduled;
    queue.base = scheduled.saturating_sub(u64::from(u32::MAX) - 1);
    (queue, now)
}

#[test]
fn equal_deadlines_keep_their_order_after_renumbering() {
    for before in [1, 2, 5].map(|times| times * (1 << 32) - 2) {
        let (mut queue, now) = queue_after(before);
        let first = queue.schedule(now, milliseconds(5), 1);
        for (job, delay) in [(2, 5), (3, 4), (4, 5), (5, 5), (6, 4)] {
            queue.schedule(now, milliseconds(delay), job);
        }
        assert!(queue.is_active(first));
        assert!(queue.reset(first, now, milliseconds(5)));
        assert!(queue.reset(first, now, milliseconds(5)));
        assert_eq!(drain(&mut queue, now + milliseconds(5)), [3, 6, 2, 4, 5, 1]);
        assert_eq!(queue.base, before, "renumbered once, from the first timer on");
    }
}

#[test]
fn queue_agrees_with_a_sorted_list() {
    let (mut queue, now) = queue();
    let mut model: Vec<(u64, usize, TimerId, u32)> = Vec::new();
    let mut random = 12_345_u64;
    let mut next = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    for step in 0..20_000 {
        let delay = next(500);
        match next(4) {
            0 if !model.is_empty() => {
                let (_, _, id, job) = model.remove(next(model.len() as u64) as usize);
                assert_eq!(queue.cancel(id), Some(job));
                assert!(!queue.is_active(id));
            }
            1 if !model.is_empty() => {
                let chosen = next(model.len() as u64) as usize;
                (model[chosen].0, model[chosen].1) = (delay, step);
                assert!(queue.reset(model[chosen].2, now, milliseconds(delay)));
            }
            _ => {
                let id = queue.schedule(now, milliseconds(delay), step as u32);
                model.push((delay, step, id, step as u32));
            }
        }
    }
    model.sort_unstable_by_key(|&(delay, order, ..)| (delay, order));
    let expected: Vec<u32> = model.iter().map(|entry| entry.3).collect();
    assert_eq!(drain(&mut queue, now + milliseconds(500)), expected);
}

#[test]
fn million_cancelled_timers_leave_no_memory() {
    let (mut queue, now) = queue();
    let ids: Vec<TimerId> =
        (0..1_000_000).map(|n| queue.schedule(now, milliseconds(n % 977), 0)).collect();
    for id in ids {
        assert_eq!(queue.cancel(id), Some(0));
    }
    assert_eq!(queue.len(), 0);
    assert!(queue.heap.capacity() <= KEPT_SLOTS && queue.timers.capacity() <= KEPT_SLOTS);
}

#[test]
fn remaining_timer_does_not_keep_memory_of_others() {
    let (mut queue, now) = queue();
    let heartbeat = queue.schedule(now, milliseconds(5), 1);
    let ids: Vec<TimerId> = (0..100_000).map(|_| queue.schedule(now, milliseconds(9), 0)).collect();
    for id in ids {
        queue.cancel(id);
    }
    assert!(queue.is_active(heartbeat));
    assert!(queue.heap.capacity() <= KEPT_SLOTS && queue.timers.capacity() <= KEPT_SLOTS);
}

/// Each attempt costs as much as ordering all timers.
#[test]
fn memory_is_freed_when_three_quarters_are_gone() {
    for (timers, is_much) in [(100_000, true), (1_000, false)] {
        let (mut queue, now) = queue();
        let mut ids: Vec<TimerId> =
            (0..timers).map(|n| queue.schedule(now, milliseconds(n), 0)).collect();
        let before = (queue.heap.capacity(), queue.timers.capacity());
        for id in ids.drain(1 + timers as usize / 4..).rev() {
            queue.cancel(id);
            assert_eq!((queue.heap.capacity(), queue.timers.capacity()), before);
        }
        queue.cancel(ids[timers as usize / 4]);
        let after = (queue.heap.capacity(), queue.timers.capacity());
        assert_eq!(after.0 < before.0 && after.1 < before.1, is_much, "{before:?}, {after:?}");
    }
}

#[test]
fn heap_has_at_most_twice_the_needed_length() {
    let (mut queue, now) = queue();
    let timers: Vec<TimerId> = (0..100).map(|n| queue.schedule(now, milliseconds(n), 0)).collect();
    for step in 0..10_000 {
        let timer = timers[step * 37 % 100];
        assert!(queue.reset(timer, now, milliseconds(step as u64 * 31 % 997)));
        assert!(queue.heap.len() <= 2 * 100 + SLACK);
    }
    for (count, timer) in (0..100).rev().zip(timers) {
        queue.cancel(timer);
        assert!(queue.heap.len() <= 2 * count + SLACK);
    }
}

#[test]
fn wait_is_for_the_first_remaining_timer() {
    let (mut queue, now) = queue();
    let [first, second, _third] =
        [1, 2, 5].map(|delay| queue.schedule(now, milliseconds(delay), 0));
    queue.cancel(first);
    assert_eq!(queue.until_next(now), Some(milliseconds(2)));
    queue.reset(second, now, milliseconds(9));
    assert_eq!(queue.until_next(now), Some(milliseconds(5)));
}

#[test]
fn old_id_of_a_reused_slot_names_nothing() {
    let (mut queue, now) = queue();
    let old = queue.schedule(now, milliseconds(1), 1);
    queue.cancel(old);
    let new = queue.schedule(now, milliseconds(1), 2);
    assert_eq!(old.slot, new.slot);
    assert_eq!(queue.cancel(old), None);
    assert!(!queue.reset(old, now, milliseconds(9)) && queue.is_active(new));
}

#[test]
fn longest_delay_neither_overflows_nor_fires() {
    let (mut queue, now) = queue();
    queue.schedule(now, Duration::MAX, 1);
    assert!(queue.until_next(now).unwrap() > milliseconds(1000 * 60 * 60 * 24 * 365 * 500));
    assert_eq!(drain(&mut queue, now + milliseconds(1000)), []);
}

#[test]
fn timer_put_off_often_leaves_one_entry() {
    let (mut queue, now) = queue();
    let timers: Vec<_> = (0..1000).map(|job| queue.schedule(now, milliseconds(50), job)).collect();
    for round in 1..100 {
        // The first entry is reset last: if the others were obsolete, they would be removed then.
        for timer in timers.iter().rev() {
            assert!(queue.reset(*timer, now + milliseconds(round), milliseconds(50)));
            assert_eq!(queue.heap.len(), 1000);
        }
    }
    assert_eq!(drain(&mut queue, now + milliseconds(148)), []);
    assert_eq!(queue.until_next(now + milliseconds(148)), Some(milliseconds(1)));
    assert_eq!(drain(&mut queue, now + milliseconds(149)), (0..1000).rev().collect::<Vec<_>>());
}

/// Each connection has an idle timeout, and each of its messages puts it off.
#[test]
fn ten_thousand_idle_timeouts_are_one_entry_each() {
    const CONNECTIONS: u32 = 10_000;
    const IDLE: Duration = Duration::from_secs(60);
    let (mut queue, start) = queue();
    let timers: Vec<_> = (0..CONNECTIONS).map(|job| queue.schedule(start, IDLE, job)).collect();
    let silent = |job: u32| job.is_multiple_of(1000);
    for second in (10..=200).step_by(10) {
        let now = start + Duration::from_secs(second);
        for (job, timer) in (0..).zip(&timers).filter(|(job, _)| !silent(*job)) {
            assert!(queue.reset(*timer, now, IDLE), "{job}");
        }
        let ended = drain(&mut queue, now);
        assert_eq!(ended.is_empty(), second != 60, "after {second} seconds");
        assert!(ended.into_iter().all(silent));
        assert_eq!(queue.heap.len(), queue.len());
    }
    assert_eq!(queue.len(), 9990);
}
