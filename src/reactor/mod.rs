//! The reactor: a poll, a dispatcher, and the turn. The place to begin to read.

mod adopt;
mod call;
mod chain;
mod channel;
mod connector;
mod datagram;
mod discard;
mod dispatcher;
mod filter;
#[cfg(feature = "system")]
pub(crate) mod group;
mod guard;
mod listener;
mod open;
mod owners;
mod pending;
mod producer;
mod serve;
#[cfg(feature = "signals")]
mod signals;
mod stop;
mod stopwatch;
mod stream;
mod turn;
#[cfg(unix)]
mod watch;

use crate::api::context::Context;
use crate::api::handle::Handle;
#[cfg(feature = "signals")]
use crate::api::signals::StopSignals;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::stop::Ending;
#[cfg(feature = "system")]
use crate::sys::System;
#[cfg(feature = "system")]
use crate::sys::error::failed_plainly;
use crate::sys::{Backend, Events, SharedBackend, process_id};
use crate::values::error::Error;
use std::rc::Rc;
use std::time::Duration;

/// How many bytes one read returns at most, at first. One buffer serves all connections, so it may be
/// large, and a bulk transfer needs few calls.
const READ_SIZE: usize = 64 * 1024;

/// How long `stop` waits for peers that are slow to take what was written, unless set.
const GRACE: Duration = Duration::from_secs(10);

/// The reactor: it owns all sockets and calls the protocols.
///
/// A reactor is a value. There can be several, one a thread; one can be run, stopped, run again and
/// dropped. It cannot be sent to another thread, but its [`Handle`] can. To serve with as many as
/// there are processors, see [`ReactorGroup`](crate::ReactorGroup).
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
    /// Lent to `data_received`; one for all connections. It grows while reads fill it.
    buffer: Vec<u8>,
    grace: Duration,
    /// A run is ending: see [`run`](Self::run).
    ending: Option<Ending>,
    /// Whether its end is a crash.
    abandoned: bool,
    /// The process that made it: see [`drop`](Self::drop).
    process: u32,
    #[cfg(feature = "signals")]
    signals: Option<StopSignals>,
}

impl Reactor {
    /// A reactor with nothing to do.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left for a poll and its waker.
    #[cfg(feature = "system")]
    pub fn new() -> Result<Self, Error> {
        let system = System::new().map_err(|cause| failed_plainly("start a reactor", "", cause))?;
        Ok(Self::with_backend(system))
    }

    /// A reactor on a backend other than the system, such as a simulated network, or one that wraps the
    /// system. What the backend lacks fails with [`Unsupported`](std::io::ErrorKind::Unsupported):
    /// adopted sockets, raw sockets, watches, passed descriptors.
    pub fn with_backend(backend: impl Backend + 'static) -> Self {
        let backend: SharedBackend = Rc::new(backend);
        let handle = Handle::new(backend.waker());
        Self {
            dispatcher: Dispatcher::new(Context::new(backend, handle)),
            events: Events::new(),
            buffer: vec![0; READ_SIZE],
            grace: GRACE,
            ending: None,
            abandoned: false,
            process: process_id(),
            #[cfg(feature = "signals")]
            signals: None,
        }
    }

    /// Turns until [`stop`](Context::stop) is called, then ends in order:
    ///
    /// 1. Listeners close; attempts to connect are given up, and watches end, and who is behind them is
    ///    told. Sockets for datagrams send of what waits what they can at once, and close; their
    ///    protocols are told.
    /// 2. From the next turn on no more data is delivered. Connections send what waits, within the
    ///    [grace](Self::set_grace). Those with no queued data end at once. A connection with a registered
    ///    [producer](crate::Producer) is reset, since the peer has not got the whole.
    /// 3. Each protocol hears [`connection_lost`](crate::Protocol::connection_lost) with
    ///    [`Reason::Stopped`](crate::Reason::Stopped).
    /// 4. `run` returns. Timers that have not fired are kept; the reactor can be run again.
    ///
    /// If `stop` was called before, `run` does only this.
    ///
    /// # Errors
    ///
    /// If the system's poll fails, which leaves nothing to go on with: all connections have been
    /// ended then, and their protocols told.
    pub fn run(&mut self) -> Result<(), Error> {
        self.run_then(|| {})
    }

