//! Send buffers: data queued for a connection, without I/O.

use crate::source::blocks::{BLOCK, Block, Blocks};
#[cfg(unix)]
use crate::source::fd_passing::{OwnedFd, Passing};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

mod spares;

pub(crate) use spares::Spares;

/// The most bytes in a send buffer's own vector. Above it all queued bytes lie in blocks, so that each byte is
/// copied only a few times and the memory of many slow readers, or of a long line to many clients, returns to
/// the system. The memory for a few lines to a few hundred connections is kept.
const FIRST: usize = 2 * 1024;

/// The most slices of one vectored write: a block that was sent in part, full blocks for a connection's budget
/// of 256 KiB, and a tail.
pub(crate) const SLICES: usize = 256 * 1024 / BLOCK + 2;

/// The bytes of one connection that the system has not taken yet, and the descriptors that go with them.
///
/// An empty send buffer holds no memory: its buffers come from [`Spares`] and return there. It must be
/// [cleared](Self::clear) before it is dropped.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    /// `None` when empty.
    buffers: Option<Box<Buffers>>,
}

/// The buffers of a send buffer that is not empty.
#[derive(Debug, Default)]
struct Buffers {
    /// All queued bytes, unless there are blocks.
    first: Vec<u8>,
    /// All queued bytes, if they are more than [`FIRST`].
    blocks: VecDeque<Block>,
    /// Descriptors queued since the send buffer was last empty.
    #[cfg(unix)]
    passing: Option<Box<Passing>>,
    /// The number of bytes of `first`, or of the first block, that the system has taken.
    sent: usize,
    /// The number of queued bytes.
    length: usize,
}

impl SendBuffer {
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.buffers.as_ref().map_or(0, |buffers| buffers.length)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_none()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, data: &[u8], spares: &mut Spares) {
        if !data.is_empty() {
            self.buffers.get_or_insert_with(|| spares.take()).push(data, &mut spares.blocks);
        }
    }

    /// Queues descriptors to send with the first byte of `data`, which must not be empty.
    #[cfg(unix)]
    pub(crate) fn push_with(
        &mut self,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
        spares: &mut Spares,
    ) {
        debug_assert!(!data.is_empty());
        let buffers = self.buffers.get_or_insert_with(|| spares.take());
        let before = buffers.length;
        buffers.passing.get_or_insert_default().push(before, data.len(), descriptors);
        buffers.push(data, &mut spares.blocks);
    }

    /// Returns the queued descriptors, if there are any.
    #[cfg(unix)]
    pub(crate) fn passing(&mut self) -> Option<&mut Passing> {
        let passing = self.buffers.as_mut()?.passing.as_mut()?;
        (passing.queued() > 0).then_some(passing)
    }

    /// Returns the number of queued descriptors.
    pub(crate) fn descriptors_waiting(&self) -> usize {
        #[cfg(unix)]
        if let Some(passing) = self.all_passing() {
            return passing.queued();
        }
        0
    }

    /// Returns the descriptors that go with the first queued byte.
    #[cfg(unix)]
    pub(crate) fn descriptors_at_front(&self) -> &[OwnedFd] {
        self.all_passing().map_or(&[], Passing::at_front)
    }

    /// Returns the bytes at the front, if they are all queued bytes.
    #[inline(always)]
    pub(crate) fn only_slice(&self) -> Option<&[u8]> {
        match &self.buffers {
            Some(buffers) if buffers.are_plain() => Some(buffers.front()),
            Some(_) => None,
            None => Some(&[]),
        }
    }

    /// Fills `slices` with the bytes at the front, in order, then `tail`. Returns the number of filled slices.
    /// `tail` is omitted when the slices before it do not reach the end. The slices end where a message with
    /// descriptors begins or ends.
    pub(crate) fn slices<'a>(
        &'a self,
        tail: &'a [u8],
        spares: &'a Spares,
        slices: &mut [IoSlice<'a>; SLICES],
    ) -> usize {
        let queued = self.buffers.iter().flat_map(|buffers| buffers.slices(&spares.blocks));
        let all = queued.chain(std::iter::once(tail)).filter(|bytes| !bytes.is_empty());
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

    /// Returns the number of bytes that one write may send.
    fn reach(&self) -> usize {
        #[cfg(unix)]
        if let Some(passing) = self.all_passing() {
            return passing.reach();
        }
        usize::MAX
    }

    #[cfg(unix)]
    fn all_passing(&self) -> Option<&Passing> {
        self.buffers.as_ref()?.passing.as_deref()
    }

    /// Removes the first `count` bytes, which the system has taken.
    #[inline(always)]
    pub(crate) fn advance(&mut self, count: usize, spares: &mut Spares) {
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        debug_assert!(count <= buffers.length);
        if count < buffers.length {
            buffers.advance(count, &mut spares.blocks);
        } else {
            self.clear(spares);
        }
    }

    /// Removes everything.
    #[inline(always)]
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        if let Some(buffers) = self.buffers.take() {
            spares.give(buffers);
        }
    }
}

