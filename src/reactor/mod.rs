//! The reactor: a poll, a dispatcher, and the turn. Begin to read here.

mod adopt;
mod call;
mod chain;
mod channel;
mod connector;
mod datagram;
mod discard;
mod dispatcher;
#[cfg(unix)]
mod embedding;
mod filter;
#[cfg(feature = "system")]
pub(crate) mod group;
mod idle;
mod journal;
mod listener;
mod names;
mod open;
mod owners;
mod pending;
#[cfg(all(unix, feature = "process"))]
mod process;
#[cfg(all(unix, feature = "process"))]
mod process_owner;
mod producer;
mod serve;
mod settings;
#[cfg(feature = "signals")]
mod signals;
pub(crate) mod step;
mod stop;
mod stopwatch;
mod stream;
mod thread_job;
mod timer;
mod trigger;
mod turn;
#[cfg(unix)]
mod watch;

use crate::api::context::Context;
use crate::api::handle::Handle;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::step::StepProgress;
use crate::reactor::stop::Ending;
#[cfg(feature = "system")]
use crate::sys::System;
#[cfg(feature = "system")]
use crate::sys::error::failed_plainly;
use crate::sys::{Backend, Events, SharedBackend, process_id};
use crate::values::error::Error;
use std::rc::Rc;
use std::time::Duration;

/// The most bytes that one read returns, at first. One buffer serves all connections, so it can be large, and a
/// bulk transfer needs few calls.
const READ_SIZE: usize = 64 * 1024;

/// The default grace period: how long a stop waits for peers that are slow to take queued data. Long enough for
/// a slow link, short enough for a restart.
const GRACE: Duration = Duration::from_secs(10);

/// The reactor: it owns all sockets and calls the protocols.
///
/// A reactor is a value. A program can have several, one on each thread. A reactor can be run, stopped, run
/// again and dropped. It cannot be sent to another thread, but its [`Handle`] can. For several processors see
/// [`ReactorGroup`](crate::ReactorGroup).
///
/// ```
/// use ropewalk::{Error, Protocol, Reactor, Transport};
/// use std::time::Duration;
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
/// println!("listening on {}", port.address());
/// # reactor.context().call_later(Duration::from_millis(1), |context| context.stop());
/// reactor.run()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Reactor {
    dispatcher: Dispatcher,
    /// The events of the last wait.
    events: Events,
    /// The read buffer, lent to `data_received`; one for all connections. It grows while reads fill it.
    buffer: Vec<u8>,
    grace: Duration,
    /// Set while a run is ending: see [`run`](Self::run).
    ending: Option<Ending>,
    /// The progress of a turn that is made in steps.
    progress: StepProgress,
    /// True after `abandon`.
    abandoned: bool,
    /// The process that made the reactor: see [`drop`](Self::drop).
    process: u32,
}

impl Reactor {
    /// Makes a reactor.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left for a poll and its waker.
    #[cfg(feature = "system")]
    pub fn new() -> Result<Self, Error> {
        let system = System::new().map_err(|cause| failed_plainly("start a reactor", "", cause))?;
        Ok(Self::with_backend(system))
    }

    /// Makes a reactor on a backend other than the system, for example a simulated network, or a wrapper of the
    /// system. What the backend lacks fails with [`Unsupported`](std::io::ErrorKind::Unsupported): adopted
    /// sockets, raw sockets, watches, passed descriptors.
    pub fn with_backend(backend: impl Backend + 'static) -> Self {
        let backend: SharedBackend = Rc::new(backend);
        let handle = Handle::new(backend.waker());
        Self {
            dispatcher: Dispatcher::new(Context::new(backend, handle)),
            events: Events::new(),
            buffer: vec![0; READ_SIZE],
            grace: GRACE,
            ending: None,
            progress: StepProgress::Between,
            abandoned: false,
            process: process_id(),
        }
    }

    /// Turns until [`stop`](Context::stop) is called, then ends gracefully:
    ///
    /// 1. The triggers of [`BeforeShutdown`](crate::RunPhase::BeforeShutdown) are called. While a
    ///    [`Hold`](crate::Hold) exists, the run continues, within the [grace period](Self::set_grace).
    /// 2. Listeners close. Connection attempts fail, and watches end; their factories and watchers are notified. Datagram
    ///    sockets send queued datagrams as far as the system takes them at once, and close; their protocols are
    ///    notified. Processes are asked to end (SIGTERM), and are killed at the end of the grace period.
    /// 3. Each protocol is asked by [`draining`](crate::Protocol::draining) whether its connection stays open. The others
    ///    receive no more data from the next turn on, and send queued data within the rest of the grace period.
    ///    Connections with an empty send buffer close immediately. A connection with a registered
    ///    [producer](crate::Producer) is reset, since its data is incomplete.
    /// 4. Each protocol receives [`connection_lost`](crate::Protocol::connection_lost) with
    ///    [`Reason::Stopped`](crate::Reason::Stopped).
    /// 5. `run` returns. Timers that have not fired are kept; the reactor can be run again.
    ///
    /// If `stop` was called before, `run` does only this.
    ///
    /// A run that has nothing to wait for logs a warning and stops: no socket, timer or watch, no
    /// [`Handle`] or [`Sender`](crate::Sender) elsewhere, and no signal that it [stops
    /// on](Self::stop_on_signals). [`run_turn`](Self::run_turn) and [`turn`](Self::turn) do not end for this: a program
    /// with a loop of its own has other work.
    ///
    /// # Errors
    ///
    /// If the system's poll fails. All connections have been ended then, and their protocols notified.
    pub fn run(&mut self) -> Result<(), Error> {
        self.run_then(|| {})
    }

