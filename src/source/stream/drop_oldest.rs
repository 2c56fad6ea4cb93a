//! The drop-oldest queue: chunks behind the send buffer, of which the oldest are dropped when it is full.

use crate::source::retention::give_back;
use crate::source::send_buffer::{SendBuffer, Spares};
use crate::source::stream::limits::GATHER;
use crate::source::stream::transfer::WRITE_BUDGET;
use crate::source::stream::{Output, SlowReader, Stream};
use std::collections::VecDeque;
use std::io;

/// The drop-oldest queue of a connection, and its counters. A connection attempt has it as well, and the
/// connection takes it over.
#[derive(Debug, Default)]
pub(crate) struct DropOldest {
    /// `None` if nothing may be dropped.
    queue: Option<Box<ChunkQueue>>,
    /// The number of chunks dropped for newer ones, and of their bytes.
    pub(crate) dropped: u64,
    pub(crate) dropped_bytes: u64,
}

/// The queued chunks. A chunk in the send buffer may have been sent in part; the chunks here are whole and can
/// be dropped.
#[derive(Debug)]
struct ChunkQueue {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The most bytes that are queued here.
    limit: usize,
    open: OpenChunk,
}

/// Where the chunk of the running callback is. All that a callback writes is one chunk, whatever else it does
/// between two writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenChunk {
    Nowhere,
    /// It is the newest in the drop-oldest queue.
    DropOldest,
    /// It is in the send buffer, and later writes of the callback must follow it there.
    SendBuffer,
}

impl DropOldest {
    /// Returns true if the oldest chunks may be dropped. Otherwise all data is queued in the send buffer.
    pub(crate) fn is_chosen(&self) -> bool {
        self.queue.is_some()
    }

    /// Returns the number of bytes queued here.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Sets the policy for a peer that reads too slowly. `running` is true in a callback of the connection,
    /// which may have written a part of its chunk to the send buffer.
    pub(crate) fn choose(
        &mut self,
        slow_reader: SlowReader,
        running: bool,
        send_buffer: &mut SendBuffer,
        spares: &mut Spares,
    ) {
        let open = if running { OpenChunk::SendBuffer } else { OpenChunk::Nowhere };
        match (slow_reader, &mut self.queue) {
            (SlowReader::DropOldest(limit), Some(queue)) => queue.limit = limit,
            (SlowReader::DropOldest(limit), None) => {
                self.queue = Some(Box::new(ChunkQueue::new(limit, open)));
            }
            (SlowReader::Pause | SlowReader::Disconnect(_), _) => {
                self.commit(send_buffer, spares);
                self.queue = None;
            }
        }
    }

    /// Queues a chunk, or appends to the open one, and drops the oldest chunks above the limit.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if let Some(queue) = &mut self.queue
            && !data.is_empty()
        {
            let (chunks, bytes) = queue.push(data);
            self.dropped += chunks;
            self.dropped_bytes += bytes;
        }
    }

    /// Moves chunks to the send buffer: see [`ChunkQueue::refill`].
    fn refill(&mut self, most: usize, send_buffer: &mut SendBuffer, spares: &mut Spares) -> usize {
        self.queue.as_mut().map_or(0, |queue| queue.refill(most, send_buffer, spares))
    }

    /// Moves all chunks to the send buffer, where none is dropped.
    pub(crate) fn commit(&mut self, send_buffer: &mut SendBuffer, spares: &mut Spares) {
        while self.refill(usize::MAX, send_buffer, spares) > 0 {}
    }

    /// Drops all queued chunks.
    pub(crate) fn clear(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.chunks = VecDeque::new();
            queue.bytes = 0;
        }
    }

    fn set_open(&mut self, open: OpenChunk) {
        if let Some(queue) = &mut self.queue {
            queue.open = open;
        }
    }
}

