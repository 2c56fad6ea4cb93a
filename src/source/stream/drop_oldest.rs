//! What waits behind the outbox of a connection that drops what is oldest.

use crate::source::retention::give_back;
use crate::source::send_buffer::{Outbox, Spares};
use crate::source::stream::limits::GATHER;
use crate::source::stream::transfer::WRITE_BUDGET;
use crate::source::stream::{SlowReader, Stream};
use std::collections::VecDeque;
use std::io;

/// The pieces that wait behind the outbox if the oldest ones may be dropped, and how many were. An attempt to
/// connect has it as well, and the connection takes it over.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// `None` if nothing may be dropped.
    queue: Option<Box<Queue>>,
    /// Pieces that were dropped since newer ones came, and their bytes.
    pub(crate) dropped: u64,
    pub(crate) dropped_bytes: u64,
}

/// The pieces themselves. In the outbox one may have been sent by half; here each is whole, and can go.
#[derive(Debug)]
struct Queue {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many bytes may wait here.
    limit: usize,
    open: OpenPiece,
}

/// Where the piece is that the running callback writes: all of it is one piece, whatever the callback
/// does in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenPiece {
    Nowhere,
    /// It is the newest of the feed.
    Feed,
    /// It is in the outbox, and what is still to come has to follow it there.
    Outbox,
}

impl Feed {
    /// Whether the oldest pieces may be dropped: else everything goes to the outbox.
    pub(crate) fn is_chosen(&self) -> bool {
        self.queue.is_some()
    }

    /// How many bytes wait here.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Sets what to do if the peer reads too slowly. `running` tells that a callback of the connection runs,
    /// which may have written a part of its piece to the outbox.
    pub(crate) fn choose(
        &mut self,
        slow_reader: SlowReader,
        running: bool,
        outbox: &mut Outbox,
        spares: &mut Spares,
    ) {
        let open = if running { OpenPiece::Outbox } else { OpenPiece::Nowhere };
        match (slow_reader, &mut self.queue) {
            (SlowReader::DropOldest(limit), Some(queue)) => queue.limit = limit,
            (SlowReader::DropOldest(limit), None) => {
                self.queue = Some(Box::new(Queue::new(limit, open)));
            }
            (SlowReader::Pause | SlowReader::Disconnect(_), _) => {
                self.commit(outbox, spares);
                self.queue = None;
            }
        }
    }

    /// Takes a piece, or more of the one that is open, and drops what has no room beside it.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if let Some(queue) = &mut self.queue
            && !data.is_empty()
        {
            let (pieces, bytes) = queue.push(data);
            self.dropped += pieces;
            self.dropped_bytes += bytes;
        }
    }

    /// Moves pieces to the outbox: see [`Queue::refill`].
    fn refill(&mut self, most: usize, outbox: &mut Outbox, spares: &mut Spares) -> usize {
        self.queue.as_mut().map_or(0, |queue| queue.refill(most, outbox, spares))
    }

    /// Moves all that waits to the outbox: none of it is dropped any more.
    pub(crate) fn commit(&mut self, outbox: &mut Outbox, spares: &mut Spares) {
        while self.refill(usize::MAX, outbox, spares) > 0 {}
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.pieces = VecDeque::new();
            queue.bytes = 0;
        }
    }

    fn set_open(&mut self, open: OpenPiece) {
        if let Some(queue) = &mut self.queue {
            queue.open = open;
        }
    }
}

impl Queue {
    fn new(limit: usize, open: OpenPiece) -> Self {
        Self { pieces: VecDeque::new(), bytes: 0, limit, open }
    }

    /// Takes a piece, or more of the one that is open, and makes room for it. Returns how many pieces
    /// and bytes were dropped for that.
    fn push(&mut self, data: &[u8]) -> (u64, u64) {
        let (mut pieces, mut bytes, mut memory) = (0, 0, Vec::new());
        let kept = usize::from(self.open == OpenPiece::Feed);
        while self.bytes + data.len() > self.limit
            && self.pieces.len() > kept
            && let Some(oldest) = self.pop()
        {
            (pieces, bytes) = (pieces + 1, bytes + oldest.len() as u64);
            memory = oldest;
        }
        self.bytes += data.len();
        match self.pieces.back_mut() {
            Some(open) if self.open == OpenPiece::Feed => open.extend_from_slice(data),
            _ => {
                memory.clear();
                memory.extend_from_slice(data);
                self.pieces.push_back(memory);
            }
        }
        (pieces, bytes)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let oldest = self.pieces.pop_front()?;
        self.bytes -= oldest.len();
        give_back(&mut self.pieces);
        Some(oldest)
    }

    /// Moves pieces to the outbox, one at least, and then as many as `most` bytes have room for.
    fn refill(&mut self, most: usize, outbox: &mut Outbox, spares: &mut Spares) -> usize {
        let mut moved = 0;
        while let Some(next) = self.pieces.front()
            && (moved == 0 || moved + next.len() <= most)
            && let Some(next) = self.pop()
        {
            outbox.push(&next, spares);
            moved += next.len();
        }
        if self.pieces.is_empty() && self.open == OpenPiece::Feed {
            self.open = OpenPiece::Outbox;
        }
        moved
    }
}

impl Stream {
    pub(crate) fn set_slow_reader(
        &mut self,
        slow_reader: SlowReader,
        running: bool,
        spares: &mut Spares,
    ) {
        self.limits.set_slow_reader(slow_reader);
        self.feed.choose(slow_reader, running, &mut self.outbox, spares);
        self.look_closely();
    }

    /// Whether what is oldest is dropped if the peer reads too slowly.
    pub(crate) fn drops_oldest(&self) -> bool {
        self.feed.is_chosen()
    }

    /// How many bytes wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len() + self.feed.bytes()
    }

    /// Whether a piece of so many bytes, or more of the one that is open, has to wait behind the outbox.
    pub(super) fn feeds(&self, length: usize) -> bool {
        self.feed.queue.as_ref().is_some_and(|queue| match queue.open {
            OpenPiece::Feed => true,
            OpenPiece::Outbox => false,
            OpenPiece::Nowhere => {
                let fits = self.outbox.is_empty() || self.outbox.len() + length <= GATHER;
                !(queue.pieces.is_empty() && self.is_writable() && fits)
            }
        })
    }

    /// The running callback has written something of its piece, to the outbox unless `feeds`.
    pub(crate) fn open_piece(&mut self, feeds: bool) {
        self.feed.set_open(if feeds { OpenPiece::Feed } else { OpenPiece::Outbox });
    }

    /// The callback has returned, and its piece is complete.
    pub(crate) fn end_piece(&mut self) {
        self.feed.set_open(OpenPiece::Nowhere);
    }

    /// Sends what waits behind the outbox, piece by piece and within a budget, as long as the outbox
    /// is empty.
    pub(crate) fn flush_feed(&mut self, spares: &mut Spares) -> io::Result<()> {
        let mut budget = WRITE_BUDGET;
        while budget > 0 && self.is_writable() && self.outbox.is_empty() {
            let moved = self.feed.refill(GATHER, &mut self.outbox, spares);
            if moved == 0 {
                break;
            }
            budget = budget.saturating_sub(moved);
            self.flush(spares)?;
        }
        Ok(())
    }

    /// Moves all that waits to the outbox: none of it is dropped any more.
    #[cfg(unix)]
    pub(crate) fn commit_feed(&mut self, spares: &mut Spares) {
        self.feed.commit(&mut self.outbox, spares);
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.outbox.clear(spares);
        self.feed.clear();
    }
}
