//! Measurements during a run.

use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// The measurements of all nodes, in nanoseconds, lines and bytes.
pub(crate) struct Gauge {
    /// The number of sent lines, of their receivers, and of received lines.
    pub(crate) sent: Cell<u64>,
    pub(crate) due: Cell<u64>,
    pub(crate) received: Cell<u64>,
    /// The number of lost connections. No client leaves.
    pub(crate) lost: Cell<u64>,
    /// The largest send buffer of a connection.
    pub(crate) send_buffer: Cell<usize>,
    /// From sending a line to receiving it.
    pub(crate) latency: RefCell<Histogram<u64>>,
    /// The number of lines that a server finds in a turn.
    pub(crate) queue: RefCell<Histogram<u64>>,
}

impl Gauge {
    pub(crate) fn new() -> Self {
        // Three digits are more precise than the model.
        let histogram = || RefCell::new(Histogram::new(3).expect("3 digits are allowed"));
        Self {
            sent: Cell::new(0),
            due: Cell::new(0),
            received: Cell::new(0),
            lost: Cell::new(0),
            send_buffer: Cell::new(0),
            latency: histogram(),
            queue: histogram(),
        }
    }

    /// Records a sent line with its number of receivers.
    pub(crate) fn note_sent(&self, receivers: u32) {
        self.sent.set(self.sent.get() + 1);
        self.due.set(self.due.get() + u64::from(receivers));
    }

    /// Records a received line.
    pub(crate) fn note_received(&self, after: Duration) {
        self.received.set(self.received.get() + 1);
        *self.latency.borrow_mut() += after.as_nanos() as u64;
    }

    pub(crate) fn note_turn(&self, lines: u64) {
        *self.queue.borrow_mut() += lines;
    }

    pub(crate) fn note_send_buffer(&self, bytes: usize) {
        self.send_buffer.set(self.send_buffer.get().max(bytes));
    }

    pub(crate) fn note_break(&self) {
        self.lost.set(self.lost.get() + 1);
    }

    /// Discards the measurements before the first line.
    pub(crate) fn begin(&self) {
        self.send_buffer.set(0);
        self.queue.borrow_mut().reset();
    }
}
