//! The schedule of future events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds since the world began. They last for 584 years.
pub(crate) type Time = u64;

/// Key of a connection or socket: its slot, and a serial number that distinguishes it from earlier users of the
/// slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// An event that happens at a scheduled time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheduled {
    /// The end `side` of a connection is notified again of its readiness.
    RepeatEvents(Key, u8),
    /// The next part of the answer to the look-up with this number arrives.
    Answer(Time),
    /// The first segment that `side` has sent arrives at the other end.
    Arrival(Key, u8),
    /// A datagram arrives.
    Datagram(u32),
    /// A datagram socket is notified again of its readiness.
    RepeatDatagramEvents(Key),
    /// The first packet of a node's uplink has left it.
    Departure(u32),
    /// A fault begins, or ends.
    Fault(u32, bool),
    /// A job of a node ends.
    Job(u64),
    /// The network reports that no socket received a datagram.
    Refusal(Key),
    /// The end checks whether its silent peer is still reachable.
    KeepAlive(Key, u8),
    /// `side` probes whether the other end has free buffer space.
    Probe(Key, u8),
    /// The time for which the process with this number waits has come.
    #[cfg(all(unix, feature = "process"))]
    Process(u64),
    /// `side` can write again.
    Writable(Key, u8),
    /// A node that could not start tries again.
    Start(u32),
    /// A node's reactor has work to do.
    Turn(u32),
    /// `side` learns that the other end has read.
    Window(Key, u8),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Time,
    /// Among entries of the same time, the first one added comes first.
    order: u64,
    what: Scheduled,
}

/// All future events.
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

    /// Returns the time of the next event.
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
