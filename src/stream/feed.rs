//! What waits behind the outbox of a connection that drops what is oldest.

use crate::outbox::Spares;
use crate::retention::give_back;
use crate::stream::limits::GATHER;
use crate::stream::transfer::WRITE_BUDGET;
use crate::stream::{SlowReader, Stream};
use std::collections::VecDeque;
use std::io;

/// The pieces that wait behind the outbox. In the outbox one may have been sent by half; here each is
/// whole, and can go.
#[derive(Debug)]
pub(crate) struct Feed {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many bytes may wait here.
    limit: usize,
}

impl Feed {
    /// Takes a piece, and makes room for it. Returns how many pieces and bytes were dropped for that.
    fn push(&mut self, data: &[u8]) -> (u64, u64) {
        let (mut pieces, mut bytes, mut memory) = (0, 0, Vec::new());
        while self.bytes + data.len() > self.limit
            && let Some(oldest) = self.pop()
        {
            (pieces, bytes) = (pieces + 1, bytes + oldest.len() as u64);
            memory = oldest;
        }
        memory.clear();
        memory.extend_from_slice(data);
        self.bytes += data.len();
        self.pieces.push_back(memory);
        (pieces, bytes)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let oldest = self.pieces.pop_front()?;
        self.bytes -= oldest.len();
        give_back(&mut self.pieces);
        Some(oldest)
    }
}

impl Stream {
    pub(crate) fn set_slow_reader(&mut self, slow_reader: SlowReader, spares: &mut Spares) {
        self.limits.set_slow_reader(slow_reader);
        match (slow_reader, &mut self.feed) {
            (SlowReader::DropOldest(limit), Some(feed)) => feed.limit = limit,
            (SlowReader::DropOldest(limit), None) => {
                let feed = Feed { pieces: VecDeque::new(), bytes: 0, limit };
                self.feed = Some(Box::new(feed));
            }
            (SlowReader::Pause | SlowReader::Disconnect(_), _) => {
                self.commit_feed(spares);
                self.feed = None;
            }
        }
        self.look_closely();
    }

    /// Whether what is oldest is dropped if the peer reads too slowly.
    pub(crate) fn drops_oldest(&self) -> bool {
        self.feed.is_some()
    }

    /// How many bytes wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len() + self.feed.as_ref().map_or(0, |feed| feed.bytes)
    }

    /// Whether a piece of so many bytes has to wait behind the outbox.
    pub(super) fn feeds(&self, length: usize) -> bool {
        self.feed.as_ref().is_some_and(|feed| {
            let fits = self.outbox.is_empty() || self.outbox.len() + length <= GATHER;
            !(feed.pieces.is_empty() && self.is_writable() && fits)
        })
    }

    pub(super) fn push_to_feed(&mut self, data: &[u8]) {
        if let Some(feed) = &mut self.feed
            && !data.is_empty()
        {
            let (pieces, bytes) = feed.push(data);
            self.dropped += pieces;
            self.dropped_bytes += bytes;
        }
    }

    /// Sends what waits behind the outbox, piece by piece and within a budget, as long as the outbox
    /// is empty.
    pub(crate) fn flush_feed(&mut self, spares: &mut Spares) -> io::Result<()> {
        let mut budget = WRITE_BUDGET;
        while budget > 0 && self.is_writable() && self.outbox.is_empty() {
            let moved = self.refill(GATHER, spares);
            if moved == 0 {
                break;
            }
            budget = budget.saturating_sub(moved);
            self.flush(spares)?;
        }
        Ok(())
    }

    /// Moves pieces to the outbox, one at least, and then as many as `most` bytes have room for.
    fn refill(&mut self, most: usize, spares: &mut Spares) -> usize {
        let mut moved = 0;
        if let Some(feed) = &mut self.feed {
            while let Some(next) = feed.pieces.front()
                && (moved == 0 || moved + next.len() <= most)
                && let Some(next) = feed.pop()
            {
                self.outbox.push(&next, spares);
                moved += next.len();
            }
        }
        moved
    }

    /// Moves all that waits to the outbox: none of it is dropped any more.
    pub(crate) fn commit_feed(&mut self, spares: &mut Spares) {
        while self.refill(usize::MAX, spares) > 0 {}
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.outbox.clear(spares);
        if let Some(feed) = &mut self.feed {
            feed.pieces = VecDeque::new();
            feed.bytes = 0;
        }
    }
}
