//! Retention: the memory that queues and tables keep after a burst.

use std::collections::VecDeque;

/// The capacity that a queue keeps, in bytes. It holds an ordinary burst, which then needs no allocation.
const KEPT: usize = 64 * 1024;

/// Releases unused capacity. Called after an element was removed. The capacity at least halves, and at most a
/// quarter of it was in use, so the cost for each element is constant.
#[inline]
pub(crate) fn give_back<T>(list: &mut impl List<T>) {
    give_back_beyond(list, 0);
}

/// Releases unused capacity of a list that is emptied and filled again with up to `most` elements, for which
/// capacity is kept. Called when `most` has decreased.
#[inline]
pub(crate) fn give_back_beyond<T>(list: &mut impl List<T>, most: usize) {
    let kept = KEPT / size_of::<T>().max(1);
    let most = most.max(list.len());
    if list.capacity() > kept && most < list.capacity() / 4 {
        list.shrink_to(kept.max(2 * most));
    }
}

/// A collection that can release unused capacity.
pub(crate) trait List<T> {
    fn len(&self) -> usize;
    fn capacity(&self) -> usize;
    fn shrink_to(&mut self, capacity: usize);
}

macro_rules! list {
    ($list:ident) => {
        impl<T> List<T> for $list<T> {
            #[inline]
            fn len(&self) -> usize {
                self.len()
            }

            #[inline]
            fn capacity(&self) -> usize {
                self.capacity()
            }

            #[cold]
            fn shrink_to(&mut self, capacity: usize) {
                self.shrink_to(capacity);
            }
        }
    };
}

list!(Vec);
list!(VecDeque);

/// Decides when a table with fixed slots releases the slots behind the last entry: when three quarters of the
/// entries were removed, and again when half of the rest were. So the cost stays low even if an entry in a high
/// slot keeps the slots below it.
#[derive(Debug, Default)]
pub(crate) struct Shrinking {
    /// The number of entries at which the next attempt is made.
    at: usize,
}

/// A table that had more slots than this releases them when they are not needed.
pub(crate) const KEPT_SLOTS: usize = 1024;

impl Shrinking {
    /// Notes that an entry was added.
    #[inline]
    pub(crate) fn note(&mut self, len: usize) {
        self.at = self.at.max(len / 4);
    }

    /// Returns true if an attempt is due after the removal of an entry.
    #[inline]
    pub(crate) fn is_due(&mut self, len: usize, capacity: usize) -> bool {
        let is_due = len <= self.at && capacity > KEPT_SLOTS;
        if is_due {
            self.at = len / 2;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, give_back};
    use std::collections::VecDeque;

    #[test]
    fn an_emptied_queue_releases_its_capacity() {
        let mut queue: VecDeque<u64> = (0..1_000_000).collect();
        let mut shrunk = 0;
        while queue.pop_front().is_some() {
            let before = queue.capacity();
            give_back(&mut queue);
            shrunk += usize::from(queue.capacity() < before);
            assert!(queue.capacity() <= (KEPT / 8).max(4 * (queue.len() + 1)).max(before / 2));
        }
        assert!(queue.capacity() <= KEPT / 8 + 8, "{}", queue.capacity());
        assert!(shrunk < 10, "{shrunk} times");
    }

    #[test]
    fn a_queue_keeps_capacity_for_an_ordinary_burst() {
        let mut queue: VecDeque<u64> = (0..1_000).collect();
        let before = queue.capacity();
        queue.clear();
        give_back(&mut queue);
        assert_eq!(queue.capacity(), before);
    }
}
