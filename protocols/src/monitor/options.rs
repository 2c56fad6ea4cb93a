//! The options of a monitor.

use crate::monitor::handler::MonitorHandler;
use crate::monitor::process_monitor::ProcessMonitor;
use ropewalk::Context;
use std::time::Duration;

/// The options of a monitor, and the action: [`start`](Self::start).
///
/// A process that ends is started again, however it ended. A run that was shorter than
/// [`settled_after`](Self::settled_after) has failed. The first pause is [`initial_pause`](Self::initial_pause); after each
/// further failure in succession it is longer by [`factor`](Self::factor), up to [`max_pause`](Self::max_pause).
///
/// ```
/// use ropewalk::{ProcessOptions, ProcessProtocol, Reactor};
/// use ropewalk_protocols::MonitorOptions;
/// use std::time::Duration;
///
/// struct Quiet;
///
/// impl ProcessProtocol for Quiet {}
///
/// let mut reactor = Reactor::new()?;
/// let monitor = MonitorOptions::new()
///     .initial_pause(Duration::from_millis(100))
///     .max_pause(Duration::from_secs(10))
///     .start(reactor.context(), || (ProcessOptions::new("cat"), Quiet));
/// reactor.context().call_later(Duration::from_millis(50), move |context| {
///     monitor.stop(context); // SIGTERM; `restart` would start it again.
///     context.stop();
/// });
/// reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias = "ProcessMonitor")]
#[doc(alias = "procmon")]
pub struct MonitorOptions {
    initial_pause: Duration,
    factor: f64,
    max_pause: Duration,
    settled_after: Duration,
    max_failures: Option<u32>,
    pub(super) end_timeout: Duration,
}

impl MonitorOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            initial_pause: Duration::from_secs(1),
            factor: 2.0,
            max_pause: Duration::from_secs(60),
            settled_after: Duration::from_secs(10),
            max_failures: None,
            end_timeout: Duration::from_secs(5),
        }
    }

    /// Sets the pause after the first failure, and after a run that has not failed. Default: 1 s.
    #[doc(alias = "minRestartDelay")]
    #[must_use]
    pub fn initial_pause(mut self, pause: Duration) -> Self {
        self.initial_pause = pause;
        self
    }

    /// Sets how much longer each pause is than the one before, while the process keeps failing. Default: 2.
    ///
    /// # Panics
    ///
    /// Panics if it is less than 1, or not a number.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        assert!(factor >= 1.0, "a factor of {factor} is less than 1");
        self.factor = factor;
        self
    }

    /// Sets the longest pause. Default: a minute.
    #[doc(alias = "maxRestartDelay")]
    #[must_use]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// Sets how long a run has to take in order not to be a failure. Default: 10 s.
    #[doc(alias = "threshold")]
    #[must_use]
    pub fn settled_after(mut self, time: Duration) -> Self {
        self.settled_after = time;
        self
    }

    /// Sets how many failures in succession are enough: then the monitor gives up. Default: no limit.
    #[must_use]
    pub fn max_failures(mut self, count: u32) -> Self {
        self.max_failures = Some(count);
        self
    }

    /// Sets how long the end of a run may take: from SIGTERM to SIGKILL, and from the exit of the process until its
    /// pipes are closed, which its own children can hold open. Default: 5 s.
    #[doc(alias = "killTime")]
    #[must_use]
    pub fn end_timeout(mut self, timeout: Duration) -> Self {
        self.end_timeout = timeout;
        self
    }

    /// Starts a monitor. It starts the process after the running callback, and monitors it until the reactor stops, even
    /// if the returned value is dropped.
    ///
    /// A process that cannot be started is a failure of the run, which
    /// [`run_ended`](MonitorHandler::run_ended) receives.
    pub fn start(self, context: &mut Context, handler: impl MonitorHandler) -> ProcessMonitor {
        let monitor = ProcessMonitor::new(self, Box::new(handler));
        monitor.start(context);
        monitor
    }

    /// Returns the pause after this number of failures in succession; `None` if they are enough.
    pub(super) fn pause_after(&self, failures: u32) -> Option<Duration> {
        if self.max_failures.is_some_and(|most| failures >= most.max(1)) {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let pause = self.initial_pause.as_secs_f64() * self.factor.powi(exponent);
        // A pause that is too long for a duration is too long for the monitor.
        let pause = Duration::try_from_secs_f64(pause).unwrap_or(self.max_pause);
        Some(pause.min(self.max_pause))
    }

    /// Returns true if a run of this length has failed.
    pub(super) fn has_failed(&self, lasted: Duration) -> bool {
        lasted < self.settled_after
    }
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self::new()
    }
}
