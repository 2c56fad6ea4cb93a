//! Reactors with nothing to wait for, and reactors that never ran.

use crate::reactor::Reactor;
use crate::reactor::dispatcher::Dispatcher;
use crate::source::table::Source;
use crate::values::logging::REACTOR;
use log::warn;

impl Reactor {
    /// Stops the run if nothing can happen in it any more: without this it would wait for ever.
    pub(super) fn stop_if_idle(&mut self) {
        #[cfg(feature = "signals")]
        if self.dispatcher.signals.is_some() || !self.dispatcher.context.triggers.signals.is_empty()
        {
            return;
        }
        if self.dispatcher.is_idle() {
            warn!(
                target: REACTOR,
                "nothing to wait for: no sockets, timers, signal handlers or handles; the run ends"
            );
            self.dispatcher.context.stop();
        }
    }
}

impl Dispatcher {
    /// Returns true if no event, timer or call of another thread can follow.
    fn is_idle(&mut self) -> bool {
        self.context.sources.len() == 0
            && self.wait_limit(None).0.is_none()
            && !self.calls.may_follow()
    }

    /// Logs a warning about a reactor that is dropped without a run: what it was made for never happened.
    pub(super) fn warn_if_never_run(&self) {
        let exists = |source: &Source| !matches!(source, Source::Gone);
        let sources = self.context.sources.iter().filter(|(_, source)| exists(source)).count();
        let timers = self.context.until_next_timer().is_some();
        let triggers = !self.context.triggers.is_empty();
        if self.context.statistics().turns == 0 && (sources > 0 || timers || triggers) {
            let also = |has: bool, what| if has { what } else { "" };
            warn!(
                target: REACTOR,
                "the reactor was dropped without a run; sockets, processes and watches: {sources}{}{}",
                also(timers, ", and there are timers"),
                also(triggers, ", and there are triggers")
            );
        }
    }
}
