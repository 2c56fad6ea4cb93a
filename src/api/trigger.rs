//! Triggers: calls at the beginning and the end of a run, and holds, which delay the end.

use crate::api::context::{Context, Pending};
use crate::api::discard::Discarded;
use crate::api::handle::{Handle, Sent};
#[cfg(feature = "signals")]
use crate::api::signals::SignalHandlers;
use crate::api::timer::Call;
use crate::source::timer::TimerId;
use crate::values::logging::REACTOR;
use log::trace;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A phase of a run, at which a trigger is called.
///
/// A trigger is called once, in the next run that reaches its phase; later runs need a trigger of their own.
/// The triggers of a phase are called in the order in which they were added. A trigger that panics is logged, and
/// the others are called. A trigger that is added to a phase while its triggers are called belongs to the next run.
///
/// The first [`turn`](crate::Reactor::turn) begins a run as [`run`](crate::Reactor::run) does. A run that ends
/// because the poll has failed, or because the reactor is dropped, reaches all phases of the shutdown, without
/// waiting. [`Reactor::abandon`](crate::Reactor::abandon) drops the triggers.
///
/// ```
/// use ropewalk::{RunPhase, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// let context = reactor.context();
/// RunPhase::AfterShutdown.call(context, |_| println!("all connections have ended"));
/// let farewell = RunPhase::BeforeShutdown.call(context, |context| {
///     for id in context.connections() {
///         context.transport(id).write(b"The server is closing.\r\n");
///     }
/// });
/// context.call_when_running(|context| context.stop());
/// reactor.run()?;
/// assert!(!farewell.cancel(reactor.context()), "it was called");
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunPhase {
    /// The run begins. [`Context::is_running`] is still false. A [`Hold`] makes this phase last.
    BeforeStartup,
    /// The reactor is running; no event has been served, unless a hold has delayed this.
    DuringStartup,
    /// All triggers of the startup have been called. The calls of
    /// [`call_when_running`](Context::call_when_running) are made here.
    AfterStartup,
    /// The run is stopping, and everything still works; new connections are closed with the others. A [`Hold`]
    /// makes this phase last.
    BeforeShutdown,
    /// No hold is left, or the grace period is over. Sockets are closed next.
    DuringShutdown,
    /// All connections have ended, and their protocols were notified.
    AfterShutdown,
}

impl RunPhase {
    /// Has `call` called when a run reaches this phase. A trigger that is not called is dropped with the reactor.
    #[doc(alias = "addSystemEventTrigger")]
    pub fn call(
        self,
        context: &mut Context,
        call: impl FnOnce(&mut Context) + 'static,
    ) -> TriggerId {
        let (id, call): (_, Box<dyn Call>) = (context.triggers.next_id(self), Box::new(call));
        trace!(target: REACTOR, "{self:?}: added the trigger {}", call.name());
        context.triggers.calls.insert(id, call);
        id
    }
}

/// The name of a trigger. It can be kept indefinitely: after the trigger was called or cancelled, it names no
/// trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId {
    phase: RunPhase,
    serial: u64,
}

impl TriggerId {
    /// Cancels the trigger. Returns true if it was not called or cancelled before. The closure is dropped once the
    /// running callback has returned. The id must be of the same reactor.
    #[doc(alias = "removeSystemEventTrigger")]
    pub fn cancel(self, context: &mut Context) -> bool {
        let call = context.triggers.calls.remove(&self);
        let was_active = call.is_some();
        if let Some(call) = call {
            context.discard(Discarded::Call(call));
        }
        was_active
    }
}

/// Delays the end of a run: while a hold exists, a stopping run stays in the phase
/// [`BeforeShutdown`](RunPhase::BeforeShutdown), up to the [grace period](crate::Reactor::set_grace), in which
/// everything still works. A second signal or the end of the grace period ends the delay; that is logged.
///
/// A hold that is made by a trigger of [`BeforeStartup`](RunPhase::BeforeStartup) delays the startup in the same way: the
/// reactor serves its sockets, and the phases that follow wait, also up to the grace period. One that is made by a
/// trigger of [`DuringShutdown`](RunPhase::DuringShutdown), or later, delays the end of the run, also if no connection is left.
///
/// It is released when it is dropped, on any thread. It can be made at any time: by a protocol that has begun
/// something which must not be interrupted, or by a trigger.
///
/// ```
/// use ropewalk::{Hold, RunPhase, Reactor};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// RunPhase::BeforeShutdown.call(reactor.context(), |context| {
///     let hold = Hold::new(context);
///     // Finish what was begun, for example on a thread; the run continues meanwhile.
///     context.call_later(Duration::from_millis(1), move |_| drop(hold));
/// });
/// reactor.context().stop();
/// reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a hold is released when it is dropped"]
pub struct Hold {
    handle: Handle,
    /// The count that it belongs to.
    count: Arc<AtomicUsize>,
}

