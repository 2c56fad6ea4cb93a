//! The timer queue: a heap of deadlines.

use crate::source::retention::Shrinking;
use slab::Slab;
use std::fmt;
use std::time::{Duration, Instant};

/// The name of a timer, returned by [`Context::call_later`](crate::Context::call_later),
/// [`call_at`](crate::Context::call_at) and [`Transport::set_timer`](crate::Transport::set_timer).
///
/// It can be kept indefinitely: after the timer has fired or was cancelled, it names no timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId {
    slot: u32,
    /// The number by which it is printed.
    pub(crate) serial: u64,
}

impl TimerId {
    pub(crate) const FIRST: Self = Self { slot: 0, serial: 0 };
    /// The last in order, and the name of no timer.
    pub(crate) const NONE: Self = Self { slot: u32::MAX, serial: u64::MAX };
}

/// Formats it as in the logs.
impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timer {}", self.serial)
    }
}

/// Timers with a job `T`, ordered by deadline; equal deadlines are in the order in which they were scheduled.
///
/// The queue is a heap. A cancelled timer is removed at once, with its job, but its entry of 16 bytes stays in
/// the heap as obsolete, as does the old entry of a timer that is reset to an earlier deadline: removing it would
/// touch several places of the heap, each a cache miss when there are many timers. When more than half of the
/// entries are obsolete, all of these are removed. So the heap is at most twice as long as needed, and a million
/// cancelled timers leave no memory. That costs some 20 ns for each of a million entries, once in a million
/// cancellations.
///
/// A timer that is reset to a later deadline, such as an idle timeout, only records it: its entry stays at the
/// earlier deadline, and moves once it is the first. Any number of resets between two moves costs the work of one.
///
/// Scheduling a timer, and removing the first, takes time logarithmic in the number of timers, and almost none
/// if deadlines grow, as those of timeouts do.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    /// The instant from which deadlines are counted.
    epoch: Instant,
    /// A heap with [`ARITY`] children to a node. The first entry is the earliest deadline, and is neither
    /// obsolete nor that of a timer that was put off.
    heap: Vec<Due>,
    /// By slot: the order of the timer's present entry, or [`GONE`]. Separate from the timers, so that a scan
    /// of all entries of a million timers touches few bytes.
    orders: Vec<u32>,
    timers: Slab<Timer<T>>,
    shrinking: Shrinking,
    /// The number of schedulings so far. It orders equal deadlines and serves as serial.
    scheduled: u64,
    /// The order that counts as zero in the heap.
    base: u64,
}

/// An entry of the heap: 16 bytes, so that four children fill one cache line.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Nanoseconds since the epoch, for 584 years; longer delays are cut to that.
    deadline: u64,
    /// The timer's order, counted from [`TimerQueue::base`]: it orders equal deadlines.
    order: u32,
    slot: u32,
}

#[derive(Debug)]
struct Timer<T> {
    /// Distinguishes the timer from all earlier timers of this slot.
    serial: u64,
    /// Its number among all schedulings and resets.
    order: u64,
    /// In nanoseconds since the epoch; that of its entry may be earlier.
    deadline: u64,
    job: T,
}

/// The number of children of a node. With four the heap is half as deep as with two, and the four are adjacent
/// in memory.
const ARITY: usize = 4;

/// The order of a slot without an entry.
const GONE: u32 = u32::MAX;