    /// [`run`](Self::run); `stopping` is called when the run begins to end, for any reason.
    pub(crate) fn run_then(&mut self, stopping: impl FnOnce()) -> Result<(), Error> {
        self.begin_run();
        let mut outcome = self.complete_steps();
        self.dispatcher.catch_up();
        self.stop_if_idle();
        while outcome.is_ok() && !self.dispatcher.context.is_stopping() {
            outcome = self.pass(None);
            self.stop_if_idle();
        }
        stopping();
        if outcome.is_ok() {
            outcome = self.begin_stop();
        }
        self.end();
        outcome
    }

    /// Makes one turn of the loop. It waits for an event, at most `limit`; `None` is without limit. It is for
    /// programs with a loop of their own, and for tests. [`stop`](Context::stop) takes effect in
    /// [`run`](Self::run) only, which can be called for this.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// for _frame in 0..3 {
    ///     reactor.turn(Some(Duration::ZERO))?; // handle pending events, without waiting
    ///     // … then draw.
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system's poll fails.
    #[doc(alias = "iterate")]
    pub fn turn(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        self.begin_run();
        self.complete_steps()?;
        // A callback that was made by now may be what the caller waits for.
        let happened = self.dispatcher.catch_up();
        self.pass(if happened { Some(Duration::ZERO) } else { limit })
    }

    /// Makes one turn of a [run](Self::run), for programs with a loop of their own that need its graceful end.
    /// It is like [`turn`](Self::turn), but after a call of [`stop`](Context::stop) it continues the end of the
    /// run. Returns true while the run continues.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().call_later(Duration::from_millis(2), |context| context.stop());
    /// while reactor.run_turn(Some(Duration::from_millis(1)))? {
    ///     // … draw.
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system's poll fails. All connections have been ended then, and their protocols notified.
    pub fn run_turn(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        if self.ending.is_none() && self.dispatcher.context.is_stopping() {
            // Requested since the last turn: as in `run`, no more data is delivered.
            self.begin_run();
            self.complete_steps()?;
            self.dispatcher.catch_up();
            self.begin_stop_phase();
            return Ok(true);
        }
        let turned = match self.ending {
            Some(_) => self.complete_steps().and_then(|()| self.stop_turn(limit)),
            None => self.turn(limit).map(|()| true),
        };
        if !matches!(turned, Ok(true)) {
            self.end();
        } else if self.ending.is_none() && self.dispatcher.context.is_stopping() {
            self.begin_stop_phase();
        }
        turned
    }

    /// Returns how long the next [`turn`](Self::turn) would wait without an event: zero if work is left or a
    /// stop was requested, else until the first timer is due; `None` if there is none. It is for programs that
    /// wait in a loop of their own.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// assert_eq!(reactor.timeout(), None);
    /// reactor.context().call_later(Duration::from_secs(1), |_| {});
    /// assert!(reactor.timeout() <= Some(Duration::from_secs(1)));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "uv_backend_timeout")]
    pub fn timeout(&mut self) -> Option<Duration> {
        if self.progress != StepProgress::Between {
            return Some(Duration::ZERO); // A turn that was begun in steps has work left.
        }
        self.dispatcher.set_clock();
        let left = self.time_left();
        self.dispatcher.wait_limit(left).0
    }

    /// Drops the reactor as a crash of the process would: no callback is made, nothing more is sent, calls and
    /// messages of other threads are dropped, and later ones are refused. It is for tests of peers. A value
    /// that panics when it is dropped does not keep the others from being dropped.
    pub fn abandon(mut self) {
        self.dispatcher.abandon();
        self.abandoned = true;
    }

    /// Begins a run, or a turn: signals are caught, messages received, and the triggers of the startup called.
    fn begin_run(&mut self) {
        self.dispatcher.calls.set_between_runs(false);
        self.dispatcher.context.may_block = false;
        #[cfg(feature = "signals")]
        if let Some(signals) = &mut self.dispatcher.signals {
            signals.begin_run();
        }
        self.dispatcher.start_up(self.grace);
    }

    /// Returns the context, for everything else: timers, other options, connections by their ids.
    pub fn context(&mut self) -> &mut Context {
        self.dispatcher.context.refresh();
        self.dispatcher.context.may_block = true; // No callback is running.
        &mut self.dispatcher.context
    }

    /// Returns a handle for other threads.
    pub fn handle(&self) -> Handle {
        self.dispatcher.context.handle()
    }
}

/// Every remaining protocol receives `connection_lost` with [`Reason::Stopped`](crate::Reason::Stopped).
///
/// A copy in a child of fork(2) only closes the child's descriptors. The sockets are shared with the parent:
/// ending connections or removing the files of Unix sockets would end them there.
impl Drop for Reactor {
    fn drop(&mut self) {
        if !self.abandoned && self.process == process_id() {
            self.dispatcher.shut();
        }
    }
}
