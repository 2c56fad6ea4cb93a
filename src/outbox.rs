//! What waits to be sent. Floor 0: bytes in, slices out, no I/O.

use std::collections::VecDeque;
use std::io::IoSlice;

/// The largest buffer in an outbox, in bytes. Up to here a growing outbox is copied into a larger
/// buffer, as a `Vec` does; beyond it a new buffer is begun, so that no byte is copied more than a
/// few times however much waits.
const BUFFER_SIZE: usize = 64 * 1024;

/// How many slices one vectored write may carry: four full buffers, which is a connection's budget,
/// and a tail.
pub(crate) const SLICES: usize = 5;

/// The bytes that one connection has been given to send and the system has not taken yet.
///
/// An empty outbox holds no memory: its buffers come from [`Spares`] and go back there.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The front buffer. It stands outside the deque because nearly always it is the only one.
    first: Vec<u8>,
    rest: VecDeque<Vec<u8>>,
    /// How many bytes of `first` the system has taken.
    sent: usize,
    /// How many bytes wait, all buffers together.
    waiting: usize,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    pub(crate) fn push(&mut self, mut data: &[u8], spares: &mut Spares) {
        self.waiting += data.len();
        while !data.is_empty() {
            let last = self.last_with_room(spares);
            let (fits, later) = data.split_at(data.len().min(BUFFER_SIZE - last.len()));
            last.extend_from_slice(fits);
            data = later;
        }
    }

    fn last_with_room(&mut self, spares: &mut Spares) -> &mut Vec<u8> {
        if self.rest.is_empty() && self.first.len() < BUFFER_SIZE {
            if self.first.capacity() == 0 {
                self.first = spares.take();
            }
            return &mut self.first;
        }
        if self.rest.back().is_none_or(|last| last.len() == BUFFER_SIZE) {
            self.rest.push_back(spares.take());
        }
        self.rest.back_mut().expect("a buffer was pushed if there was none")
    }

    /// The bytes at the front, when they are all that waits.
    pub(crate) fn only_slice(&self) -> Option<&[u8]> {
        self.rest.is_empty().then(|| &self.first[self.sent..])
    }

    /// Fills `slices` with the bytes at the front, in order, then `tail`; returns how many slices
    /// were filled. `tail` is left out when the slices before it do not reach the end.
    pub(crate) fn slices<'a>(
        &'a self,
        tail: &'a [u8],
        slices: &mut [IoSlice<'a>; SLICES],
    ) -> usize {
        let front = &self.first[self.sent..];
        let rest = self.rest.iter().map(Vec::as_slice);
        let waiting = std::iter::once(front).chain(rest).chain(std::iter::once(tail));
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(waiting.filter(|bytes| !bytes.is_empty())) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Forgets the first `count` bytes, which the system has taken.
    pub(crate) fn advance(&mut self, count: usize, spares: &mut Spares) {
        debug_assert!(count <= self.waiting);
        self.waiting -= count;
        self.sent += count;
        while self.sent > 0 && self.sent >= self.first.len() {
            self.sent -= self.first.len();
            let next = self.rest.pop_front().unwrap_or_default();
            spares.give(std::mem::replace(&mut self.first, next));
        }
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.advance(self.waiting, spares);
    }
}

/// Empty buffers that wait to be used again, so that a warm reactor sends without allocating.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: Vec<Vec<u8>>,
    /// The capacity of all of them together, in bytes.
    held: usize,
}

/// How much the spares may hold, in bytes. Enough for a broadcast of 4 KiB to each of a thousand
/// connections; what is beyond it goes back to the allocator, so that a burst leaves no mark.
const SPARES_LIMIT: usize = 4 * 1024 * 1024;

impl Spares {
    fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.held -= buffer.capacity();
        buffer
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.held + buffer.capacity() <= SPARES_LIMIT {
            buffer.clear();
            self.held += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(outbox: &Outbox, tail: &[u8]) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = outbox.slices(tail, &mut slices);
        slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_went_in() {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        for part in data.chunks(7_001) {
            outbox.push(part, &mut spares);
        }
        let mut out = Vec::new();
        for step in [1, 65_535, 65_536, 100_000].into_iter().cycle() {
            let step = step.min(outbox.len());
            out.extend_from_slice(&contents(&outbox, &[])[..step]);
            outbox.advance(step, &mut spares);
            if outbox.is_empty() {
                break;
            }
        }
        assert_eq!(out, data);
    }

    #[test]
    fn an_empty_outbox_holds_no_memory() {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        outbox.push(&vec![1; 200_000], &mut spares);
        outbox.advance(199_999, &mut spares);
        outbox.push(b"more", &mut spares);
        outbox.advance(5, &mut spares);
        assert_eq!((outbox.first.capacity(), outbox.rest.capacity()), (0, 0));
        assert!(spares.held >= 200_000);
    }

    #[test]
    fn the_tail_follows_what_waits() {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        outbox.push(b"first ", &mut spares);
        assert_eq!(contents(&outbox, b"second"), b"first second");
    }

    #[test]
    fn the_spares_are_bounded() {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        outbox.push(&vec![0; 4 * SPARES_LIMIT], &mut spares);
        outbox.clear(&mut spares);
        assert!(outbox.is_empty());
        assert!(spares.held <= SPARES_LIMIT);
    }
}
