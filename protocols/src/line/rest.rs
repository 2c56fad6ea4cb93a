//! What has come and not been delivered.

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
        if self.taken == self.bytes.len() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::Rest;

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
