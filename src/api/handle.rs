//! Handles: calls from other threads.

use crate::api::channel::ChannelId;
use crate::api::context::Context;
use crate::api::thread_job::JobKey;
use crate::api::timer::Call;
use crate::source::retention::give_back;
use crate::sys::{Answered, ArrivalBackend, Incoming, SentKind};
use crate::values::id::Id;
use crate::values::journal::Arrival;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};

/// The number of calls and messages that are handled in a turn before the sockets are served, so that a fast
/// sender does not hold them up.
pub(crate) const CALLS: usize = 1024;

/// The number of handles that a reactor has itself: that of its context, and that of [`Calls`].
const OWN: usize = 2;

/// Makes calls on the reactor's thread from other threads. It is the only part of a reactor that can be sent to
/// another thread, and it can be cloned.
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
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<SentQueue>,
    waker: Waker,
    /// The reactor's thread.
    thread: ThreadId,
    /// A run has ended, and none has begun since.
    between_runs: AtomicBool,
}

#[derive(Default)]
struct SentQueue {
    calls: VecDeque<SentEntry>,
    closed: bool,
    /// The number of handles, those of the reactor included.
    handles: usize,
}

/// An entry of the queue.
struct SentEntry {
    sent: Sent,
    /// Sent on the reactor's own thread.
    own: bool,
}

impl SentEntry {
    /// Returns what a backend that records notes of it.
    fn arrival(&self) -> Incoming<'_> {
        let kind = match &self.sent {
            Sent::Answer(id, answered) => SentKind::Answer(*id, answered),
            Sent::Call(call) => SentKind::Call(call.name()),
            Sent::JobOver(key, _) => SentKind::JobOver(key.number()),
            Sent::Messages(channel) => SentKind::Messages(channel.0),
            Sent::Released => SentKind::Released,
            Sent::Stop => SentKind::Stop,
        };
        Incoming::new(self.own, kind)
    }
}

/// What other threads send.
pub(crate) enum Sent {
    /// A part of the answer to the look-up of this source.
    Answer(Id, Answered),
    Call(Box<dyn Call + Send>),
    /// A job is over, perhaps by a panic with this message.
    JobOver(JobKey, Option<String>),
    /// The channel has messages, or its last sender was dropped.
    Messages(ChannelId),
    /// A hold was released.
    Released,
    /// The run is to stop.
    Stop,
}

impl Sent {
    /// Returns the word for it in the journal.
    pub(crate) fn word(&self) -> Arrival {
        match self {
            Self::Answer(..) => Arrival::Answer,
            Self::Call(_) => Arrival::Call,
            Self::JobOver(..) => Arrival::JobDone,
            Self::Messages(_) => Arrival::Messages,
            Self::Released => Arrival::Released,
            Self::Stop => Arrival::Stop,
        }
    }
}

impl Handle {
    /// Makes `call` on the reactor's thread, in one of the next turns. Calls sent by one thread are
    /// made in the order in which they were sent, each exactly once.
    ///
    /// It never waits for the reactor. It takes a lock for a moment and allocates, so it must not be
    /// called in a signal handler (signal-safety(7)); use
    /// [`stop_on_signals`](crate::Reactor::stop_on_signals) for signals. To reach values that cannot leave the
    /// reactor's thread, use a [channel](Context::channel). Calls that are sent between two runs are made in
    /// the next run, or when the reactor is dropped.
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

    /// [Stops](Context::stop) the reactor's run. If no run is in progress, the next run ends as soon as it
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
                queue: Mutex::new(SentQueue { handles: 1, ..SentQueue::default() }),
                waker,
                thread: thread::current().id(),
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

    /// Returns true if the reactor is on the calling thread.
    pub(super) fn is_of_this_thread(&self) -> bool {
        self.shared.thread == thread::current().id()
    }

    /// Returns true if the reactor has been dropped.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn send(&self, sent: Sent) -> Result<(), ReactorGone> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(ReactorGone);
        }
        let first = queue.calls.is_empty();
        queue.calls.push_back(SentEntry { sent, own: self.is_of_this_thread() });
        drop(queue);
        // The reactor takes all calls at once. So only the caller that finds the queue empty wakes it.
        if first {
            self.shared.waker.wake_by_ref();
        }
        Ok(())
    }

    /// Ignores poisoning: no user code runs under the lock, so the queue is consistent.
    fn lock(&self) -> MutexGuard<'_, SentQueue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.lock().handles += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// The last handle outside the reactor wakes it: the run may have nothing to wait for any more.
