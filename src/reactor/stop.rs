//! The end of a run, step by step.

use crate::api::context::Stop;
use crate::reactor::Reactor;
use crate::values::error::Error;
use crate::values::logging::REACTOR;
use log::{info, warn};
use std::time::{Duration, Instant};

/// The progress of the end of a run.
#[derive(Debug)]
pub(super) struct Ending {
    /// The end of the grace period; `None` is never.
    pub(super) deadline: Option<Instant>,
    /// True after the first turn, which finds out which peers are still sending.
    pub(super) looked: bool,
}

impl Reactor {
    /// Turns while connections have queued data, within the grace period.
    pub(super) fn begin_stop(&mut self) -> Result<(), Error> {
        self.begin_stop_phase();
        while self.stop_turn(None)? {}
        Ok(())
    }

    /// Begins a stop: closes everything.
    pub(super) fn begin_stop_phase(&mut self) {
        let deadline = self.context().now().checked_add(self.grace);
        self.ending = Some(Ending { deadline, looked: false });
        self.dispatcher.context.begin_stop();
        self.dispatcher.end_turn();
        let (sockets, bytes) = self.dispatcher.context.unfinished();
        if bytes > 0 {
            let grace = self.grace;
            info!(
                target: REACTOR,
                "stopping: {sockets} have {bytes} bytes to send, and up to {grace:?} for it"
            );
        }
    }

    /// Makes one turn of the end. Returns true if queued data is left, within the grace period.
    pub(super) fn stop_turn(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        let left = self.time_left();
        if let Some(ending) = &mut self.ending {
            ending.looked = true;
        }
        self.pass([limit, left].into_iter().flatten().min())?;
        let (sockets, bytes) = self.dispatcher.context.unfinished();
        let over = self.time_left() == Some(Duration::ZERO);
        if sockets > 0 && (over || self.dispatcher.context.stops_at_once()) {
            warn!(target: REACTOR, "aborting {sockets} sockets; {bytes} bytes were not sent");
            return Ok(false);
        }
        Ok(sockets > 0)
    }

    /// Returns how long the end may still wait for peers. Its first turn does not wait: it finds out which
    /// peers are still sending.
    pub(super) fn time_left(&mut self) -> Option<Duration> {
        let Some(Ending { deadline, looked: true }) = self.ending else {
            let ends = self.ending.is_some() || self.dispatcher.context.is_stopping();
            return ends.then_some(Duration::ZERO);
        };
        let now = self.context().now();
        deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Aborts and notifies everything that is left, and ends the run.
    pub(super) fn end(&mut self) {
        self.dispatcher.abort_all();
        self.dispatcher.calls.forget_stops();
        self.dispatcher.context.stop = Stop::No;
        self.dispatcher.calls.set_between_runs(true);
        self.ending = None;
        #[cfg(feature = "signals")]
        if let Some(signals) = &mut self.signals {
            signals.end_run();
        }
    }
}
