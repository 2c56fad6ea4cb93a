//! How much memory a queue keeps once a burst is over. Floor 0.

use std::collections::VecDeque;

/// How many bytes of room a queue keeps, however little is in it. Ordinary bursts fit, and cost no
/// allocation.
const KEPT: usize = 64 * 1024;

/// Gives back the room that a burst has left. Called when something was taken from the queue. The
/// room shrinks by half at least, and after it at most a quarter was in use, so each message costs
/// a constant.
#[inline]
pub(crate) fn give_back<T>(queue: &mut VecDeque<T>) {
    let kept = KEPT / size_of::<T>().max(1);
    if queue.capacity() > kept && queue.len() < queue.capacity() / 4 {
        shrink(queue, kept);
    }
}

#[cold]
fn shrink<T>(queue: &mut VecDeque<T>, kept: usize) {
    queue.shrink_to(kept.max(2 * queue.len()));
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
