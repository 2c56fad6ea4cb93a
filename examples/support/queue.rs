//! A bounded queue in front of a stream that may block, and the thread that writes to it.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes may be queued: thousands of lines, at a cost of memory that does not matter.
const LIMIT: usize = 1024 * 1024;

/// A queue of lines for a stream. Adding a line never blocks: a terminal that was stopped (Ctrl-S), or a full pipe,
/// blocks the writing thread only.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// The number of bytes in `lines`.
    bytes: usize,
    /// The number of lines that were dropped since the last report.
    dropped: usize,
    /// True while the thread writes lines that it has taken from `lines`.
    writing: bool,
    /// The error of the last write. Lines are discarded after a failure.
    failure: Option<Arc<io::Error>>,
    on_failure: Vec<Box<dyn FnOnce() + Send>>,
}

impl Queue {
    /// Starts the thread that writes to `stream`.
    pub(crate) fn new(stream: impl Write + Send + 'static) -> Arc<Self> {
        let queue = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        let shared = Arc::clone(&queue);
        thread::spawn(move || shared.write_to(stream));
        queue
    }

    /// Adds a line. If the queue is full, the line is dropped. The number of dropped lines is written to the stream
    /// later.
    pub(crate) fn add(&self, line: Vec<u8>) {
        let mut state = self.lock();
        if state.failure.is_some() {
            return;
        }
        if state.bytes + line.len() > LIMIT {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all lines are written, for at most `limit` if it is given. Returns the stream's error if writing
    /// failed.
    pub(crate) fn drain(&self, limit: Option<Duration>) -> Option<Arc<io::Error>> {
        let unwritten = |state: &mut State| {
            state.failure.is_none() && (state.writing || !state.lines.is_empty())
        };
        let limit = limit.unwrap_or(Duration::MAX);
        let drained = self.changed.wait_timeout_while(self.lock(), limit, unwritten);
        let (state, _) = drained.unwrap_or_else(PoisonError::into_inner);
        state.failure.clone()
    }

    /// Calls `act` if writing fails, or immediately if it has failed.
    pub(crate) fn on_failure(&self, act: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.failure.is_none() {
            return state.on_failure.push(Box::new(act));
        }
        drop(state);
        act();
    }

    fn write_to(&self, mut stream: impl Write) {
        loop {
            let batch = self.take();
            let written = stream.write_all(&batch).and_then(|()| stream.flush());
            let mut state = self.lock();
            state.writing = false;
            let Err(error) = written else {
                drop(state);
                self.changed.notify_all();
                continue;
            };
            state.failure = Some(Arc::new(error));
            state.lines.clear();
            let on_failure = mem::take(&mut state.on_failure);
            drop(state);
            self.changed.notify_all();
            return on_failure.into_iter().for_each(|act| act());
        }
    }

    /// Waits for lines and takes all of them.
    fn take(&self) -> Vec<u8> {
        let idle = |state: &mut State| state.lines.is_empty() && state.dropped == 0;
        let state = self.changed.wait_while(self.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        state.bytes = 0;
        let mut batch: Vec<u8> = mem::take(&mut state.lines).into_iter().flatten().collect();
        match mem::take(&mut state.dropped) {
            0 => {}
            count => batch.extend(format!("({count} lines were dropped here)\n").into_bytes()),
        }
        batch
    }

    /// Locks the state. A poisoned lock is usable: no code that can panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
