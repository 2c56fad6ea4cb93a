//! Calls from other threads.

use crate::api::channel::ChannelId;
use crate::api::context::Context;
use crate::api::timer::Call;
use crate::source::retention::give_back;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// How many calls are made and messages received in a turn before the sockets have theirs, however
/// fast they are sent.
pub(crate) const CALLS: usize = 1024;

/// A way for other threads to have something done on the reactor's: the only part of a reactor that
/// may be sent to them, and cloned freely.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use std::thread;
///
/// let mut reactor = Reactor::new()?;
/// let handle = reactor.handle();
/// let worker = thread::spawn(move || {
///     let answer = 6 * 7; // that took a while
///     handle.call(move |context| {
///         println!("the answer is {answer}");
///         context.stop();
///     })
/// });
/// reactor.run()?;
/// assert!(worker.join().unwrap().is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<SentQueue>,
    waker: Waker,
    /// A run has ended, and none has begun since.
    between_runs: AtomicBool,
}

#[derive(Default)]
struct SentQueue {
    calls: VecDeque<Sent>,
    closed: bool,
}

/// What other threads send.
pub(crate) enum Sent {
    Call(Box<dyn Call + Send>),
    /// There is something in this channel, or its senders are gone: look at it.
    Messages(ChannelId),
    /// The run is to stop.
    Stop,
}

impl Handle {
    /// Makes `call` on the reactor's thread, in one of the next turns. Calls sent by one thread are
    /// made in the order in which they were sent, each exactly once.
    ///
    /// It never waits for the reactor, but it takes a lock for a moment and allocates: it must not be
    /// called in a signal handler (signal-safety(7)). For signals there is
    /// [`stop_on_signals`](crate::Reactor::stop_on_signals). What lives on the reactor's thread and cannot be sent to
    /// another is better reached through a [channel](Context::channel). Calls that are sent between two runs are made in the next
    /// one, or else when the reactor is dropped.
    ///
    /// # Errors
    ///
    /// If the reactor has been dropped: then the call will never be made.
    #[doc(alias = "callFromThread")]
    #[doc(alias = "call_soon_threadsafe")]
    pub fn call(
        &self,
        call: impl FnOnce(&mut Context) + Send + 'static,
    ) -> Result<(), ReactorGone> {
        self.send(Sent::Call(Box::new(call)))
    }

    /// [Stops](Context::stop) the reactor's run. If none is under way, the next one ends as soon as it
    /// has begun. A stop that is sent while a run is ending belongs to that run.
    ///
    /// # Errors
    ///
    /// If the reactor has been dropped.
    pub fn stop(&self) -> Result<(), ReactorGone> {
        self.send(Sent::Stop)
    }

    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                waker,
                between_runs: AtomicBool::new(false),
            }),
        }
    }

    pub(crate) fn set_between_runs(&self, between_runs: bool) {
        self.shared.between_runs.store(between_runs, Ordering::Release);
    }

    pub(crate) fn is_between_runs(&self) -> bool {
        self.shared.between_runs.load(Ordering::Acquire)
    }

    pub(crate) fn send(&self, sent: Sent) -> Result<(), ReactorGone> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(ReactorGone);
        }
        let first = queue.calls.is_empty();
        queue.calls.push_back(sent);
        drop(queue);
        // The reactor takes all calls at once. So only the caller that finds the queue empty wakes it.
        if first {
            self.shared.waker.wake_by_ref();
        }
        Ok(())
    }

    /// No code of a user runs under the lock, so a poisoned one guards a sound queue.
    fn lock(&self) -> MutexGuard<'_, SentQueue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The reactor has been dropped; what it was to do will not be done.
///
/// ```
/// use ropewalk::{Reactor, ReactorGone};
///
/// let reactor = Reactor::new()?;
/// let handle = reactor.handle();
/// drop(reactor);
/// assert_eq!(handle.call(|_| unreachable!()), Err(ReactorGone));
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReactorGone;

impl fmt::Display for ReactorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reactor is gone, and with it what was sent to it")
    }
}

impl Error for ReactorGone {}

/// The reactor's end: what has been sent and not been attended to.
pub(crate) struct Calls {
    handle: Handle,
    /// Taken from the queue, and to be made before what came to the queue since.
    taken: VecDeque<Sent>,
}

impl Calls {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, taken: VecDeque::new() }
    }

    /// Takes over all calls. It must follow every wake-up: a caller that finds the queue not empty relies on an earlier wake-up.
    pub(crate) fn take(&mut self) {
        let mut queue = self.handle.lock();
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut queue.calls);
        } else {
            self.taken.append(&mut queue.calls);
        }
        give_back(&mut queue.calls);
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(crate) fn next(&mut self) -> Option<Sent> {
        let next = self.taken.pop_front();
        give_back(&mut self.taken);
        next
    }

    /// A channel has more messages than the budget allowed: it is looked at again.
    pub(crate) fn put_back(&mut self, channel: ChannelId) {
        self.taken.push_back(Sent::Messages(channel));
    }

    /// Whether calls are known to wait. Those that come later wake the poll.
    pub(crate) fn are_waiting(&self) -> bool {
        !self.taken.is_empty()
    }

    pub(crate) fn set_between_runs(&self, between_runs: bool) {
        self.handle.set_between_runs(between_runs);
    }

    /// The run is over, and with it the stops that were sent to it.
    pub(crate) fn forget_stops(&mut self) {
        self.take();
        self.taken.retain(|sent| !matches!(sent, Sent::Stop));
    }

    /// From now on calls are refused. Returns those that were sent before.
    pub(crate) fn close(&mut self) -> VecDeque<Sent> {
        let mut queue = self.handle.lock();
        queue.closed = true;
        let mut calls = std::mem::take(&mut self.taken);
        calls.append(&mut queue.calls);
        calls
    }
}
