//! A buffer of received data that is not delivered yet.

/// The capacity that is kept however little data is left.
const KEPT: usize = 1024;

/// Contiguous bytes that are added at the end and consumed from the beginning.
///
/// An empty buffer holds no memory. Most connections have no unfinished data most of the time.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// The number of consumed bytes at the front. Moving the others each time would make a handler that pauses
    /// after every line take quadratic time.
    consumed: usize,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        // The bytes are moved only if more bytes were consumed since: a constant cost per byte.
        if self.consumed > self.bytes.len() / 2 {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    pub(super) fn take(&mut self, count: usize) {
        self.consumed += count;
        let left = self.bytes.len() - self.consumed;
        if left == 0 {
            self.clear();
        } else if self.bytes.capacity() > KEPT && left < self.bytes.capacity() / 4 {
            // Three quarters were consumed since: a constant cost per byte.
            *self = Self { bytes: self.as_slice().to_vec(), consumed: 0 };
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, KEPT};

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::default();
        buffer.push(&[1; 10_000]);
        buffer.take(9_000);
        buffer.take(1_000);
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn an_unfinished_byte_keeps_little_memory() {
        let mut buffer = Buffer::default();
        buffer.push(&[1; 60_000]);
        buffer.take(59_999);
        assert_eq!(buffer.as_slice(), [1]);
        assert!(buffer.bytes.capacity() <= KEPT, "{}", buffer.bytes.capacity());
    }

    #[test]
    fn consuming_single_bytes_moves_data_rarely() {
        let mut buffer = Buffer::default();
        buffer.push(&[1; 60_000]);
        let mut moves = 0;
        for _ in 0..59_999 {
            let before = buffer.bytes.capacity();
            buffer.take(1);
            moves += usize::from(buffer.bytes.capacity() != before);
        }
        assert!((1..10).contains(&moves), "{moves}");
    }

    #[test]
    fn alternating_pushes_and_takes_use_bounded_memory() {
        let mut buffer = Buffer::default();
        buffer.push(b"a beginning, never consumed completely");
        for _ in 0..10_000 {
            buffer.push(b"some more");
            buffer.take(9);
        }
        assert_eq!(buffer.as_slice().len(), 38);
        assert!(buffer.bytes.capacity() < 1_000);
    }
}
