//! Signals that end a run, and handlers of signals.

use crate::api::context::Context;
use crate::api::handle::Handle;
use crate::api::signals::{SignalHandlerId, StopSignals};
use crate::reactor::Reactor;
use crate::reactor::call::Once;
use crate::reactor::dispatcher::Dispatcher;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;
use crate::values::journal::Callback;

impl Reactor {
    /// Lets SIGINT (Ctrl-C) and SIGTERM [stop](crate::Context::stop) a run gracefully. A second one in the same
    /// run ends it without waiting for any peer. If a callback blocks the reactor, so that the second one is not noticed
    /// for a second, a thread ends the process, as the signal's default action does: see
    /// [`before_forced_end`](Self::before_forced_end).
    ///
    /// They are caught from now on: a signal before the first run ends that run as soon as it has begun. A second one
    /// before it ends the process after a second, unless another reactor runs.
    /// Between a run's end and the first turn of the next one, and after the reactor is dropped, they take
    /// their default action, which ends the process. A signal that arrives while the run is ending for another
    /// reason counts as the first.
    ///
    /// A signal that the process was started to ignore stays ignored, as nohup(1) and a shell's `&` rely on
    /// (detected on Linux only). A child that fork(2) makes without exec(3) inherits the handlers: signals that are sent
    /// to it do not end it until its copy of the reactor is dropped. Start programs with
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
    /// If the system has no descriptors or threads left for it.
    pub fn stop_on_signals(&mut self) -> Result<(), Error> {
        self.stop_on_signals_with(&[])
    }

    /// Calls `handler` in a turn after the signal has arrived, as often as that happens, until it is
    /// [cancelled](SignalHandlerId::cancel) or the reactor dropped. A signal that arrives several times before that turn
    /// counts once (signal(7)). A signal can have several handlers; they are called in the order in which they were
    /// added. A panic of a handler is logged, and it is called again at the next signal. From a callback, use
    /// [`SignalHandlerId::add`].
    ///
    /// While it has a handler, the signal has no other effect, also between runs: what arrives then is handled in the
    /// next run. For SIGINT and SIGTERM see
    /// [`stop_on_signals`](Self::stop_on_signals), which can be used as well. Rust programs ignore SIGPIPE from the
    /// start: writing to a broken pipe is an error.
    ///
    /// ```
    /// use ropewalk::Reactor;
    /// use signal_hook::consts::SIGHUP;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.on_signal(SIGHUP, |context| {
    ///     println!("reading the configuration again");
    ///     # context.stop();
    /// })?;
    /// # signal_hook::low_level::raise(SIGHUP).unwrap();
    /// reactor.run()?;
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught: SIGKILL and SIGSTOP never, and SIGFPE, SIGILL and SIGSEGV since they report a
    /// fault of the process. If the system has no descriptors left, or if the backend has no signals.
    #[doc(alias = "add_signal_handler")]
    #[doc(alias = "uv_signal_start")]
    pub fn on_signal(
        &mut self,
        signal: i32,
        handler: impl FnMut(&mut Context) + 'static,
    ) -> Result<SignalHandlerId, Error> {
        SignalHandlerId::add(self.context(), signal, handler)
    }

    /// Returns the number of the first signal that has arrived in the present or the last run: 2 for SIGINT, 15 for
    /// SIGTERM. It has stopped the run, unless something else had done so before. `None` if no signal has arrived.
    ///
    /// A program can end as the signal would have ended it, so that its parent knows: a shell script ends on Ctrl-C only
    /// if its command has ended by SIGINT.
    ///
    /// ```no_run
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// reactor.stop_on_signals()?;
    /// reactor.run()?;
    /// if let Some(signal) = reactor.stop_signal() {
    ///     let _ = signal_hook::low_level::emulate_default_handler(signal);
    /// }
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    pub fn stop_signal(&self) -> Option<i32> {
        self.dispatcher.signals.as_ref()?.received
    }

    /// Calls `cleanup` before a second signal ends the process because a callback blocks a reactor. It runs on a thread
    /// of its own, while the callback may hold any lock, also that of stdout or stderr: it restores a terminal, or
    /// removes a file. If it blocks, the next signal ends the process. A process has one cleanup; a later call replaces
    /// it.
    ///
    /// ```
    /// ropewalk::Reactor::before_forced_end(|| drop(std::fs::remove_file("server.lock")));
    /// ```
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub fn before_forced_end(cleanup: impl FnOnce() + Send + 'static) {
        #[cfg(unix)]
        crate::sys::set_cleanup(Box::new(cleanup));
    }

    /// [`stop_on_signals`](Self::stop_on_signals), for a member of a group.
    pub(crate) fn stop_on_signals_with(&mut self, group: &[Handle]) -> Result<(), Error> {
        let signals = self.dispatcher.context.backend.catch_signals();
        let signals = signals.map_err(|cause| failed_plainly("catch signals", "", cause))?;
        self.dispatcher.signals = signals.map(|signals| StopSignals::new(signals, group));
        Ok(())
    }
}

impl Dispatcher {
    /// Acts on the signals that have arrived: on those that stop a run, and those with handlers.
    pub(super) fn handle_signals(&mut self) {
        if let Some(signals) = &mut self.signals {
            signals.handle(&mut self.context);
        }
        for id in self.context.triggers.signals.ids() {
            let Some((mut handler, name)) = self.context.triggers.signals.take_arrived(id) else {
                continue;
            };
            self.call(Once::new(name), Callback::OnSignal, |_, context| handler(context));
            if let Some(cancelled) = self.context.triggers.signals.put_back(id, handler) {
                self.drop_guarded(cancelled, name);
            }
            self.run_pending();
        }
    }

    /// Drops the handlers of signals.
    pub(super) fn drop_signal_handlers(&mut self) {
        while let Some((handler, name)) = self.context.triggers.signals.pop() {
            self.drop_guarded(handler, name);
        }
    }
}
