//! What has come and not been delivered.

/// How many bytes of memory are kept however little is left of what came.
const KEPT: usize = 1024;

/// Bytes that are added at the end and taken from the beginning, all in one piece.
///
/// An empty one holds no memory: most connections have nothing unfinished most of the time.
#[derive(Debug, Default)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    /// How many bytes at the front have been taken. To shift the others at each taking would make
    /// a handler that pauses after every line cost quadratic time.
    taken: usize,
}

impl Rest {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        // Shifted only when that costs less than what was taken since: a constant for each byte.
        if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        let left = self.bytes.len() - self.taken;
        if left == 0 {
            self.clear();
        } else if self.bytes.capacity() > KEPT && left < self.bytes.capacity() / 4 {
            // Three quarters were taken since, so each byte costs a constant.
            *self = Self { bytes: self.as_slice().to_vec(), taken: 0 };
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Rest};

    #[test]
    fn an_empty_one_holds_no_memory() {
        let mut rest = Rest::default();
        rest.push(&[1; 10_000]);
        rest.take(9_000);
        rest.take(1_000);
        assert!(rest.is_empty());
        assert_eq!(rest.bytes.capacity(), 0);
    }

    #[test]
    fn an_unfinished_byte_keeps_no_memory_of_what_was_delivered() {
        let mut rest = Rest::default();
        rest.push(&[1; 60_000]);
        rest.take(59_999);
        assert_eq!(rest.as_slice(), [1]);
        assert!(rest.bytes.capacity() <= KEPT, "{}", rest.bytes.capacity());
    }

    #[test]
    fn what_is_taken_a_byte_at_a_time_is_moved_a_constant_number_of_times() {
        let mut rest = Rest::default();
        rest.push(&[1; 60_000]);
        let mut moves = 0;
        for _ in 0..59_999 {
            let before = rest.bytes.capacity();
            rest.take(1);
            moves += usize::from(rest.bytes.capacity() != before);
        }
        assert!((1..10).contains(&moves), "{moves}");
    }

    #[test]
    fn what_is_pushed_and_taken_in_turns_takes_up_no_more_than_what_is_there() {
        let mut rest = Rest::default();
        rest.push(b"a beginning, which is never taken whole");
        for _ in 0..10_000 {
            rest.push(b"some more");
            rest.take(9);
        }
        assert_eq!(rest.as_slice().len(), 39);
        assert!(rest.bytes.capacity() < 1_000);
    }
}
