//! Things to do later. Floor 0: a priority queue that knows no sockets and calls nobody.

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
/// A heap whose entries know their timer and whose timers know their place in the heap. So a
/// cancelled timer is gone at once: nothing is left to be skipped later, and a million cancelled
/// timers leave nothing behind. Each operation costs a logarithm of the number outstanding, and
/// next to nothing when deadlines grow, as timeouts do.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    /// The instant from which deadlines are counted.
    epoch: Instant,
    /// A heap with [`ARITY`] children to a node; the earliest deadline is in front.
    heap: Vec<Due>,
    /// By slot: where in the heap the timer stands. Apart from the timers, since a move in the heap
    /// touches nothing else of them, and so few bytes of a million timers stay in the cache.
    positions: Vec<u32>,
    timers: Slab<Timer<T>>,
    /// With so few timers left it is worth a try to give memory back.
    shrink_at: usize,
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

/// A queue that has had room for more timers than this gives the room back once it is not needed.
const KEPT: usize = 1024;

impl<T> TimerQueue<T> {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            heap: Vec::new(),
            positions: Vec::new(),
            timers: Slab::new(),
            shrink_at: 0,
            scheduled: 0,
            base: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// A deadline before `now` counts as `now`: what is scheduled in a turn sorts behind all that
    /// was due before.
    pub(crate) fn schedule(&mut self, now: Instant, delay: Duration, job: T) -> TimerId {
        let order = self.next_order();
        let slot = self.timers.insert(Timer { serial: order, order, job }) as u32;
        if self.positions.len() <= slot as usize {
            self.positions.push(0);
        }
        let due = Due { deadline: self.deadline(now, delay), order: self.in_heap(order), slot };
        self.heap.push(due);
        self.rise(self.heap.len() - 1, due);
        self.shrink_at = self.shrink_at.max(self.heap.len() / 4);
        TimerId { slot, serial: order }
    }

    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.is_active(id).then(|| self.remove(self.position(id.slot)).1)
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
        let due = Due { deadline, order: self.in_heap(order), slot: id.slot };
        self.settle(self.position(id.slot), due);
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
        let first = self.heap.first()?;
        let due = first.deadline <= self.deadline(now, Duration::ZERO)
            && self.timers[first.slot as usize].order < mark;
        due.then(|| self.remove(0))
    }

    /// Takes out the first timer, due or not.
    pub(crate) fn pop(&mut self) -> Option<T> {
        (!self.heap.is_empty()).then(|| self.remove(0).1)
    }

    fn next_order(&mut self) -> u64 {
        if self.scheduled - self.base > u64::from(u32::MAX) {
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
        self.heap.sort_unstable_by_key(|due| due.order);
        for (order, due) in self.heap.iter_mut().enumerate() {
            due.order = order as u32;
        }
        self.base = self.scheduled - self.heap.len() as u64;
        self.heap.sort_unstable_by_key(Due::key); // A sorted list is a heap.
        for (position, due) in self.heap.iter().enumerate() {
            self.positions[due.slot as usize] = position as u32;
        }
    }

    fn deadline(&self, now: Instant, delay: Duration) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        let nanoseconds = elapsed.saturating_add(delay).as_nanos();
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    fn position(&self, slot: u32) -> usize {
        self.positions[slot as usize] as usize
    }

    fn remove(&mut self, position: usize) -> (TimerId, T) {
        let Due { slot, .. } = self.heap[position];
        if let Some(last) = self.heap.pop()
            && position < self.heap.len()
        {
            self.settle(position, last);
        }
        let timer = self.timers.remove(slot as usize);
        self.give_memory_back();
        (TimerId { slot, serial: timer.serial }, timer.job)
    }

    /// Tried when three quarters are gone, and again when half of the rest are: so that it costs little
    /// even if a timer in a high slot stays, and with it the slots below.
    fn give_memory_back(&mut self) {
        if self.heap.len() <= self.shrink_at && self.timers.capacity() > KEPT {
            self.shrink_at = self.heap.len() / 2;
            self.heap.shrink_to_fit();
            self.timers.shrink_to_fit();
            self.positions.truncate(self.timers.capacity());
            self.positions.shrink_to_fit();
        }
    }

    /// Puts an entry where it belongs, up or down from `position`, whose own entry is gone.
    fn settle(&mut self, position: usize, due: Due) {
        if position > 0 && due.key() < self.heap[(position - 1) / ARITY].key() {
            self.rise(position, due);
        } else {
            self.sink(position, due);
        }
    }

    /// The gap at `position` moves up until `due` fits in.
    fn rise(&mut self, mut position: usize, due: Due) {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent].key() <= due.key() {
                break;
            }
            self.put(position, self.heap[parent]);
            position = parent;
        }
        self.put(position, due);
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
            self.put(position, self.heap[least]);
            position = least;
        }
        self.put(position, due);
    }

    fn put(&mut self, position: usize, due: Due) {
        self.heap[position] = due;
        self.positions[due.slot as usize] = position as u32;
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
            assert_eq!(drain(&mut queue, now + milliseconds(5)), [3, 6, 2, 4, 5, 1]);
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
        assert!(queue.heap.capacity() <= KEPT && queue.timers.capacity() <= KEPT);
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
        assert!(queue.heap.capacity() <= KEPT && queue.timers.capacity() <= KEPT);
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
