//! Datagrams that wait to be sent.

use crate::source::retention::give_back;
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use std::collections::VecDeque;
use std::mem;

/// What a socket has not taken yet, in order and within bounds.
#[derive(Debug)]
pub(super) struct DatagramQueue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    max_datagrams: usize,
    max_bytes: usize,
    /// Something was turned away, and there has been no room since.
    overflowing: bool,
}

/// A datagram that waits to be sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) data: Box<[u8]>,
    /// `None` is the peer of the socket.
    pub(super) to: Option<Address>,
}

/// What has become of a datagram that was to wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Queued {
    Kept,
    /// There is no room, and that is news.
    Overflow,
    /// There is still no room.
    StillOverflow,
}

impl DatagramQueue {
    pub(super) fn new(options: &DatagramOptions) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            max_datagrams: options.queue_datagrams,
            max_bytes: options.queue_bytes,
            overflowing: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives those that were to go to the peer its address: the socket will have another peer.
    pub(super) fn keep_for(&mut self, peer: &Address) {
        for waiting in &mut self.waiting {
            waiting.to.get_or_insert_with(|| peer.clone());
        }
    }

    /// Whether what is next goes to the peer of the socket.
    pub(super) fn is_for_peer(&self) -> bool {
        self.waiting.front().is_some_and(|first| first.to.is_none())
    }

    /// Has a datagram wait behind all others, if there is room.
    pub(super) fn push(&mut self, data: &[u8], to: Option<&Address>) -> Queued {
        if self.waiting.len() < self.max_datagrams && self.bytes + data.len() <= self.max_bytes {
            self.bytes += data.len();
            self.waiting.push_back(Waiting { data: data.into(), to: to.cloned() });
            return Queued::Kept;
        }
        match mem::replace(&mut self.overflowing, true) {
            false => Queued::Overflow,
            true => Queued::StillOverflow,
        }
    }

    /// The one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.bytes -= first.data.len();
        give_back(&mut self.waiting);
        Some(first)
    }

    /// It could not go after all: its turn is still next.
    pub(super) fn put_back(&mut self, first: Waiting) {
        self.bytes += first.data.len();
        self.waiting.push_front(first);
    }

    /// If all have gone, there is room again.
    pub(super) fn note_room(&mut self) {
        self.overflowing &= !self.waiting.is_empty();
    }

    /// Drops all. Returns how many they were.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        mem::take(&mut self.waiting).len()
    }
}
