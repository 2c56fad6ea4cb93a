//! Queued descriptors, and the bytes that carry them.

use std::collections::VecDeque;

pub(crate) use crate::sys::{MAX_DESCRIPTORS, OwnedFd};

/// The most descriptors queued on one connection. Each of them counts against the process's limit.
pub(crate) const MAX_QUEUED: usize = 1024;

/// The descriptors of one connection that the system has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// In order.
    messages: VecDeque<Message>,
    /// The number of queued descriptors in all messages.
    queued: usize,
    /// The number of bytes that the system has taken since the queue was empty.
    taken: u64,
    /// The number of consecutive refusals because too many descriptors are in flight.
    pub(crate) refusals: u32,
    /// True until the next attempt after a refusal.
    pub(crate) backing_off: bool,
}

/// Descriptors, and the bytes that carry them.
#[derive(Debug)]
struct Message {
    /// The position of the first of these bytes, counted as `taken`.
    at: u64,
    /// The number of these bytes. Later bytes must not be received together with them.
    length: usize,
    descriptors: Vec<OwnedFd>,
}

impl Passing {
    /// Returns the number of queued descriptors.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Queues descriptors behind `before` queued bytes, with the next `length` bytes.
    pub(crate) fn push(&mut self, before: usize, length: usize, descriptors: Vec<OwnedFd>) {
        self.queued += descriptors.len();
        let at = self.taken + before as u64;
        self.messages.push_back(Message { at, length, descriptors });
    }

    /// Returns the descriptors that go with the first queued byte.
    pub(crate) fn at_front(&self) -> &[OwnedFd] {
        match self.messages.front() {
            Some(message) if message.at == self.taken => &message.descriptors,
            _ => &[],
        }
    }

    /// Returns the number of bytes that one write may send: those of one message, or those before it.
    pub(crate) fn reach(&self) -> usize {
        match self.messages.front() {
            None => usize::MAX,
            Some(message) if message.at == self.taken => message.length,
            Some(message) => (message.at - self.taken) as usize,
        }
    }

    /// Notes that the system has taken `count` bytes, at most [`reach`](Self::reach), and the descriptors of
    /// the first of them.
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.reach());
        if count == 0 {
            return;
        }
        self.refusals = 0;
        if !self.at_front().is_empty()
            && let Some(sent) = self.messages.pop_front()
        {
            self.queued -= sent.descriptors.len();
        }
        self.taken += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn files(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| File::open("/dev/null").expect("it is always there").into()).collect()
    }

    #[test]
    fn each_message_is_sent_by_itself() {
        let mut passing = Passing::default();
        passing.push(10, 4, files(2));
        passing.push(14, 1, files(3));
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 10));
        passing.advance(7);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 3));
        passing.advance(3);
        assert_eq!((passing.at_front().len(), passing.reach(), passing.queued()), (2, 4, 5));
        passing.advance(0);
        assert_eq!(passing.at_front().len(), 2, "nothing was taken");
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 3), "they went with the first");
        passing.push(4, 2, files(1));
        passing.advance(3);
        assert_eq!((passing.at_front().len(), passing.reach()), (3, 1));
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach(), passing.queued()), (1, 2, 1));
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, usize::MAX));
    }
}
