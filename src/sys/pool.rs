//! A pool of threads, for system calls that block.
//!
//! Threads start when there is work for them, and end when they have had none for a while. The queue is bounded. The
//! end of the pool does not wait for a job that hangs: its thread is left behind, and ends with the job or with the
//! program.

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
}

/// What the pool and its threads share.
struct Workers {
    state: Mutex<State>,
    has_work: Condvar,
    /// A thread has ended.
    has_ended: Condvar,
    /// The number of threads that do not end without work.
    kept: usize,
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
        };
        Self { shared: Arc::new(shared), name, threads, waiting }
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
        let thread = thread::Builder::new().name(self.name.to_owned());
        thread.spawn(move || Running(&shared).work()).map(drop)
    }
}

/// Ends the threads that wait. Those that work end after their job.
impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
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
            let waited = self.has_work.wait_timeout_while(state, IDLE, has_none);
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
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    /// Reports its number, then waits until the gate is closed.
    struct Job {
        number: usize,
        begun: Sender<usize>,
        gate: Option<Receiver<()>>,
        wanted: bool,
    }

    impl Work for Job {
        fn run(self: Box<Self>) {
            let _ = self.begun.send(self.number);
            assert_ne!(self.number, 13, "a panic on purpose");
            if let Some(gate) = self.gate {
                let _ = gate.recv();
            }
        }

        fn is_wanted(&self) -> bool {
            self.wanted
        }
    }

    struct Scene {
        pool: Pool,
        sender: Sender<usize>,
        begun: Receiver<usize>,
    }

    impl Scene {
        fn new(threads: usize, waiting: usize) -> Self {
            let (sender, begun) = channel();
            Self { pool: Pool::new("test", 0..=threads, waiting), sender, begun }
        }

        fn run(&self, number: usize, wanted: bool) -> io::Result<()> {
            let job = Job { number, begun: self.sender.clone(), gate: None, wanted };
            self.pool.run(Box::new(job)).map_err(|(_, error)| error)
        }

        /// Runs a job that hangs until the returned gate is dropped.
        fn hang(&self, number: usize) -> Sender<()> {
            let (gate, receiver) = channel();
            let begun = self.sender.clone();
            let job = Job { number, begun, gate: Some(receiver), wanted: true };
            assert!(self.pool.run(Box::new(job)).is_ok());
            gate
        }

        fn threads(&self) -> usize {
            self.pool.shared.lock().threads
        }
    }

    #[test]
    fn hanging_jobs_leave_other_threads_free() {
        let scene = Scene::new(2, 10);
        assert_eq!(scene.threads(), 0, "threads start when there is work");
        let gate = scene.hang(1);
        assert_eq!(scene.begun.recv(), Ok(1));
        for number in 2..6 {
            scene.run(number, true).unwrap();
            assert_eq!(scene.begun.recv(), Ok(number));
        }
        assert_eq!(scene.threads(), 2);
        drop(gate);
    }

    #[test]
    fn full_queue_is_an_error_until_jobs_are_cancelled() {
        let scene = Scene::new(1, 2);
        let gate = scene.hang(1);
        assert_eq!(scene.begun.recv(), Ok(1));
        scene.run(2, true).unwrap();
        scene.run(3, false).unwrap();
        scene.run(4, true).unwrap();
        assert_eq!(scene.run(5, true).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(gate);
        assert_eq!([scene.begun.recv(), scene.begun.recv()], [Ok(2), Ok(4)]);
    }

    #[test]
    fn panic_costs_one_job() {
        let scene = Scene::new(1, 10);
        scene.run(13, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(13));
        let begin = Instant::now();
        while scene.threads() > 0 {
            assert!(begin.elapsed() < Duration::from_secs(10), "the thread is still counted");
            thread::yield_now();
        }
        scene.run(2, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(2));
    }

    #[test]
    fn end_waits_for_all_threads_but_the_running() {
        let scene = Scene::new(3, 10);
        let gate = scene.hang(1);
        assert_eq!(scene.begun.recv(), Ok(1));
        for number in 2..20 {
            scene.run(number, true).unwrap();
            assert_eq!(scene.begun.recv(), Ok(number));
        }
        let shared = Arc::clone(&scene.pool.shared);
        scene.pool.end(1);
        assert_eq!(shared.lock().threads, 1);
        drop(gate);
    }

    #[test]
    fn thread_that_is_about_to_end_is_replaced() {
        let scene = Scene::new(1, 10);
        {
            let mut state = scene.pool.shared.lock();
            (state.threads, state.leaving) = (1, 1);
        }
        scene.run(2, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(2));
    }

    #[test]
    fn end_of_pool_does_not_wait_for_a_job() {
        let scene = Scene::new(1, 10);
        let gate = scene.hang(1);
        assert_eq!(scene.begun.recv(), Ok(1));
        scene.run(2, true).unwrap();
        drop(scene.pool);
        drop(scene.sender);
        drop(gate);
        assert!(scene.begun.recv().is_err(), "the second job is dropped");
    }
}
