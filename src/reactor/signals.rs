//! Signals that end a run, and handlers of signals.

use crate::api::context::Context;
use crate::api::handle::Handle;
use crate::api::signals::{SignalHandler, StopSignals};
use crate::reactor::Reactor;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owners;
use crate::sys::error::{failed, failed_plainly};
use crate::values::error::Error;
use crate::values::id::Id;
use std::any::type_name_of_val;

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

    /// Calls `handler` in a turn after the signal has arrived, as often as that happens, until the reactor is dropped. A
    /// signal that arrives several times before that turn counts once (signal(7)). A signal can have several
    /// handlers; they are called in the order in which they were added. A panic of a handler is logged, and it is
    /// called again at the next signal.
    ///
    /// The signal has no other effect any more, also between runs and after the reactor is dropped; what arrives
    /// between two runs is handled in the next one. For SIGINT and SIGTERM see
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
    ) -> Result<(), Error> {
        let watch = self.dispatcher.context.backend.watch_signal(signal);
        let watch =
            watch.map_err(|cause| failed("catch", format!("signal {signal}"), cause, |_| None));
        let handler = SignalHandler {
            watch: watch?,
            name: type_name_of_val(&handler),
            call: Box::new(handler),
        };
        self.dispatcher.owners.signals.push(handler);
        Ok(())
    }

    /// [`stop_on_signals`](Self::stop_on_signals), for a member of a group.
    pub(crate) fn stop_on_signals_with(&mut self, group: &[Handle]) -> Result<(), Error> {
        let signals = self.dispatcher.context.backend.catch_signals();
        let signals = signals.map_err(|cause| failed_plainly("catch signals", "", cause))?;
        self.signals = signals.map(|signals| StopSignals::new(signals, group));
        Ok(())
    }
}

/// The handler with this index. None is ever removed.
#[derive(Clone, Copy)]
struct SignalHandlerOf(usize);

impl Callee for SignalHandlerOf {
    type Object = SignalHandler;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        None
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut SignalHandler> {
        owners.signals.get_mut(self.0)
    }

    fn type_name(&self, handler: &SignalHandler) -> &'static str {
        handler.name
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }
}

impl Dispatcher {
    /// Calls the handlers of the signals that have arrived.
    pub(super) fn handle_signals(&mut self) {
        for index in 0..self.owners.signals.len() {
            if self.owners.signals[index].watch.take() {
                self.call(SignalHandlerOf(index), "on_signal", |handler, context| {
                    (handler.call)(context);
                });
                self.run_pending();
            }
        }
    }

    /// Drops the handlers of signals.
    pub(super) fn drop_signal_handlers(&mut self) {
        while let Some(handler) = self.owners.signals.pop() {
            let name = handler.name;
            self.drop_guarded(handler, name);
        }
    }
}
