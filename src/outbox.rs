//! What waits to be sent. Floor 0: bytes in, slices out, no I/O.

#[cfg(unix)]
use crate::descriptors::{OwnedFd, Passing};
use std::collections::VecDeque;
use std::io::IoSlice;

/// The largest buffer in an outbox, in bytes. Up to here a growing outbox is copied into a larger
/// buffer, as a `Vec` does; beyond it a new buffer is begun, so that no byte is copied more than a
/// few times however much waits.
const BUFFER_SIZE: usize = 64 * 1024;

/// How many slices one vectored write may carry: four full buffers, which is a connection's budget,
/// and a tail.
pub(crate) const SLICES: usize = 5;

/// The bytes that one connection has been given to send and the system has not taken yet, and the
/// descriptors that go with them.
///
/// An empty outbox holds no memory: its buffers come from [`Spares`] and go back there.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// `None` when nothing waits.
    buffers: Option<Box<Buffers>>,
}

/// The buffers of an outbox in which something waits.
#[derive(Debug, Default)]
struct Buffers {
    /// The front buffer. It stands by itself because nearly always it is all there is.
    first: Vec<u8>,
    /// What else there is.
    rest: Option<Box<Rest>>,
    /// How many bytes of `first` the system has taken.
    sent: usize,
    /// How many bytes wait, all buffers together.
    waiting: usize,
}

/// What hardly any outbox has: it stays until all is sent.
#[derive(Debug, Default)]
struct Rest {
    /// The other buffers.
    buffers: VecDeque<Vec<u8>>,
    #[cfg(unix)]
    passing: Passing,
}

impl Outbox {
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.buffers.as_ref().map_or(0, |buffers| buffers.waiting)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_none()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, data: &[u8], spares: &mut Spares) {
        if !data.is_empty() {
            self.buffers.get_or_insert_with(|| spares.take()).push(data);
        }
    }

    /// Takes descriptors to be sent with the first byte of `data`, of which there is one at least.
    #[cfg(unix)]
    pub(crate) fn push_with(
        &mut self,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
        spares: &mut Spares,
    ) {
        debug_assert!(!data.is_empty());
        let buffers = self.buffers.get_or_insert_with(|| spares.take());
        let before = buffers.waiting;
        buffers.rest.get_or_insert_default().passing.push(before, data.len(), descriptors);
        buffers.push(data);
    }

    /// The descriptors that wait to be sent, if there are any.
    #[cfg(unix)]
    pub(crate) fn passing(&mut self) -> Option<&mut Passing> {
        let passing = &mut self.buffers.as_mut()?.rest.as_mut()?.passing;
        (passing.waiting() > 0).then_some(passing)
    }

    /// How many descriptors wait to be sent.
    pub(crate) fn descriptors_waiting(&self) -> usize {
        #[cfg(unix)]
        if let Some(rest) = self.buffers.as_ref().and_then(|buffers| buffers.rest.as_ref()) {
            return rest.passing.waiting();
        }
        0
    }

    /// Those that go with the first byte that waits.
    #[cfg(unix)]
    pub(crate) fn descriptors_at_front(&self) -> &[OwnedFd] {
        match self.buffers.as_ref().and_then(|buffers| buffers.rest.as_ref()) {
            Some(rest) => rest.passing.at_front(),
            None => &[],
        }
    }

    /// The bytes at the front, when they are all that waits.
    #[inline(always)]
    pub(crate) fn only_slice(&self) -> Option<&[u8]> {
        match &self.buffers {
            Some(buffers) if buffers.rest.is_none() => Some(buffers.front()),
            Some(_) => None,
            None => Some(&[]),
        }
    }

    /// Fills `slices` with the bytes at the front, in order, then `tail`; returns how many slices
    /// were filled. `tail` is left out when the slices before it do not reach the end. They end where
    /// a message with descriptors begins, or ends.
    pub(crate) fn slices<'a>(
        &'a self,
        tail: &'a [u8],
        slices: &mut [IoSlice<'a>; SLICES],
    ) -> usize {
        let waiting = self.buffers.iter().flat_map(|buffers| {
            let others = buffers.rest.iter().flat_map(|rest| &rest.buffers);
            std::iter::once(buffers.front()).chain(others.map(Vec::as_slice))
        });
        let all = waiting.chain(std::iter::once(tail)).filter(|bytes| !bytes.is_empty());
        let mut reach = self.reach();
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(all) {
            let bytes = &bytes[..bytes.len().min(reach)];
            reach -= bytes.len();
            if bytes.is_empty() {
                break;
            }
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// How many bytes one write may send.
    fn reach(&self) -> usize {
        #[cfg(unix)]
        if let Some(rest) = self.buffers.as_ref().and_then(|buffers| buffers.rest.as_ref()) {
            return rest.passing.reach();
        }
        usize::MAX
    }

    /// Forgets the first `count` bytes, which the system has taken.
    #[inline(always)]
    pub(crate) fn advance(&mut self, count: usize, spares: &mut Spares) {
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        debug_assert!(count <= buffers.waiting);
        if count < buffers.waiting {
            buffers.advance(count);
        } else {
            self.clear(spares);
        }
    }

    /// Forgets everything.
    #[inline(always)]
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        if let Some(buffers) = self.buffers.take() {
            spares.give(buffers);
        }
    }
}