impl Buffers {
    #[inline(always)]
    fn push(&mut self, data: &[u8], blocks: &mut Blocks) {
        self.length += data.len();
        if self.blocks.is_empty() && self.first.len() + data.len() <= FIRST {
            self.first.extend_from_slice(data);
        } else {
            self.spread(data, blocks);
        }
    }

    /// Appends to the blocks, or begins them.
    ///
    /// Marked as cold, which keeps `push` short: most send buffers hold little.
    #[cold]
    fn spread(&mut self, data: &[u8], blocks: &mut Blocks) {
        if let Some(last) = self.blocks.back_mut()
            && data.len() <= last.free_space()
        {
            return blocks.add(last, data); // The usual case for short lines.
        }
        if !self.first.is_empty() {
            // Not kept: thousands of buffers of that size would stay in the heap.
            let first = mem::take(&mut self.first);
            append(&mut self.blocks, &first[mem::take(&mut self.sent)..], blocks);
        }
        append(&mut self.blocks, data, blocks);
    }

    /// Returns all queued bytes, in order.
    fn slices<'a>(&'a self, blocks: &'a Blocks) -> impl Iterator<Item = &'a [u8]> {
        let (mut sent, all) = (self.sent, self.blocks.iter().map(|block| blocks.bytes(block)));
        std::iter::once(&*self.first).chain(all).map(move |bytes| {
            let from = sent.min(bytes.len());
            sent -= from;
            &bytes[from..]
        })
    }

    /// Returns true if there are neither blocks nor descriptors.
    #[inline(always)]
    fn are_plain(&self) -> bool {
        #[cfg(unix)]
        if self.passing.is_some() {
            return false;
        }
        self.blocks.is_empty()
    }

    /// Returns the queued bytes, if none are in blocks.
    #[inline(always)]
    fn front(&self) -> &[u8] {
        &self.first[self.sent..]
    }

    /// Removes the first `count` bytes, of more.
    #[cold]
    fn advance(&mut self, count: usize, blocks: &mut Blocks) {
        self.length -= count;
        self.sent += count;
        #[cfg(unix)]
        if let Some(passing) = &mut self.passing {
            passing.advance(count);
        }
        while self.blocks.front().is_some_and(|front| front.len() <= self.sent)
            && let Some(front) = self.blocks.pop_front()
        {
            self.sent -= front.len();
            blocks.give(front);
        }
    }
}

/// Fills the last block of a queue, then adds others.
fn append(queue: &mut VecDeque<Block>, mut data: &[u8], blocks: &mut Blocks) {
    while !data.is_empty() {
        if queue.back().is_none_or(|last| last.free_space() == 0) {
            queue.push_back(blocks.take());
        }
        if let Some(last) = queue.back_mut() {
            let (fits, rest) = data.split_at(data.len().min(last.free_space()));
            blocks.add(last, fits);
            data = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(send_buffer: &SendBuffer, tail: &[u8], spares: &Spares) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = send_buffer.slices(tail, spares, &mut slices);
        slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn bytes_leave_in_order() {
        let (mut send_buffer, mut spares) = (SendBuffer::default(), Spares::default());
        let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        for part in data.chunks(7_001) {
            send_buffer.push(part, &mut spares);
        }
        let mut out = Vec::new();
        for step in [1, 65_535, 65_536, 100_000].into_iter().cycle() {
            let step = step.min(send_buffer.len());
            out.extend_from_slice(&contents(&send_buffer, &[], &spares)[..step]);
            send_buffer.advance(step, &mut spares);
            if send_buffer.is_empty() {
                break;
            }
        }
        assert_eq!(out, data);
    }

    #[test]
    fn empty_send_buffer_holds_no_memory() {
        let (mut send_buffer, mut spares) = (SendBuffer::default(), Spares::default());
        send_buffer.push(&vec![1; 200_000], &mut spares);
        send_buffer.advance(199_999, &mut spares);
        send_buffer.push(b"more", &mut spares);
        send_buffer.advance(5, &mut spares);
        assert!(send_buffer.is_empty() && send_buffer.buffers.is_none());
        assert_eq!(spares.blocks.in_use(), 0);
    }

    #[test]
    fn tail_follows_queued_bytes() {
        let (mut send_buffer, mut spares) = (SendBuffer::default(), Spares::default());
        send_buffer.push(b"first ", &mut spares);
        assert_eq!(contents(&send_buffer, b"second", &spares), b"first second");
    }

    #[test]
    fn partly_sent_data_moves_to_blocks() {
        let (mut send_buffer, mut spares) = (SendBuffer::default(), Spares::default());
        send_buffer.push(&[1; FIRST], &mut spares);
        send_buffer.advance(FIRST - 3, &mut spares);
        send_buffer.push(b"23", &mut spares);
        assert_eq!(contents(&send_buffer, &[], &spares), [1, 1, 1, b'2', b'3']);
        assert_eq!((send_buffer.len(), spares.blocks.in_use()), (5, 1));
        send_buffer.advance(2, &mut spares);
        send_buffer.push(b"4", &mut spares);
        assert_eq!(contents(&send_buffer, b"5", &spares), [1, b'2', b'3', b'4', b'5']);
    }
}
