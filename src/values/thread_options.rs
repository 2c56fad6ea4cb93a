//! Options of the threads for work that blocks.

/// Options of the threads of a reactor that do work which blocks: see [`call_in_thread`](crate::call_in_thread).
///
/// ```
/// use ropewalk::{Reactor, ThreadOptions};
///
/// let mut reactor = Reactor::new()?;
/// reactor.set_threads(ThreadOptions::new().max(4).max_waiting(100));
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadOptions {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) max_waiting: usize,
}

impl ThreadOptions {
    /// The defaults: at most 10 threads, none of them kept without work, and at most 1,024 jobs that wait.
    pub const fn new() -> Self {
        Self { min: 0, max: 10, max_waiting: 1024 }
    }

    /// Sets the number of threads that stay when there is no work. They start with the first jobs; the others end
    /// after 10 seconds without work. Default: 0.
    #[must_use]
    pub const fn min(mut self, min: usize) -> Self {
        self.min = min;
        self
    }

    /// Sets the most threads. More threads than processors are useful for work that waits, not for work that
    /// computes. Default: 10. 0 counts as 1.
    #[must_use]
    #[doc(alias = "suggestThreadPoolSize")]
    pub const fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Sets the most jobs that wait for a thread. A job beyond them is refused. Default: 1,024.
    #[must_use]
    pub const fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Returns the most threads, at least 1.
    pub fn threads(&self) -> usize {
        self.max.max(1)
    }

    /// Returns the number of threads that stay when there is no work.
    pub fn kept(&self) -> usize {
        self.min.min(self.threads())
    }

    /// Returns the most jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.max_waiting
    }
}

impl Default for ThreadOptions {
    fn default() -> Self {
        Self::new()
    }
}
