//! What is going to happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds since the world began: 584 years of them.
pub(crate) type Time = u64;

/// The name of a connection: its slot, and a serial that tells it from those that had the slot before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// Something that happens at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheduled {
    /// The end `side` of a connection may be told anew what is true of it.
    RepeatEvents(Key, u8),
    /// What `side` has sent first arrives at the other end.
    Arrival(Key, u8),
    /// A datagram arrives.
    Datagram(u32),
    /// A datagram socket may be told anew what is true of it.
    RepeatDatagramEvents(Key),
    /// What is first at a node's line has left it.
    Departure(u32),
    /// A fault begins, or ends.
    Fault(u32, bool),
    /// The network's answer to a datagram that nobody was there for.
    Refusal(Key),
    /// The silence of the peer is looked at.
    KeepAlive(Key, u8),
    /// `side` asks whether the other end has room by now.
    Probe(Key, u8),
    /// `side` has room to write again.
    Writable(Key, u8),
    /// A node that could not start tries again.
    Start(u32),
    /// A node's reactor has something to do.
    Turn(u32),
    /// `side` learns that the other end has read.
    Window(Key, u8),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Time,
    /// What is entered first happens first.
    order: u64,
    what: Scheduled,
}

/// The future.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    entries: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

impl Schedule {
    pub(crate) fn add(&mut self, at: Time, what: Scheduled) {
        self.order += 1;
        self.entries.push(Reverse(Entry { at, order: self.order, what }));
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Scheduled)> {
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.what))
    }
}
