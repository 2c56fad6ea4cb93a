//! Signals that end a run.

use crate::api::handle::Handle;
use crate::api::signals::StopSignals;
use crate::reactor::Reactor;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;

impl Reactor {
    /// Lets SIGINT (Ctrl-C) and SIGTERM [stop](crate::Context::stop) a run gracefully. A second one in the same
    /// run ends it without waiting for any peer.
    ///
    /// They are caught from now on: a signal before the first run ends that run as soon as it has begun.
    /// Between a run's end and the first turn of the next one, and after the reactor is dropped, they take
    /// their default action, which ends the process. A signal that arrives while the run is ending for another
    /// reason counts as the first.
    ///
    /// A signal that the process was started to ignore stays ignored, as nohup(1) and a shell's `&` rely on
    /// (detected on Linux only). A child that fork(2) makes without exec(3) inherits the handlers: a signal
    /// sent to the child reaches the parent's reactor as well. Start programs with
    /// [`Command`](std::process::Command), or set the default action in the child.
    ///
    /// On systems without these signals this does nothing: Ctrl-C ends the process there.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// reactor.stop_on_signals()?;
    /// reactor.set_grace(Duration::from_secs(3));
    /// # reactor.context().stop();
    /// reactor.run()?; // until Ctrl-C
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left for it.
    pub fn stop_on_signals(&mut self) -> Result<(), Error> {
        self.stop_on_signals_with(&[])
    }

    /// [`stop_on_signals`](Self::stop_on_signals), for a member of a group.
    pub(crate) fn stop_on_signals_with(&mut self, group: &[Handle]) -> Result<(), Error> {
        let signals = self.dispatcher.context.backend.catch_signals();
        let signals = signals.map_err(|cause| failed_plainly("catch signals", "", cause))?;
        self.signals = signals.map(|signals| StopSignals::new(signals, group));
        Ok(())
    }
}
