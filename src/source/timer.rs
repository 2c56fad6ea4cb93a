//! Things to do later. Floor 0: a priority queue that knows no sockets and calls nobody.

use crate::source::retention::Shrinking;
use slab::Slab;
use std::fmt;
use std::time::{Duration, Instant};

/// The name of a timer: of [`Context::call_later`](crate::Context::call_later) and its kin.
///
/// It stays valid for ever: once the timer has fired or was cancelled, it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId {
    slot: u32,
    serial: u64,
}

/// As the logs write it.
impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timer {}", self.serial)
    }
}

/// Timers with something to do, `T`, ordered by deadline; those due at one instant stand in the
/// order in which they were scheduled.
///
/// A heap whose entries know their timer. A timer that is cancelled is gone at once, with its job, but
/// its entry of 16 bytes stays in the heap and no longer counts, as does the old entry of one that is reset: to
/// take it out would touch several places of the heap, each a cache miss when there are many timers. When
/// more entries have ceased to count than count, all of those are removed at once: so the heap is
/// never more than twice as long as it must be, and a million cancelled timers leave nothing behind. That costs
/// some 20 ns for each of a million entries, once in as many cancellations.
///
/// To schedule, and to take out the first, costs a logarithm of the number outstanding, and next to nothing when
/// deadlines grow, as timeouts do.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    /// The instant from which deadlines are counted.
    epoch: Instant,
    /// A heap with [`ARITY`] children to a node; the earliest deadline is in front, and counts.
    heap: Vec<Due>,
    /// By slot: the order of the entry that counts, or [`GONE`]. Apart from the timers, so that few bytes of a
    /// million timers stay in the cache when all entries are looked at.
    orders: Vec<u32>,
    timers: Slab<Timer<T>>,
    shrinking: Shrinking,
    /// How many times a timer was scheduled so far. It orders equal deadlines and serves as serial.
    scheduled: u64,
    /// The order from which those in the heap are counted.
    base: u64,
}

/// One place in the heap, of 16 bytes, so that four children fill one line of the cache.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Nanoseconds since the epoch: 584 years of them, and longer delays are cut to that.
    deadline: u64,
    /// The timer's, counted from [`TimerQueue::base`]: it puts equal deadlines in order.
    order: u32,
    slot: u32,
}

#[derive(Debug)]
struct Timer<T> {
    /// Which one it is, of all that ever had this slot.
    serial: u64,
    /// When it was scheduled, or reset: the how-manieth it was.
    order: u64,
    job: T,
}

/// Four children to a node make the heap half as deep as two, and the four stand side by side in
/// memory.
const ARITY: usize = 4;

/// The order of no entry.
const GONE: u32 = u32::MAX;

/// So many entries may not count though few timers are left.
const SLACK: usize = 64;