impl Buffers {
    #[inline(always)]
    fn push(&mut self, data: &[u8]) {
        self.waiting += data.len();
        if self.rest.is_none() && self.first.len() + data.len() <= BUFFER_SIZE {
            self.first.extend_from_slice(data);
        } else {
            self.spread(data);
        }
    }

    /// Fills the last buffer, then begins others.
    #[cold]
    fn spread(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let last = self.last_with_room();
            let (fits, later) = data.split_at(data.len().min(BUFFER_SIZE - last.len()));
            last.extend_from_slice(fits);
            data = later;
        }
    }

    fn last_with_room(&mut self) -> &mut Vec<u8> {
        let others = &mut self.rest.get_or_insert_default().buffers;
        if others.is_empty() && self.first.len() < BUFFER_SIZE {
            return &mut self.first;
        }
        if others.back().is_none_or(|last| last.len() == BUFFER_SIZE) {
            others.push_back(Vec::new());
        }
        others.back_mut().expect("a buffer was pushed if there was none")
    }

    #[inline(always)]
    fn front(&self) -> &[u8] {
        &self.first[self.sent..]
    }

    /// How much memory it takes, once it is empty.
    #[inline(always)]
    fn size(&self) -> usize {
        size_of::<Self>() + self.first.capacity()
    }

    /// Only the front buffer is kept: the others were a burst's.
    #[inline(always)]
    fn clear(&mut self) {
        self.first.clear();
        self.rest = None;
        (self.sent, self.waiting) = (0, 0);
    }

    /// Fewer than wait.
    #[cold]
    fn advance(&mut self, count: usize) {
        self.waiting -= count;
        self.sent += count;
        let Some(rest) = &mut self.rest else {
            return; // More waits than was taken, and it is here.
        };
        #[cfg(unix)]
        rest.passing.advance(count);
        while self.sent >= self.first.len() {
            self.sent -= self.first.len();
            self.first = rest.buffers.pop_front().unwrap_or_default();
        }
    }
}

/// Empty buffers that wait to be used again, so that a warm reactor sends without allocating.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    // Boxed, since they are handed over as they are.
    #[expect(clippy::vec_box)]
    buffers: Vec<Box<Buffers>>,
    /// The memory of all of them together, in bytes.
    held: usize,
}

/// How much the spares may hold, in bytes. Enough for a broadcast of 4 KiB to each of a thousand
/// connections; what is beyond it goes back to the allocator, so that a burst leaves no mark.
const SPARES_LIMIT: usize = 4 * 1024 * 1024;

impl Spares {
    #[inline(always)]
    fn take(&mut self) -> Box<Buffers> {
        match self.buffers.pop() {
            Some(buffers) => {
                self.held -= buffers.size();
                buffers
            }
            None => Box::default(),
        }
    }

    #[inline(always)]
    fn give(&mut self, mut buffers: Box<Buffers>) {
        let held = self.held + buffers.size();
        if held <= SPARES_LIMIT {
            self.held = held;
            buffers.clear();
            self.buffers.push(buffers);
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
        assert!(outbox.is_empty() && outbox.buffers.is_none());
        assert!(spares.buffers.iter().all(|buffers| buffers.rest.is_none()));
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