impl Drop for Handle {
    fn drop(&mut self) {
        let mut queue = self.lock();
        queue.handles -= 1;
        let is_last = queue.handles == OWN && !queue.closed;
        drop(queue);
        if is_last {
            self.shared.waker.wake_by_ref();
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The error of a request to a reactor that has been dropped.
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
        f.write_str("the reactor has been dropped")
    }
}

impl Error for ReactorGone {}

/// The reactor's end: calls that were sent and have not been made.
pub(crate) struct Calls {
    handle: Handle,
    /// Calls that were taken from the queue. They precede the calls in the queue.
    taken: VecDeque<SentEntry>,
    /// What notes them.
    arrivals: Option<Box<dyn ArrivalBackend>>,
}

impl Calls {
    pub(crate) fn new(handle: Handle, arrivals: Option<Box<dyn ArrivalBackend>>) -> Self {
        Self { handle, taken: VecDeque::new(), arrivals }
    }

    /// Takes over all calls. It must follow every wake-up: a caller that finds the queue not empty relies on an
    /// earlier wake-up.
    pub(crate) fn take(&mut self) {
        if self.arrivals.is_some() {
            return self.take_noted();
        }
        let mut queue = self.handle.lock();
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut queue.calls);
        } else {
            self.taken.append(&mut queue.calls);
        }
        give_back(&mut queue.calls);
    }

    /// Takes over all calls one by one, for a backend that records them, or sends recorded ones.
    #[cold]
    fn take_noted(&mut self) {
        let Some(arrivals) = &self.arrivals else { return };
        let mut waiting = std::mem::take(&mut self.handle.lock().calls);
        loop {
            // Refused after the end only, when nothing stops any more.
            let sent = arrivals.send_next(&mut || self.handle.stop().unwrap_or(()));
            let next =
                if sent { self.handle.lock().calls.pop_front() } else { waiting.pop_front() };
            let Some(next) = next else { break };
            arrivals.arrived(&next.arrival());
            self.taken.push_back(next);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(crate) fn next(&mut self) -> Option<Sent> {
        let next = self.taken.pop_front();
        give_back(&mut self.taken);
        next.map(|queued| queued.sent)
    }

    /// Lists a channel again, since it has more messages than the budget allowed.
    pub(crate) fn put_back(&mut self, channel: ChannelId) {
        self.taken.push_back(SentEntry { sent: Sent::Messages(channel), own: true });
    }

    /// Returns true if calls were taken and not made. Later calls wake the poll.
    pub(crate) fn are_waiting(&self) -> bool {
        !self.taken.is_empty()
    }

    /// Returns true if calls were sent that have not been taken, or may still be sent.
    pub(crate) fn may_follow(&self) -> bool {
        let queue = self.handle.lock();
        let may = queue.handles > OWN || !queue.calls.is_empty();
        drop(queue);
        self.arrivals.as_ref().map_or(may, |arrivals| arrivals.may_follow(may))
    }

    /// Sets whether the reactor is between two runs, when it does not receive what is sent soon.
    pub(crate) fn set_between_runs(&self, between_runs: bool) {
        self.handle.set_between_runs(between_runs);
    }

    /// Removes the stops that were sent to the run that has ended.
    pub(crate) fn forget_stops(&mut self) {
        self.take();
        self.taken.retain(|queued| !matches!(queued.sent, Sent::Stop));
    }

    /// Refuses calls from now on. Returns the calls that were sent before.
    pub(crate) fn close(&mut self) -> impl Iterator<Item = Sent> + use<> {
        // A backend that replays can send until the queue is closed.
        self.take();
        let mut queue = self.handle.lock();
        queue.closed = true;
        let mut late = std::mem::take(&mut queue.calls);
        drop(queue);
        if let Some(arrivals) = &self.arrivals {
            late.iter().for_each(|queued| arrivals.arrived(&queued.arrival()));
        }
        let mut calls = std::mem::take(&mut self.taken);
        calls.append(&mut late);
        calls.into_iter().map(|queued| queued.sent)
    }
}