impl<T> TimerQueue<T> {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            heap: Vec::new(),
            orders: Vec::new(),
            timers: Slab::new(),
            shrinking: Shrinking::default(),
            scheduled: 0,
            base: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    /// A deadline before `now` counts as `now`: what is scheduled in a turn sorts behind all that
    /// was due before.
    pub(crate) fn schedule(&mut self, now: Instant, delay: Duration, job: T) -> TimerId {
        let order = self.next_order();
        let slot = self.timers.insert(Timer { serial: order, order, job }) as u32;
        if self.orders.len() <= slot as usize {
            self.orders.push(GONE);
        }
        self.enter(Due { deadline: self.deadline(now, delay), order: self.in_heap(order), slot });
        self.shrinking.note(self.timers.len());
        TimerId { slot, serial: order }
    }

    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        if !self.is_active(id) {
            return None;
        }
        let (_, job) = self.remove(id.slot);
        // A timeout is among the last to be due, and most are cancelled soon: then its entry costs nothing.
        while self.heap.last().is_some_and(|last| !self.counts(last)) {
            self.heap.pop();
        }
        Some(job)
    }

    /// As though the timer had been scheduled only now.
    pub(crate) fn reset(&mut self, id: TimerId, now: Instant, delay: Duration) -> bool {
        let order = self.next_order();
        let deadline = self.deadline(now, delay);
        let Some(timer) = self.timers.get_mut(id.slot as usize) else {
            return false;
        };
        if timer.serial != id.serial {
            return false;
        }
        timer.order = order;
        self.enter(Due { deadline, order: self.in_heap(order), slot: id.slot });
        self.clear_away();
        true
    }

    pub(crate) fn is_active(&self, id: TimerId) -> bool {
        self.timers.get(id.slot as usize).is_some_and(|timer| timer.serial == id.serial)
    }

    /// How long until the first one is due: `None` if there is none.
    pub(crate) fn until_next(&self, now: Instant) -> Option<Duration> {
        let next = Duration::from_nanos(self.heap.first()?.deadline);
        Some(next.saturating_sub(now.saturating_duration_since(self.epoch)))
    }

    /// Marks this moment: [`pop_due`](Self::pop_due) with this mark gives out none that is
    /// scheduled later.
    pub(crate) fn mark(&self) -> u64 {
        self.scheduled
    }

    /// Takes out the first timer if it is due and was scheduled before the mark.
    ///
    /// One at a time, so that what the first one's job cancels is gone before it is asked for.
    pub(crate) fn pop_due(&mut self, now: Instant, mark: u64) -> Option<(TimerId, T)> {
        let first = *self.heap.first()?;
        let due = first.deadline <= self.deadline(now, Duration::ZERO)
            && self.timers[first.slot as usize].order < mark;
        due.then(|| self.remove(first.slot))
    }

    /// Takes out the first timer, due or not.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let Due { slot, .. } = *self.heap.first()?;
        Some(self.remove(slot).1)
    }

    fn next_order(&mut self) -> u64 {
        if self.scheduled - self.base >= u64::from(GONE) {
            self.count_anew();
        }
        self.scheduled += 1;
        self.scheduled - 1
    }

    fn in_heap(&self, order: u64) -> u32 {
        (order - self.base) as u32 // It fits: see `next_order`.
    }

    /// Numbers the timers in the heap from zero, in the order that they have. The heap stays one. With
    /// four thousand million schedulings between two of these it costs nothing that shows.
    #[cold]
    fn count_anew(&mut self) {
        self.compact();
        self.heap.sort_unstable_by_key(|due| due.order);
        for (order, due) in self.heap.iter_mut().enumerate() {
            due.order = order as u32;
            self.orders[due.slot as usize] = due.order;
        }
        self.base = self.scheduled - self.heap.len() as u64;
        self.heap.sort_unstable_by_key(Due::key); // A sorted list is a heap.
    }

    fn deadline(&self, now: Instant, delay: Duration) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        let nanoseconds = elapsed.saturating_add(delay).as_nanos();
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    /// Whether an entry is its timer's last.
    fn counts(&self, due: &Due) -> bool {
        self.orders[due.slot as usize] == due.order
    }

    /// Puts the entry of a timer into the heap; one that it had before no longer counts.
    fn enter(&mut self, due: Due) {
        self.orders[due.slot as usize] = due.order;
        self.heap.push(due);
        self.rise(self.heap.len() - 1, due);
    }

    fn remove(&mut self, slot: u32) -> (TimerId, T) {
        let timer = self.timers.remove(slot as usize);
        self.orders[slot as usize] = GONE;
        self.clear_away();
        self.give_memory_back();
        (TimerId { slot, serial: timer.serial }, timer.job)
    }

    /// Removes entries that do not count from the front, and all of them if they are more than those that do.
    fn clear_away(&mut self) {
        if self.heap.len() > 2 * self.timers.len() + SLACK {
            self.compact();
        }
        while self.heap.first().is_some_and(|first| !self.counts(first)) {
            let last = self.heap.pop();
            if let Some(last) = last.filter(|_| !self.heap.is_empty()) {
                self.sink(0, last);
            }
        }
    }

    /// Removes all entries that do not count, and puts the others in order.
    #[cold]
    fn compact(&mut self) {
        let Self { heap, orders, .. } = self;
        heap.retain(|due| orders[due.slot as usize] == due.order);
        let parents = (self.heap.len() + ARITY - 2) / ARITY;
        for position in (0..parents).rev() {
            self.sink(position, self.heap[position]);
        }
    }

    fn give_memory_back(&mut self) {
        if self.shrinking.is_due(self.timers.len(), self.timers.capacity()) {
            self.compact();
            self.heap.shrink_to_fit();
            self.timers.shrink_to_fit();
            self.orders.truncate(self.timers.capacity());
            self.orders.shrink_to_fit();
        }
    }

    /// The gap at `position` moves up until `due` fits in.
    fn rise(&mut self, mut position: usize, due: Due) {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent].key() <= due.key() {
                break;
            }
            self.heap[position] = self.heap[parent];
            position = parent;
        }
        self.heap[position] = due;
    }

    /// The gap at `position` moves down until `due` fits in.
    fn sink(&mut self, mut position: usize, due: Due) {
        loop {
            let children = ARITY * position + 1..self.heap.len().min(ARITY * (position + 1) + 1);
            let Some(least) = children.min_by_key(|&child| self.heap[child].key()) else {
                break;
            };
            if due.key() <= self.heap[least].key() {
                break;
            }
            self.heap[position] = self.heap[least];
            position = least;
        }
        self.heap[position] = due;
    }
}

