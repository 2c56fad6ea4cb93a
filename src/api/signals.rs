//! Signals: SIGINT and SIGTERM, which stop a run, and handlers of others.

use crate::api::context::Context;
use crate::api::handle::Handle;
use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::values::logging::SIGNAL;
use log::info;
use std::fmt;

/// The signals that end a run.
pub(crate) struct StopSignals {
    signals: Box<dyn SignalBackend>,
    /// The reactors that end together with this one. A second signal reaches all of them, since two
    /// signals in quick succession may look like one to a member that is busy.
    group: Vec<Handle>,
    /// Whether a signal has arrived in this run. A stop alone does not tell: another member of the group
    /// may have begun it because of the same signal.
    received: bool,
}

impl StopSignals {
    pub(crate) fn new(signals: Box<dyn SignalBackend>, group: &[Handle]) -> Self {
        Self { signals, group: group.to_vec(), received: false }
    }

    /// Begins a run, unless it has begun before.
    pub(crate) fn begin_run(&mut self) {
        if self.signals.begin_run() {
            self.received = false;
        }
    }

    /// Ends the run.
    pub(crate) fn end_run(&mut self) {
        self.signals.end_run();
    }

    /// Acts on the signals that have arrived: the first of a run stops it gracefully, the second at once.
    pub(crate) fn handle(&mut self, context: &mut Context) {
        for name in self.signals.pending() {
            if self.received {
                info!(target: SIGNAL, "{name} again: stopping at once");
                context.stop_at_once();
                for member in &self.group {
                    // A member that no longer exists has ended already.
                    let _ = member.call(Context::stop_at_once);
                }
            } else {
                info!(target: SIGNAL, "{name}: stopping; a second signal stops at once");
                self.received = true;
                context.stop();
            }
        }
    }
}

/// A user's handler of a signal.
pub(crate) struct SignalHandler {
    pub(crate) watch: Box<dyn SignalWatchBackend>,
    pub(crate) name: &'static str,
    pub(crate) call: Box<dyn FnMut(&mut Context)>,
}

impl fmt::Debug for StopSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopSignals").field("received", &self.received).finish_non_exhaustive()
    }
}