impl Hold {
    /// Makes a hold. In a trigger of [`BeforeStartup`](RunPhase::BeforeStartup) it delays the startup; else it delays the
    /// end of the present run, or of the next one.
    pub fn new(context: &mut Context) -> Self {
        let triggers = &context.triggers;
        let count = match triggers.run {
            Run::Starting => &triggers.startup_holds,
            _ => &triggers.holds,
        };
        count.fetch_add(1, Ordering::SeqCst);
        Self { handle: context.handle(), count: Arc::clone(count) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        // A reactor that has been dropped needs no release.
        let _ = self.handle.send(Sent::Released);
    }
}

/// # The run
impl Context {
    /// Calls `call` once the reactor is running. Before the run it is a trigger of the phase
    /// [`AfterStartup`](RunPhase::AfterStartup): these are called in order, before any event is served. While the
    /// reactor is running it is called soon after the running callback has returned, never inside it; between two
    /// turns, when the next one begins. While a run ends it is called in the next run.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().call_when_running(|context| {
    ///     assert!(context.is_running());
    ///     context.stop();
    /// });
    /// reactor.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "callWhenRunning")]
    #[doc(alias = "call_soon")]
    pub fn call_when_running(&mut self, call: impl FnOnce(&mut Self) + 'static) {
        if self.is_running() {
            self.pending.push_back(Pending::Call(Box::new(call)));
        } else {
            RunPhase::AfterStartup.call(self, call);
        }
    }

    /// Returns true while a run is in progress: from the phase [`DuringStartup`](RunPhase::DuringStartup) until the
    /// end of [`BeforeShutdown`](RunPhase::BeforeShutdown).
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.triggers.run == Run::Running
    }
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Run {
    #[default]
    NotBegun,
    /// The triggers that precede the startup are called.
    Starting,
    /// Holds delay the startup.
    Held,
    Running,
    /// All sockets are closing, or closed.
    Ending,
}

/// The triggers, holds and signal handlers of a reactor.
#[derive(Default)]
pub(crate) struct Triggers {
    /// In order of phase, then in the order in which they were added.
    calls: BTreeMap<TriggerId, Box<dyn Call>>,
    /// The number of triggers added so far.
    added: u64,
    /// The number of holds of a shutdown that have not been released.
    holds: Arc<AtomicUsize>,
    /// The same of a startup, and the end of the wait for them.
    startup_holds: Arc<AtomicUsize>,
    pub(crate) startup_deadline: Option<TimerId>,
    pub(crate) run: Run,
    #[cfg(feature = "signals")]
    pub(crate) signals: SignalHandlers,
}

impl Triggers {
    fn next_id(&mut self, phase: RunPhase) -> TriggerId {
        self.added += 1;
        TriggerId { phase, serial: self.added }
    }

    /// Returns a mark for [`take`](Self::take), which takes no trigger that is added after it.
    pub(crate) fn mark(&self) -> u64 {
        self.added
    }

    /// Takes the first trigger of a phase that was added before the mark.
    pub(crate) fn take(&mut self, phase: RunPhase, mark: u64) -> Option<Box<dyn Call>> {
        let (first, last) = (TriggerId { phase, serial: 0 }, TriggerId { phase, serial: mark });
        let (&id, _) = self.calls.range(first..=last).next()?;
        self.calls.remove(&id)
    }

    /// Returns how many holds delay the end of the run.
    pub(crate) fn holds(&self) -> usize {
        self.holds.load(Ordering::SeqCst)
    }

    /// Returns how many holds delay the startup.
    pub(crate) fn startup_holds(&self) -> usize {
        self.startup_holds.load(Ordering::SeqCst)
    }

    /// Returns true if there is no trigger.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes any trigger.
    pub(crate) fn take_any(&mut self) -> Option<Box<dyn Call>> {
        Some(self.calls.pop_first()?.1)
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, holds, run, .. } = self;
        f.debug_struct("Triggers")
            .field("calls", &calls.len())
            .field("holds", holds)
            .field("run", run)
            .finish_non_exhaustive()
    }
}