    /// [`run`](Self::run); `stopping` is called when it has begun to end, for whatever reason.
    pub(crate) fn run_then(&mut self, stopping: impl FnOnce()) -> Result<(), Error> {
        let mut outcome = Ok(());
        self.begin_run();
        self.dispatcher.catch_up();
        while outcome.is_ok() && !self.dispatcher.context.is_stopping() {
            outcome = self.pass(None);
        }
        stopping();
        if outcome.is_ok() {
            outcome = self.begin_stop();
        }
        self.end();
        outcome
    }

    /// One turn of the loop. It waits until something happens, but no longer than `limit`; `None` is without limit. For
    /// programs that have a loop of their own, and for tests. [`stop`](Context::stop) only takes
    /// effect in [`run`](Self::run), which can be called for its sake.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// for _frame in 0..3 {
    ///     reactor.turn(Some(Duration::ZERO))?; // what has come, without waiting for more
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
        // Whoever has been called by now may be what the caller waits for.
        let happened = self.dispatcher.catch_up();
        self.pass(if happened { Some(Duration::ZERO) } else { limit })
    }

    /// One turn of a [run](Self::run), for programs with a loop of their own that want its orderly end:
    /// as [`turn`](Self::turn), but once [`stop`](Context::stop) has been called, it goes on with ending.
    /// Whether the run goes on.
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
    /// If the system's poll fails: all connections have been ended then, and their protocols told.
    pub fn run_turn(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        if self.ending.is_none() && self.dispatcher.context.is_stopping() {
            // Asked for since the last turn: as in `run`, nothing more is delivered then.
            self.begin_run();
            self.dispatcher.catch_up();
            self.begin_stop_phase();
            return Ok(true);
        }
        let turned = match self.ending {
            Some(_) => self.stop_turn(limit),
            None => self.turn(limit).map(|()| true),
        };
        if !matches!(turned, Ok(true)) {
            self.end();
        } else if self.ending.is_none() && self.dispatcher.context.is_stopping() {
            self.begin_stop_phase();
        }
        turned
    }

    /// How long the next [`turn`](Self::turn) would wait if nothing came from outside: not at all if
    /// work is left or a stop was asked for, else until the first timer is due; `None` if there is none. For programs that wait
    /// in a loop of their own.
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
        self.dispatcher.set_clock();
        let left = self.time_left();
        self.dispatcher.wait_limit(left)
    }

    /// Drops it as a crash of the process would: no callback is made, nothing more is sent, what other threads
    /// have sent is dropped, and later calls and messages are refused. For tests of what others make of
    /// that. A value that panics when it is dropped does not keep the others from being dropped.
    pub fn abandon(mut self) {
        self.dispatcher.abandon();
        self.abandoned = true;
    }

    /// From the first turn of a later run on signals are caught again, and messages received.
    fn begin_run(&mut self) {
        self.dispatcher.set_between_runs(false);
        #[cfg(feature = "signals")]
        if let Some(signals) = &mut self.signals {
            signals.begin_run();
        }
    }

    /// All else that can be asked of a reactor: timers, other options, connections by their ids.
    pub fn context(&mut self) -> &mut Context {
        self.dispatcher.context.refresh();
        &mut self.dispatcher.context
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        self.dispatcher.context.handle()
    }

    /// Sets how long a stop waits for peers that are slow to take what was written: 10 seconds
    /// unless set. Zero waits for nobody.
    pub fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Sets how long a callback may take before it is warned of: 100 ms unless set.
    #[doc(alias = "slow_callback_duration")]
    pub fn set_slow_callback_duration(&mut self, duration: Duration) {
        self.dispatcher.set_slow_callback_duration(duration);
    }
}

/// Every protocol that is left hears `connection_lost`, with
/// [`Reason::Stopped`](crate::Reason::Stopped).
///
/// A copy that a child of fork(2) drops only closes the child's descriptors. The sockets are shared
/// with the parent: to end connections or to remove the files of Unix sockets would end them there.
impl Drop for Reactor {
    fn drop(&mut self) {
        if !self.abandoned && self.process == process_id() {
            self.dispatcher.shut();
        }
    }
}
