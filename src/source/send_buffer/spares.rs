//! Spare buffers: memory of emptied send buffers, for reuse.

use super::Buffers;
use crate::source::blocks::{Block, Blocks};
use crate::source::retention::give_back_beyond;
use std::collections::VecDeque;

/// Empty buffers for reuse, so that a warm reactor sends without allocating.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    // Boxed, since they are handed over boxed.
    #[expect(clippy::vec_box)]
    buffers: Vec<Box<Buffers>>,
    /// The memory of all of them together, in bytes.
    kept: usize,
    pub(super) blocks: Blocks,
}

/// The most memory that the spares hold, in bytes. It is enough for a broadcast of 4 KiB to each of a thousand
/// connections; more returns to the allocator, so that a burst leaves no memory behind.
const SPARES_LIMIT: usize = 4 * 1024 * 1024;

/// The capacity of a buffer's block list that is kept. A turn sends up to 17 blocks, and a list grows to powers
/// of two.
const PLACES: usize = 32;

impl Spares {
    #[inline(always)]
    pub(super) fn take(&mut self) -> Box<Buffers> {
        match self.buffers.pop() {
            Some(buffers) => {
                self.kept -= buffers.size();
                buffers
            }
            None => Box::default(),
        }
    }

    /// Takes buffers back.
    #[inline(always)]
    pub(super) fn give(&mut self, mut buffers: Box<Buffers>) {
        if !buffers.are_plain() {
            buffers.clear_blocks(&mut self.blocks);
        }
        let kept = self.kept + buffers.size();
        if kept <= SPARES_LIMIT {
            self.kept = kept;
            buffers.first.clear();
            (buffers.sent, buffers.length) = (0, 0);
            self.buffers.push(buffers);
        }
    }

    /// Keeps at most as many buffers as there are connections. The buffers of closed connections are spread
    /// over the heap and would keep it from the system.
    pub(crate) fn shrink_to(&mut self, connections: usize) {
        while self.buffers.len() > connections {
            drop(self.take());
        }
        give_back_beyond(&mut self.buffers, connections);
        self.blocks.shrink_to(connections);
    }
}

impl Buffers {
    /// Returns the memory of the buffers, once they are empty.
    #[inline(always)]
    fn size(&self) -> usize {
        size_of::<Self>() + self.first.capacity() + self.blocks.capacity() * size_of::<Block>()
    }

    /// Removes blocks and descriptors.
    #[cold]
    #[inline(never)]
    fn clear_blocks(&mut self, blocks: &mut Blocks) {
        self.blocks.drain(..).for_each(|block| blocks.give(block));
        if self.blocks.capacity() > PLACES {
            self.blocks = VecDeque::new();
        }
        #[cfg(unix)]
        {
            self.passing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::blocks::BLOCK;
    use crate::source::send_buffer::SendBuffer;

    #[test]
    fn spares_shrink_with_the_number_of_connections() {
        let (mut first, mut second) = (SendBuffer::default(), SendBuffer::default());
        let mut spares = Spares::default();
        first.push(b"few", &mut spares);
        second.push(&[0; 100_000], &mut spares);
        first.clear(&mut spares);
        second.clear(&mut spares);
        assert_eq!((spares.buffers.len(), spares.blocks.resident()), (2, 7 * BLOCK));
        spares.shrink_to(1);
        assert_eq!((spares.buffers.len(), spares.blocks.resident()), (1, 0));
    }

    #[test]
    fn a_long_queue_leaves_few_places_behind() {
        let (mut send_buffer, mut spares) = (SendBuffer::default(), Spares::default());
        send_buffer.push(&vec![0; (PLACES + 1) * BLOCK], &mut spares);
        send_buffer.clear(&mut spares);
        assert!(spares.buffers[0].blocks.capacity() <= PLACES);
    }

    #[test]
    fn the_spares_are_bounded() {
        let mut spares = Spares::default();
        let mut buffers: Vec<_> = (0..2_000).map(|_| SendBuffer::default()).collect();
        for send_buffer in &mut buffers {
            (0..40).for_each(|_| send_buffer.push(&[0; 1_000], &mut spares));
        }
        assert!(spares.blocks.resident() > 10 * SPARES_LIMIT);
        buffers.iter_mut().for_each(|send_buffer| send_buffer.clear(&mut spares));
        assert!(spares.kept <= SPARES_LIMIT);
        assert!(spares.blocks.resident() <= SPARES_LIMIT, "{}", spares.blocks.resident());
    }
}
