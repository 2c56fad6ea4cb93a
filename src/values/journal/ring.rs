//! The ring of records, in chunks.

use crate::values::journal::raw::Raw;
use std::collections::VecDeque;
use std::iter;
use std::mem;

/// The number of records of a chunk: 4 KiB. A byte counts them, so no index needs a check.
const CHUNK: usize = u8::MAX as usize + 1;

type Chunk = Box<[Raw; CHUNK]>;

/// A ring of records. The newest ones replace the oldest, a chunk at a time.
///
/// All chunks are allocated with the ring: to record allocates nothing.
pub(super) struct Ring {
    /// True if records are kept.
    on: bool,
    /// The place of the next record in the present chunk.
    next: u8,
    chunk: Chunk,
    /// The full chunks, the oldest first.
    full: VecDeque<Chunk>,
    /// Chunks that were not used yet.
    spare: Vec<Chunk>,
    /// The number of records that were made before the present chunk.
    before: u64,
}

impl Ring {
    /// Returns a ring that keeps at least `capacity` records.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            on: capacity > 0,
            next: 0,
            chunk: empty_chunk(),
            full: VecDeque::with_capacity(capacity.div_ceil(CHUNK)),
            spare: iter::repeat_with(empty_chunk).take(capacity.div_ceil(CHUNK)).collect(),
            before: 0,
        }
    }

    /// Returns an empty ring of another capacity. Its records are counted on from those of this one.
    pub(super) fn following(before: &Self, capacity: usize) -> Self {
        Self { before: before.recorded(), ..Self::new(capacity) }
    }

    #[inline(always)]
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn capacity(&self) -> usize {
        (self.full.len() + self.spare.len()) * CHUNK
    }

    /// Returns the number of records made so far.
    pub(super) fn recorded(&self) -> u64 {
        self.before + u64::from(self.next)
    }

    /// Returns the number of records that newer ones have replaced.
    pub(super) fn replaced(&self) -> u64 {
        self.before - (self.full.len() * CHUNK) as u64
    }

    #[inline(always)]
    pub(super) fn push(&mut self, raw: Raw) {
        if self.on {
            self.push_on(raw);
        }
    }

    /// Appends a record to a ring that is on.
    #[inline(always)]
    pub(super) fn push_on(&mut self, raw: Raw) {
        self.chunk[usize::from(self.next)] = raw;
        self.next = self.next.wrapping_add(1);
        if self.next == 0 {
            self.begin_chunk();
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_chunk(&mut self) {
        let next = self.spare.pop().or_else(|| self.full.pop_front());
        let full = mem::replace(&mut self.chunk, next.unwrap_or_else(empty_chunk));
        self.full.push_back(full);
        self.before += CHUNK as u64;
    }

    /// Returns the record with this number, counted from 0, if it is kept.
    pub(super) fn get(&self, number: u64) -> Option<Raw> {
        let at = number.checked_sub(self.replaced())? as usize;
        match self.full.get(at / CHUNK) {
            Some(chunk) => Some(chunk[at % CHUNK]),
            None if number < self.recorded() => Some(self.chunk[at % CHUNK]),
            None => None,
        }
    }
}

fn empty_chunk() -> Chunk {
    Box::new([Raw::default(); CHUNK])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::journal::raw::RecordKind;

    fn numbers(ring: &Ring) -> Vec<u32> {
        let kept = ring.replaced()..ring.recorded();
        kept.map(|number| ring.get(number).unwrap().value).collect()
    }

    #[test]
    fn newest_records_are_kept_in_order() {
        for count in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK, 10 * CHUNK + 7] {
            let mut ring = Ring::new(2 * CHUNK);
            for number in 0..count {
                ring.push(Raw::new(0, RecordKind::Noted, 0, number as u32));
            }
            assert_eq!(ring.recorded(), count as u64);
            let kept = numbers(&ring);
            assert!(kept.len() >= count.min(2 * CHUNK) && kept.len() <= 3 * CHUNK, "{count}");
            assert!(kept.iter().copied().eq((count - kept.len()) as u32..count as u32), "{count}");
            assert!(ring.get(count as u64).is_none());
        }
    }

    #[test]
    fn ring_without_capacity_keeps_nothing() {
        let mut ring = Ring::new(0);
        ring.push(Raw::new(0, RecordKind::Noted, 0, 1));
        assert_eq!((ring.recorded(), ring.capacity(), ring.is_on()), (0, 0, false));
    }
}
