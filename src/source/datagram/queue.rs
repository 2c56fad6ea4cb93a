//! Queued datagrams.

use crate::source::retention::give_back;
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use std::collections::VecDeque;
use std::mem;

/// The datagrams that a socket has not taken yet, in order, with limits.
#[derive(Debug)]
pub(super) struct DatagramQueue {
    datagrams: VecDeque<QueuedDatagram>,
    bytes: usize,
    max_datagrams: usize,
    max_bytes: usize,
    /// True if a datagram was refused, and there has been no space since.
    overflowing: bool,
}

/// A queued datagram.
#[derive(Debug)]
pub(super) struct QueuedDatagram {
    pub(super) data: Box<[u8]>,
    /// The receiver; `None` is the peer of the socket.
    pub(super) to: Option<Address>,
}

/// The outcome of queuing a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Queued {
    Kept,
    /// The queue is full, and this is the first refused datagram.
    Overflow,
    /// The queue is still full.
    StillOverflow,
}

impl DatagramQueue {
    pub(super) fn new(options: &DatagramOptions) -> Self {
        Self {
            datagrams: VecDeque::new(),
            bytes: 0,
            max_datagrams: options.queue_datagrams,
            max_bytes: options.queue_bytes,
            overflowing: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets the address of datagrams for the present peer: the socket gets another peer.
    pub(super) fn keep_for(&mut self, peer: &Address) {
        for queued in &mut self.datagrams {
            queued.to.get_or_insert_with(|| peer.clone());
        }
    }

    /// Returns true if the first datagram is for the peer of the socket.
    pub(super) fn is_for_peer(&self) -> bool {
        self.datagrams.front().is_some_and(|first| first.to.is_none())
    }

    /// Queues a datagram, if there is space.
    pub(super) fn push(&mut self, data: &[u8], to: Option<&Address>) -> Queued {
        if self.datagrams.len() < self.max_datagrams && self.bytes + data.len() <= self.max_bytes {
            self.bytes += data.len();
            self.datagrams.push_back(QueuedDatagram { data: data.into(), to: to.cloned() });
            return Queued::Kept;
        }
        match mem::replace(&mut self.overflowing, true) {
            false => Queued::Overflow,
            true => Queued::StillOverflow,
        }
    }

    /// Takes the first datagram.
    pub(super) fn pop(&mut self) -> Option<QueuedDatagram> {
        let first = self.datagrams.pop_front()?;
        self.bytes -= first.data.len();
        give_back(&mut self.datagrams);
        Some(first)
    }

    /// Returns a datagram to the front: it could not be sent.
    pub(super) fn put_back(&mut self, first: QueuedDatagram) {
        self.bytes += first.data.len();
        self.datagrams.push_front(first);
    }

    /// Notes that there is space again if the queue is empty.
    pub(super) fn note_space(&mut self) {
        self.overflowing &= !self.datagrams.is_empty();
    }

    /// Drops all datagrams. Returns their number.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        mem::take(&mut self.datagrams).len()
    }
}