/// The number of obsolete entries that is always allowed: removing fewer is not worth the work.
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

    /// Schedules a timer. The delay counts from `now`, so a timer scheduled in a turn is behind all that were
    /// due before.
    pub(crate) fn schedule(&mut self, now: Instant, delay: Duration, job: T) -> TimerId {
        let (order, deadline) = (self.next_order(), self.deadline(now, delay));
        let slot = self.timers.insert(Timer { serial: order, order, deadline, job }) as u32;
        if self.orders.len() <= slot as usize {
            self.orders.push(GONE);
        }
        self.enter(slot);
        self.shrinking.note(self.timers.len());
        TimerId { slot, serial: order }
    }

    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        if !self.is_active(id) {
            return None;
        }
        let (_, job) = self.remove(id.slot);
        // A timeout is among the last deadlines, and most are soon cancelled: then its entry costs nothing.
        while self.heap.last().is_some_and(|last| !self.counts(last)) {
            self.heap.pop();
        }
        Some(job)
    }

    /// Gives a timer a new deadline and a new order, as if it had been scheduled now. Returns true if it was
    /// active.
    pub(crate) fn reset(&mut self, id: TimerId, now: Instant, delay: Duration) -> bool {
        if !self.is_active(id) {
            return false;
        }
        let (order, deadline) = (self.next_order(), self.deadline(now, delay));
        let timer = &mut self.timers[id.slot as usize];
        let is_put_off = deadline >= timer.deadline;
        (timer.order, timer.deadline) = (order, deadline);
        if !is_put_off {
            self.enter(id.slot);
        }
        self.clear_away();
        true
    }

    pub(crate) fn is_active(&self, id: TimerId) -> bool {
        self.job(id).is_some()
    }

    /// Returns the job of a timer.
    pub(crate) fn job(&self, id: TimerId) -> Option<&T> {
        let timer = self.timers.get(id.slot as usize)?;
        (timer.serial == id.serial).then_some(&timer.job)
    }

    /// Returns the deadline of a timer.
    pub(crate) fn due(&self, id: TimerId) -> Option<Instant> {
        let timer = self.timers.get(id.slot as usize).filter(|timer| timer.serial == id.serial)?;
        Some(self.epoch + Duration::from_nanos(timer.deadline))
    }

    /// Returns the timers with jobs that are wanted, and their deadlines, in the order in which they fire.
    pub(crate) fn list(&self, is_wanted: impl Fn(&T) -> bool) -> Vec<(TimerId, Instant)> {
        let mut found: Vec<_> =
            self.timers.iter().filter(|(_, timer)| is_wanted(&timer.job)).collect();
        found.sort_by_key(|(_, timer)| (timer.deadline, timer.order));
        let id = |slot, timer: &Timer<T>| TimerId { slot: slot as u32, serial: timer.serial };
        let due = |timer: &Timer<T>| self.epoch + Duration::from_nanos(timer.deadline);
        found.into_iter().map(|(slot, timer)| (id(slot, timer), due(timer))).collect()
    }

    /// Returns the time until the first timer is due, or `None` if there is no timer.
    pub(crate) fn until_next(&self, now: Instant) -> Option<Duration> {
        let next = Duration::from_nanos(self.heap.first()?.deadline);
        Some(next.saturating_sub(now.saturating_duration_since(self.epoch)))
    }

    /// Returns a mark for [`pop_due`](Self::pop_due), which removes no timer that is scheduled after it.
    pub(crate) fn mark(&self) -> u64 {
        self.scheduled
    }

    /// Removes the first timer if it is due and was scheduled before the mark.
    ///
    /// Timers are removed one at a time, so that a job can cancel another timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant, mark: u64) -> Option<(TimerId, T)> {
        let first = *self.heap.first()?;
        let due = first.deadline <= self.deadline(now, Duration::ZERO)
            && self.timers[first.slot as usize].order < mark;
        due.then(|| self.remove(first.slot))
    }

    /// Removes the first timer, due or not.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let Due { slot, .. } = *self.heap.first()?;
        Some(self.remove(slot).1)
    }

    fn next_order(&mut self) -> u64 {
        if self.scheduled - self.base >= u64::from(GONE) {
            self.renumber();
        }
        self.scheduled += 1;
        self.scheduled - 1
    }

    fn in_heap(&self, order: u64) -> u32 {
        (order - self.base) as u32 // It fits: see `next_order`.
    }

    /// Numbers the timers from zero, in their order. This happens once in 2³² schedulings, so its cost does not
    /// matter; nor does it that a timer which is due may fire one turn later.
    #[cold]
    fn renumber(&mut self) {
        self.compact();
        self.heap.sort_unstable_by_key(|due| self.timers[due.slot as usize].order);
        self.base = self.scheduled - self.heap.len() as u64;
        for (order, due) in self.heap.iter_mut().enumerate() {
            let timer = &mut self.timers[due.slot as usize];
            timer.order = self.base + order as u64;
            *due = Due { deadline: timer.deadline, order: order as u32, slot: due.slot };
            self.orders[due.slot as usize] = due.order;
        }
        self.heap.sort_unstable_by_key(Due::key); // A sorted list is a heap.
    }

    fn deadline(&self, now: Instant, delay: Duration) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        let nanoseconds = elapsed.saturating_add(delay).as_nanos();
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    /// Returns true if an entry is the present one of its timer.
    fn counts(&self, due: &Due) -> bool {
        self.orders[due.slot as usize] == due.order
    }

    /// Adds the entry of a timer to the heap; its earlier entry becomes obsolete.
    fn enter(&mut self, slot: u32) {
        let due = self.entry(slot);
        self.heap.push(due);
        self.rise(self.heap.len() - 1, due);
    }

    /// Returns the entry of a timer with its present deadline. An earlier entry becomes obsolete.
    fn entry(&mut self, slot: u32) -> Due {
        let timer = &self.timers[slot as usize];
        let due = Due { deadline: timer.deadline, order: self.in_heap(timer.order), slot };
        self.orders[slot as usize] = due.order;
        due
    }

    fn remove(&mut self, slot: u32) -> (TimerId, T) {
        let timer = self.timers.remove(slot as usize);
        self.orders[slot as usize] = GONE;
        self.clear_away();
        self.give_memory_back();
        (TimerId { slot, serial: timer.serial }, timer.job)
    }

    /// Removes obsolete entries from the front, or everywhere if they are the majority. If the first timer was put
    /// off, moves its entry.
    fn clear_away(&mut self) {
        if self.heap.len() > 2 * self.timers.len() + SLACK {
            self.compact();
        }
        while let Some(&first) = self.heap.first() {
            if self.counts(&first) {
                if self.in_heap(self.timers[first.slot as usize].order) == first.order {
                    break;
                }
                let due = self.entry(first.slot);
                self.sink(0, due);
            } else {
                let last = self.heap.pop();
                if let Some(last) = last.filter(|_| !self.heap.is_empty()) {
                    self.sink(0, last);
                }
            }
        }
    }

    /// Removes all obsolete entries, and restores the order of the heap.
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

    /// Moves the gap at `position` up until `due` fits in.
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

    /// Moves the gap at `position` down until `due` fits in.
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
mod tests;
