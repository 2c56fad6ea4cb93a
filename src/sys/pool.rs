//! A pool of threads, for system calls that block.
//!
//! Threads start when there is work for them, and end when they have had none for a while. The queue is bounded. The
//! end of the pool does not wait for a job that hangs: its thread is left behind, and ends with the job or with the
//! program.

use crate::sys::process_id;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a thread waits for work before it ends. Names are looked up in bursts, and a thread costs little while it
/// waits.
const IDLE: Duration = Duration::from_secs(10);

/// Work for a thread of the pool.
pub(super) trait Work: Send + 'static {
    /// Does the work. It may block.
    fn run(self: Box<Self>);

    /// Returns false if the result is no longer needed: then the work can be dropped.
    fn is_wanted(&self) -> bool;
}

/// A pool of threads.
pub(super) struct Pool {
    shared: Arc<Workers>,
    name: &'static str,
    threads: usize,
    waiting: usize,
    /// The process that has made it, and its threads.
    process: u32,
}

/// What the pool and its threads share.
struct Workers {
    state: Mutex<State>,
    has_work: Condvar,
    /// A thread has ended.
    has_ended: Condvar,
    /// The number of threads that do not end without work.
    kept: usize,
    /// How long the others wait for it.
    idle: Duration,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Box<dyn Work>>,
    /// The threads that have not ended, and those of them that wait for work.
    threads: usize,
    idle: usize,
    /// The threads that have found no work and are about to end.
    leaving: usize,
    /// The pool was dropped.
    is_over: bool,
}

impl Pool {
    /// Makes a pool without threads. It has at most as many as the end of `threads`, and as many as its start do not end
    /// without work. At most `waiting` jobs wait for a thread. `name` is that of the threads.
    pub(super) fn new(name: &'static str, threads: RangeInclusive<usize>, waiting: usize) -> Self {
        let (kept, threads) = threads.into_inner();
        let shared = Workers {
            state: Mutex::default(),
            has_work: Condvar::new(),
            has_ended: Condvar::new(),
            kept,
            idle: IDLE,
        };
        Self { shared: Arc::new(shared), name, threads, waiting, process: process_id() }
    }

    /// Has a thread do the work, now or after that of others.
    ///
    /// # Errors
    ///
    /// If the queue is full ([`WouldBlock`](io::ErrorKind::WouldBlock)), or there is no thread and none can be started.
    /// The work is returned.
    pub(super) fn run<W: Work>(&self, work: Box<W>) -> Result<(), (Box<W>, io::Error)> {
        let mut state = self.shared.lock();
        let unwanted = match state.queue.len() >= self.waiting {
            // Jobs that were cancelled make room. They are dropped after the lock.
            true => state.take_unwanted(),
            false => Vec::new(),
        };
        if state.queue.len() >= self.waiting {
            return Err((work, io::Error::new(io::ErrorKind::WouldBlock, "the queue is full")));
        }
        // A waiting thread takes one job, and may be waking up for one that is queued already.
        if state.idle <= state.queue.len() && state.staying() < self.threads {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) if state.staying() == 0 => return Err((work, error)),
                Err(_) => {} // The other threads do the work.
            }
        }
        state.queue.push_back(work);
        drop(state);
        self.shared.has_work.notify_one();
        drop(unwanted);
        Ok(())
    }

    /// Drops the jobs that wait, and ends the threads. It waits for them, except for `running` of them: that many
    /// jobs, or more, do not end.
    pub(super) fn end(self, running: usize) {
        self.close();
        let state = self.shared.lock();
        let waited = self.shared.has_ended.wait_while(state, |state| state.threads > running);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn close(&self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        let dropped = mem::take(&mut state.queue);
        drop(state);
        self.shared.has_work.notify_all();
        drop(dropped);
    }

    fn start_thread(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        start_thread(self.name, move || Running(&shared).work())
    }
}

/// Has a thread of its own do the work. It ends with the work or with the program.
///
/// # Errors
///
/// If the system starts no thread.
pub(super) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Ends the threads that wait. Those that work end after their job. A copy in a child of fork(2) has no threads, and one
/// of the parent's may have had the lock.
impl Drop for Pool {
    fn drop(&mut self) {
        if self.process == process_id() {
            self.close();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Workers {
    /// Ignores poisoning: no job runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job. Returns `None` if there is none for a while, or the pool is over.
    fn next(&self) -> Option<Box<dyn Work>> {
        let mut state = self.lock();
        state.idle += 1;
        loop {
            let has_none = |state: &mut State| state.queue.is_empty() && !state.is_over;
            let waited = self.has_work.wait_timeout_while(state, self.idle, has_none);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if !has_none(&mut state) || state.staying() > self.kept {
                break;
            }
        }
        state.idle -= 1;
        let next = state.queue.pop_front();
        state.leaving += usize::from(next.is_none());
        next
    }
}

impl State {
    /// Returns the number of threads that can still take work.
    fn staying(&self) -> usize {
        self.threads - self.leaving
    }

    fn take_unwanted(&mut self) -> Vec<Box<dyn Work>> {
        let (wanted, unwanted) =
            mem::take(&mut self.queue).into_iter().partition(|w| w.is_wanted());
        self.queue = wanted;
        unwanted.into()
    }
}

/// A thread of the pool. It is counted until it ends, by a panic as well.
struct Running<'a>(&'a Workers);

impl Running<'_> {
    fn work(self) {
        while let Some(work) = self.0.next() {
            if work.is_wanted() {
                work.run();
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.threads -= 1;
        state.leaving -= usize::from(!thread::panicking());
        drop(state);
        self.0.has_ended.notify_all();
    }
}

#[cfg(test)]
mod tests;
