//! Blocks: memory for queued data, in blocks of one size, in slabs that return to the system.
//!
//! Buffers that grow in the allocator's heap fragment it: one small allocation above them, made while thousands
//! of peers were slow, keeps hundreds of megabytes resident after the peers have left. A slab is larger than
//! any allocation in an allocator's heap, so it is mapped and unmapped on its own. Its pages become resident
//! when they are written to, and are released with the slab.

use std::collections::BTreeSet;

/// The size of a block, in bytes.
pub(crate) const BLOCK: usize = 16 * 1024;

/// The number of blocks in a slab: 34 MiB. From 32 MiB on glibc maps each allocation on its own, whatever was
/// freed before (M_MMAP_THRESHOLD, mallopt(3)).
const BLOCKS: usize = 2_176;

/// An empty first slab is kept for the next burst if at most this number of its blocks was in use: 4 MiB.
const KEPT: usize = 256;

/// All slabs. Blocks come from the first slab with a free block, so that the last slabs become empty.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    slabs: Vec<Slab>,
    /// The slabs with free blocks.
    open: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Slab {
    /// Empty if no block is in use.
    memory: Vec<u8>,
    /// Free blocks that were in use before.
    free: Vec<usize>,
    /// The first block that has never been in use. No page from here on is resident.
    fresh: usize,
    in_use: usize,
}

/// A block in use, and the number of bytes in it. [`Blocks::give`] returns it.
#[derive(Debug)]
pub(crate) struct Block {
    slab: u32,
    number: u32,
    len: u32,
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Returns the number of free bytes.
    #[inline(always)]
    pub(crate) fn free_space(&self) -> usize {
        BLOCK - self.len()
    }
}

impl Blocks {
    /// Returns an empty block.
    pub(crate) fn take(&mut self) -> Block {
        let index = self.open.first().copied().unwrap_or_else(|| {
            self.slabs.push(Slab::default());
            self.open.insert(self.slabs.len() - 1);
            self.slabs.len() - 1
        });
        let slab = &mut self.slabs[index];
        let number = slab.take();
        if slab.in_use == BLOCKS {
            self.open.remove(&index);
        }
        Block { slab: index as u32, number: number as u32, len: 0 }
    }

    /// Takes a block back, of any length.
    pub(crate) fn give(&mut self, block: Block) {
        let index = block.slab as usize;
        let slab = &mut self.slabs[index];
        if slab.in_use == BLOCKS {
            self.open.insert(index);
        }
        slab.give(block.number as usize);
        self.keep_at_most(index, if index == 0 { KEPT } else { 0 });
    }

    /// Appends `data` to a block, which must have space for it.
    #[inline(always)]
    pub(crate) fn add(&mut self, block: &mut Block, data: &[u8]) {
        let (start, len) = (block.number as usize * BLOCK, block.len());
        let memory = &mut self.slabs[block.slab as usize].memory[start..start + BLOCK];
        memory[len..len + data.len()].copy_from_slice(data);
        block.len = (len + data.len()) as u32;
    }

    /// Returns the contents of a block.
    pub(crate) fn bytes(&self, block: &Block) -> &[u8] {
        let start = block.number as usize * BLOCK;
        &self.slabs[block.slab as usize].memory[start..start + block.len()]
    }

    /// Releases the memory kept for the next burst, if it is more than `most` blocks.
    pub(crate) fn shrink_to(&mut self, kept: usize) {
        self.keep_at_most(0, kept);
    }

    fn keep_at_most(&mut self, index: usize, kept: usize) {
        if let Some(slab) = self.slabs.get_mut(index)
            && slab.in_use == 0
            && slab.fresh > kept
        {
            *slab = Slab::default();
        }
    }

    /// Returns the number of blocks in use.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.slabs.iter().map(|slab| slab.in_use).sum()
    }

    /// Returns the largest number of bytes that may be resident.
    #[cfg(test)]
    pub(crate) fn resident(&self) -> usize {
        self.slabs.iter().map(|slab| slab.fresh * BLOCK).sum()
    }
}

impl Slab {
    fn take(&mut self) -> usize {
        if self.memory.is_empty() {
            // Zeroed memory of this size is mapped, and costs nothing before it is written to.
            self.memory = vec![0; BLOCKS * BLOCK];
        }
        self.in_use += 1;
        self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }

    fn give(&mut self, number: usize) {
        self.in_use -= 1;
        self.free.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, BLOCKS, Blocks, KEPT};

    #[test]
    fn a_block_holds_what_was_put_in_it() {
        let mut blocks = Blocks::default();
        let (mut one, mut other) = (blocks.take(), blocks.take());
        blocks.add(&mut one, &vec![1; BLOCK - 1]);
        blocks.add(&mut other, b"other");
        blocks.add(&mut one, b"2");
        assert!(one.free_space() == 0 && blocks.bytes(&one).ends_with(&[1, b'2']));
        assert_eq!(blocks.bytes(&other), b"other");
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut blocks = Blocks::default();
        let taken: Vec<_> = (0..2 * BLOCKS + 10).map(|_| blocks.take()).collect();
        assert_eq!(blocks.resident(), (2 * BLOCKS + 10) * BLOCK);
        taken.into_iter().for_each(|block| blocks.give(block));
        assert_eq!(blocks.in_use(), 0);
        assert_eq!(blocks.resident(), 0);
    }

    #[test]
    fn capacity_is_kept_until_fewer_could_use_it() {
        let mut blocks = Blocks::default();
        let taken: Vec<_> = (0..KEPT).map(|_| blocks.take()).collect();
        taken.into_iter().for_each(|block| blocks.give(block));
        assert_eq!(blocks.resident(), KEPT * BLOCK);
        blocks.shrink_to(KEPT);
        assert_eq!(blocks.resident(), KEPT * BLOCK);
        blocks.shrink_to(KEPT - 1);
        assert_eq!(blocks.resident(), 0);
    }

    #[test]
    fn blocks_come_from_the_first_slab_with_room() {
        let mut blocks = Blocks::default();
        let mut taken: Vec<_> = (0..2 * BLOCKS).map(|_| blocks.take()).collect();
        let (first, last) = (taken.remove(0), taken.pop().unwrap());
        let number = first.number;
        blocks.give(last);
        blocks.give(first);
        let again = blocks.take();
        assert_eq!((again.slab, again.number), (0, number));
        assert_eq!(blocks.resident(), 2 * BLOCKS * BLOCK);
    }
}
