//! Descriptors that wait to be sent, and between which bytes. Floor 0: no I/O.

use std::collections::VecDeque;

pub(crate) use crate::sys::OwnedFd;
pub(crate) use crate::sys::fd_passing::MOST;

/// How many may wait on one connection. Each of them is one that the process has less.
pub(crate) const WAITING: usize = 1024;

/// The descriptors that one connection has been given to pass and the system has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// In order.
    messages: VecDeque<Message>,
    /// How many descriptors wait, all messages together.
    waiting: usize,
    /// How many bytes the system has taken since there were any.
    taken: u64,
    /// How often in a row the system has had too many of them on their way.
    pub(crate) refusals: u32,
    /// It is asked again after a while.
    pub(crate) backing_off: bool,
}

/// Descriptors, and the bytes that go with them.
#[derive(Debug)]
struct Message {
    /// The first of these bytes, counted as `taken` is.
    at: u64,
    /// How many they are. Whoever receives them should not get what follows with them.
    length: usize,
    descriptors: Vec<OwnedFd>,
}

impl Passing {
    /// How many descriptors wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts descriptors behind so many bytes, with the `length` that come next.
    pub(crate) fn push(&mut self, before: usize, length: usize, descriptors: Vec<OwnedFd>) {
        self.waiting += descriptors.len();
        let at = self.taken + before as u64;
        self.messages.push_back(Message { at, length, descriptors });
    }

    /// What goes with the first byte that waits.
    pub(crate) fn at_front(&self) -> &[OwnedFd] {
        match self.messages.front() {
            Some(message) if message.at == self.taken => &message.descriptors,
            _ => &[],
        }
    }

    /// How many bytes may be sent at once: those of one message, or those before it.
    pub(crate) fn reach(&self) -> usize {
        match self.messages.front() {
            None => usize::MAX,
            Some(message) if message.at == self.taken => message.length,
            Some(message) => (message.at - self.taken) as usize,
        }
    }

    /// So many bytes have been sent, and what went with the first of them. No more than
    /// [`reach`](Self::reach).
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.reach());
        if count == 0 {
            return;
        }
        self.refusals = 0;
        if !self.at_front().is_empty()
            && let Some(sent) = self.messages.pop_front()
        {
            self.waiting -= sent.descriptors.len();
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
    fn each_message_goes_by_itself_whatever_pieces_the_system_takes() {
        let mut passing = Passing::default();
        passing.push(10, 4, files(2));
        passing.push(14, 1, files(3));
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 10));
        passing.advance(7);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 3));
        passing.advance(3);
        assert_eq!((passing.at_front().len(), passing.reach(), passing.waiting()), (2, 4, 5));
        passing.advance(0);
        assert_eq!(passing.at_front().len(), 2, "nothing was taken");
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, 3), "they went with the first");
        passing.push(4, 2, files(1));
        passing.advance(3);
        assert_eq!((passing.at_front().len(), passing.reach()), (3, 1));
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach(), passing.waiting()), (1, 2, 1));
        passing.advance(1);
        assert_eq!((passing.at_front().len(), passing.reach()), (0, usize::MAX));
    }
}
