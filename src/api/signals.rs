//! Signals: SIGINT and SIGTERM, which stop a run, and handlers of others.

use crate::api::context::Context;
use crate::api::discard::Discarded;
use crate::api::handle::Handle;
use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::sys::error::failed;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::journal::RecordKind;
use crate::values::logging::SIGNAL;
use log::info;
use std::any::type_name_of_val;
use std::collections::BTreeMap;
use std::fmt;

/// The signals that end a run.
pub(crate) struct StopSignals {
    signals: Box<dyn SignalBackend>,
    /// The reactors that end together with this one. A second signal reaches all of them, since two
    /// signals in quick succession may look like one to a member that is busy.
    group: Vec<Handle>,
    /// The first signal that has arrived in this run. A stop alone does not tell: another member of the group
    /// may have begun it because of the same signal.
    pub(crate) received: Option<i32>,
}

/// SIGINT on all systems with signals (signal(7)).
const SIGINT: i32 = 2;

impl StopSignals {
    pub(crate) fn new(signals: Box<dyn SignalBackend>, group: &[Handle]) -> Self {
        Self { signals, group: group.to_vec(), received: None }
    }

    /// Begins a run, unless it has begun before.
    pub(crate) fn begin_run(&mut self) {
        if self.signals.begin_run() {
            self.received = None;
        }
    }

    /// Ends the run.
    pub(crate) fn end_run(&mut self) {
        self.signals.end_run();
    }

    /// Acts on the signals that have arrived: the first of a run stops it gracefully, the second at once.
    #[cold]
    pub(crate) fn handle(&mut self, context: &mut Context) {
        for signal in self.signals.pending() {
            context.journal.note(Id::NONE, RecordKind::Signal, 0, signal as usize);
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if self.received.is_some() {
                info!(target: SIGNAL, "{name} again: stopping at once");
                context.stop_at_once();
                for member in &self.group {
                    // A member that no longer exists has ended already.
                    let _ = member.call(Context::stop_at_once);
                }
            } else {
                info!(target: SIGNAL, "{name}: stopping; a second signal stops at once");
                self.received = Some(signal);
                context.stop();
            }
        }
    }
}

/// The name of a handler of a signal. It can be kept for any time: after the handler was cancelled, it
/// names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalHandlerId(u64);

impl SignalHandlerId {
    /// Calls `handler` in a turn after the signal has arrived, as often as that happens, until the handler is
    /// [cancelled](Self::cancel) or the reactor dropped. It is for callbacks, and through a [`Handle`] for the members
    /// of a group; before a run, see [`Reactor::on_signal`](crate::Reactor::on_signal), which has the details.
    ///
    /// ```
    /// use ropewalk::{Reactor, SignalHandlerId};
    /// use signal_hook::{consts::SIGUSR1, low_level::raise};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().call_when_running(|context| {
    ///     let added = SignalHandlerId::add(context, SIGUSR1, |context| context.stop());
    ///     assert!(added.is_ok());
    ///     raise(SIGUSR1).unwrap();
    /// });
    /// reactor.run()?;
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught: see [`Reactor::on_signal`](crate::Reactor::on_signal).
    pub fn add(
        context: &mut Context,
        signal: i32,
        handler: impl FnMut(&mut Context) + 'static,
    ) -> Result<Self, Error> {
        let watch = context.backend.watch_signal(signal);
        let watch =
            watch.map_err(|cause| failed("catch", format!("signal {signal}"), cause, |_| None))?;
        let name = type_name_of_val(&handler);
        let handlers = &mut context.triggers.signals;
        handlers.added += 1;
        let handler = SignalHandler { watch, name, call: Some(Box::new(handler)) };
        handlers.handlers.insert(handlers.added, handler);
        Ok(Self(handlers.added))
    }

    /// Removes the handler. Returns true if it was not removed before. The closure is dropped once the running callback
    /// has returned. The id must be of the same reactor.
    ///
    /// When the last handler of a signal in this process has been removed, the signal has its default action again. A
    /// signal that signal-hook has no name for, such as a real-time signal, has no effect then.
    #[doc(alias = "remove_signal_handler")]
    #[doc(alias = "uv_signal_stop")]
    pub fn cancel(self, context: &mut Context) -> bool {
        let handler = context.triggers.signals.handlers.remove(&self.0);
        let was_active = handler.is_some();
        if let Some(SignalHandler { name, call: Some(call), .. }) = handler {
            context.discard(Discarded::Other(Box::new(call), name));
        }
        was_active
    }
}

/// The closure of a handler.
pub(crate) type OnSignal = Box<dyn FnMut(&mut Context)>;

/// A user's handler of a signal.
struct SignalHandler {
    watch: Box<dyn SignalWatchBackend>,
    name: &'static str,
    /// Absent while it is called.
    call: Option<OnSignal>,
}

/// The handlers of signals, in the order in which they were added.
#[derive(Default)]
pub(crate) struct SignalHandlers {
    handlers: BTreeMap<u64, SignalHandler>,
    /// The number of handlers added so far.
    added: u64,
}

impl SignalHandlers {
    pub(crate) fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    pub(crate) fn ids(&self) -> Vec<SignalHandlerId> {
        self.handlers.keys().copied().map(SignalHandlerId).collect()
    }

    /// Takes a handler, and its name, if its signal has arrived.
    pub(crate) fn take_arrived(&mut self, id: SignalHandlerId) -> Option<(OnSignal, &'static str)> {
        let handler = self.handlers.get_mut(&id.0)?;
        if !handler.watch.take() {
            return None;
        }
        Some((handler.call.take()?, handler.name))
    }

    /// Puts a handler back after its call. Returns it if it was cancelled in the meantime.
    pub(crate) fn put_back(&mut self, id: SignalHandlerId, call: OnSignal) -> Option<OnSignal> {
        match self.handlers.get_mut(&id.0) {
            Some(handler) => {
                handler.call = Some(call);
                None
            }
            None => Some(call),
        }
    }

    /// Removes the last handler.
    pub(crate) fn pop(&mut self) -> Option<(Option<OnSignal>, &'static str)> {
        let (_, handler) = self.handlers.pop_last()?;
        Some((handler.call, handler.name))
    }
}

impl fmt::Debug for StopSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSignals").field("received", &self.received).finish_non_exhaustive()
    }
}