impl Due {
    fn key(&self) -> (u64, u32) {
        (self.deadline, self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::retention::KEPT_SLOTS;

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
    fn fires_by_deadline_then_in_the_order_of_scheduling() {
        let (mut queue, now) = queue();
        for (job, delay) in [(1, 5), (2, 3), (3, 5), (4, 0), (5, 3)] {
            queue.schedule(now, milliseconds(delay), job);
        }
        assert_eq!(drain(&mut queue, now + milliseconds(4)), [4, 2, 5]);
        assert_eq!(queue.until_next(now + milliseconds(4)), Some(milliseconds(1)));
        assert_eq!(drain(&mut queue, now + milliseconds(5)), [1, 3]);
    }

    /// A queue that has scheduled so many timers before.
    fn queue_after(scheduled: u64) -> (TimerQueue<u32>, Instant) {
        let (mut queue, now) = queue();
        queue.scheduled = scheduled;
        queue.base = scheduled.saturating_sub(u64::from(u32::MAX) - 1);
        (queue, now)
    }

    #[test]
    fn equal_deadlines_keep_their_order_after_any_number_of_timers() {
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
    fn agrees_with_a_sorted_list_whatever_is_cancelled_and_reset() {
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
    fn a_million_cancelled_timers_leave_no_memory_behind() {
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
    fn one_that_stays_does_not_keep_the_memory_of_the_others() {
        let (mut queue, now) = queue();
        let heartbeat = queue.schedule(now, milliseconds(5), 1);
        let ids: Vec<TimerId> =
            (0..100_000).map(|_| queue.schedule(now, milliseconds(9), 0)).collect();
        for id in ids {
            queue.cancel(id);
        }
        assert!(queue.is_active(heartbeat));
        assert!(queue.heap.capacity() <= KEPT_SLOTS && queue.timers.capacity() <= KEPT_SLOTS);
    }

    /// To try it more often would cost the order of all timers each time.
    #[test]
    fn memory_is_given_back_when_three_quarters_of_the_timers_are_gone_and_not_before() {
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
    fn the_heap_is_at_most_twice_as_long_as_it_must_be() {
        let (mut queue, now) = queue();
        let timers: Vec<TimerId> =
            (0..100).map(|n| queue.schedule(now, milliseconds(n), 0)).collect();
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
    fn the_wait_is_for_the_first_timer_that_is_left() {
        let (mut queue, now) = queue();
        let [first, second, _third] =
            [1, 2, 5].map(|delay| queue.schedule(now, milliseconds(delay), 0));
        queue.cancel(first);
        assert_eq!(queue.until_next(now), Some(milliseconds(2)));
        queue.reset(second, now, milliseconds(9));
        assert_eq!(queue.until_next(now), Some(milliseconds(5)));
    }

    #[test]
    fn a_slot_that_is_used_again_is_not_the_old_timer() {
        let (mut queue, now) = queue();
        let old = queue.schedule(now, milliseconds(1), 1);
        queue.cancel(old);
        let new = queue.schedule(now, milliseconds(1), 2);
        assert_eq!(old.slot, new.slot);
        assert_eq!(queue.cancel(old), None);
        assert!(!queue.reset(old, now, milliseconds(9)) && queue.is_active(new));
    }

    #[test]
    fn the_longest_delay_is_no_overflow_and_never_due() {
        let (mut queue, now) = queue();
        queue.schedule(now, Duration::MAX, 1);
        assert!(queue.until_next(now).unwrap() > milliseconds(1000 * 60 * 60 * 24 * 365 * 500));
        assert_eq!(drain(&mut queue, now + milliseconds(1000)), []);
    }
}
