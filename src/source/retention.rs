//! How much memory queues and tables keep once a burst is over. Floor 0.

use std::collections::VecDeque;

/// How many bytes of room a queue keeps, however little is in it. Ordinary bursts fit, and cost no
/// allocation.
const KEPT: usize = 64 * 1024;

/// Gives back the room that a burst has left. Called when something was taken from the list. The
/// room shrinks by half at least, and after it at most a quarter was in use, so each element costs
/// a constant.
#[inline]
pub(crate) fn give_back<T>(list: &mut impl List<T>) {
    give_back_beyond(list, 0);
}

/// As [`give_back`], for a list that is emptied and filled again with up to `most` elements: room for so
/// many is kept. Called when `most` has decreased.
#[inline]
pub(crate) fn give_back_beyond<T>(list: &mut impl List<T>, most: usize) {
    let kept = KEPT / size_of::<T>().max(1);
    let most = most.max(list.len());
    if list.capacity() > kept && most < list.capacity() / 4 {
        list.shrink_to(kept.max(2 * most));
    }
}

/// What can give back the room that it does not need.
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

/// When a table whose entries keep their slots is to give back the slots behind the last entry: when
/// three quarters are gone, and again when half of the rest are. So it costs little even if an entry in
/// a high slot stays, and with it the slots below.
#[derive(Debug, Default)]
pub(crate) struct Shrinking {
    /// With so few entries left it is worth a try.
    at: usize,
}

/// A table that has had room for more entries than this gives the room back once it is not needed.
pub(crate) const KEPT_SLOTS: usize = 1024;

impl Shrinking {
    /// An entry was added.
    #[inline]
    pub(crate) fn note(&mut self, len: usize) {
        self.at = self.at.max(len / 4);
    }

    /// Whether it is to be tried, now that an entry was removed.
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
    fn a_queue_that_is_emptied_gives_the_room_of_a_burst_back() {
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
    fn a_queue_keeps_the_room_of_an_ordinary_burst() {
        let mut queue: VecDeque<u64> = (0..1_000).collect();
        let before = queue.capacity();
        queue.clear();
        give_back(&mut queue);
        assert_eq!(queue.capacity(), before);
    }
}