impl ChunkQueue {
    fn new(limit: usize, open: OpenChunk) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, limit, open }
    }

    /// Queues a chunk, or appends to the open one, after dropping the oldest chunks above the limit. Returns
    /// the numbers of dropped chunks and bytes.
    fn push(&mut self, data: &[u8]) -> (u64, u64) {
        let (mut chunks, mut bytes, mut memory) = (0, 0, Vec::new());
        let kept = usize::from(self.open == OpenChunk::DropOldest);
        while self.bytes + data.len() > self.limit
            && self.chunks.len() > kept
            && let Some(oldest) = self.pop()
        {
            (chunks, bytes) = (chunks + 1, bytes + oldest.len() as u64);
            memory = oldest;
        }
        self.bytes += data.len();
        match self.chunks.back_mut() {
            Some(open) if self.open == OpenChunk::DropOldest => open.extend_from_slice(data),
            _ => {
                memory.clear();
                memory.extend_from_slice(data);
                self.chunks.push_back(memory);
            }
        }
        (chunks, bytes)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let oldest = self.chunks.pop_front()?;
        self.bytes -= oldest.len();
        give_back(&mut self.chunks);
        Some(oldest)
    }

    /// Moves chunks to the send buffer: at least one, then as many as fit in `most` bytes. Returns the number
    /// of bytes.
    fn refill(&mut self, most: usize, send_buffer: &mut SendBuffer, spares: &mut Spares) -> usize {
        let mut moved = 0;
        while let Some(next) = self.chunks.front()
            && (moved == 0 || moved + next.len() <= most)
            && let Some(next) = self.pop()
        {
            send_buffer.push(&next, spares);
            moved += next.len();
        }
        if self.chunks.is_empty() && self.open == OpenChunk::DropOldest {
            self.open = OpenChunk::SendBuffer;
        }
        moved
    }
}

impl Output {
    /// Returns the policy for slow readers.
    pub(crate) fn slow_reader(&self) -> SlowReader {
        match &self.drop_oldest.queue {
            Some(queue) => SlowReader::DropOldest(queue.limit),
            None if self.limits.disconnects() => SlowReader::Disconnect(self.limits.disconnect_at),
            None => SlowReader::Pause,
        }
    }
}

impl Stream {
    pub(crate) fn set_slow_reader(
        &mut self,
        slow_reader: SlowReader,
        running: bool,
        spares: &mut Spares,
    ) {
        self.output.limits.set_slow_reader(slow_reader);
        let (queue, drop_oldest) = self.output.written();
        drop_oldest.choose(slow_reader, running, queue, spares);
        self.check_each_write();
    }

    /// Returns true if the oldest chunks are dropped when the peer reads too slowly.
    pub(crate) fn drops_oldest(&self) -> bool {
        self.output.drop_oldest.is_chosen()
    }

    /// Returns true if a write of `length` bytes belongs in the drop-oldest queue.
    pub(super) fn is_droppable(&self, length: usize) -> bool {
        self.output.drop_oldest.queue.as_ref().is_some_and(|queue| match queue.open {
            OpenChunk::DropOldest => true,
            OpenChunk::SendBuffer => false,
            OpenChunk::Nowhere => {
                let buffered = self.output.buffered();
                let fits = buffered == 0 || buffered + length <= GATHER;
                !(queue.chunks.is_empty() && self.is_writable() && fits)
            }
        })
    }

    /// Notes where the running callback has written: to the drop-oldest queue if `droppable`, else to the send
    /// buffer.
    pub(crate) fn open_chunk(&mut self, droppable: bool) {
        self.output.drop_oldest.set_open(if droppable {
            OpenChunk::DropOldest
        } else {
            OpenChunk::SendBuffer
        });
    }

    /// Notes that the callback has returned, and its chunk is complete.
    pub(crate) fn end_chunk(&mut self) {
        self.output.drop_oldest.set_open(OpenChunk::Nowhere);
    }

    /// Sends chunks of the drop-oldest queue within a budget, as long as the send buffer is empty.
    pub(crate) fn flush_drop_oldest(&mut self, spares: &mut Spares) -> io::Result<()> {
        let mut budget = WRITE_BUDGET;
        while budget > 0 && self.is_writable() && self.output.buffered() == 0 {
            let (queue, drop_oldest) = self.output.written();
            let moved = drop_oldest.refill(GATHER, queue, spares);
            if moved == 0 {
                break;
            }
            budget = budget.saturating_sub(moved);
            if self.wants_flush() {
                self.flush(spares)?;
            }
        }
        Ok(())
    }
}
