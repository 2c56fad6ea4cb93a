//! What is measured while a chat goes on.

use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// One for all nodes. What it shows is in nanoseconds, lines and bytes.
pub(crate) struct Gauge {
    /// Lines that were said, and how many times they are to be heard, and were.
    pub(crate) said: Cell<u64>,
    pub(crate) due: Cell<u64>,
    pub(crate) heard: Cell<u64>,
    /// Connections that ended; nobody means to leave.
    pub(crate) broken: Cell<u64>,
    /// The most bytes that waited for one connection at once.
    pub(crate) waiting: Cell<usize>,
    /// From when a line was said until it was heard.
    pub(crate) latency: RefCell<Histogram<u64>>,
    /// How many lines waited for a server when it turned to them.
    pub(crate) queue: RefCell<Histogram<u64>>,
}

impl Gauge {
    pub(crate) fn new() -> Self {
        // Three digits: a thousandth is finer than anything here is meant.
        let histogram =
            || RefCell::new(Histogram::new(3).expect("there are histograms of 3 digits"));
        Self {
            said: Cell::new(0),
            due: Cell::new(0),
            heard: Cell::new(0),
            broken: Cell::new(0),
            waiting: Cell::new(0),
            latency: histogram(),
            queue: histogram(),
        }
    }

    /// Something was said to so many.
    pub(crate) fn note_said(&self, listeners: u32) {
        self.said.set(self.said.get() + 1);
        self.due.set(self.due.get() + u64::from(listeners));
    }

    /// And one of them has heard it.
    pub(crate) fn note_heard(&self, after: Duration) {
        self.heard.set(self.heard.get() + 1);
        *self.latency.borrow_mut() += after.as_nanos() as u64;
    }

    pub(crate) fn note_turn(&self, lines: u64) {
        *self.queue.borrow_mut() += lines;
    }

    pub(crate) fn note_waiting(&self, bytes: usize) {
        self.waiting.set(self.waiting.get().max(bytes));
    }

    pub(crate) fn note_break(&self) {
        self.broken.set(self.broken.get() + 1);
    }

    /// The people have come, and nothing that they did until now counts.
    pub(crate) fn begin(&self) {
        self.waiting.set(0);
        self.queue.borrow_mut().reset();
    }
}
