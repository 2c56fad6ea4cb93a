//! The end of a run, step by step.

use crate::api::context::Stop;
use crate::reactor::Reactor;
use crate::values::error::Error;
use crate::values::logging::REACTOR;
use log::{info, warn};
use std::time::{Duration, Instant};

/// How far the end of a run has come.
#[derive(Debug)]
pub(super) struct Ending {
    /// When it waits for nobody any more; `None` is never.
    pub(super) deadline: Option<Instant>,
    /// Whether it has looked who is still sending.
    pub(super) looked: bool,
}

impl Reactor {
    /// Turns on while connections have something to send, and the grace lasts.
    pub(super) fn begin_stop(&mut self) -> Result<(), Error> {
        self.begin_stop_phase();
        while self.stop_turn(None)? {}
        Ok(())
    }

    /// A stop was asked for: everybody closes.
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

    /// One turn of the end. Whether somebody still has something to send, and the grace lasts.
    pub(super) fn stop_turn(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        let left = self.time_left();
        if let Some(ending) = &mut self.ending {
            ending.looked = true;
        }
        self.pass([limit, left].into_iter().flatten().min())?;
        let (sockets, bytes) = self.dispatcher.context.unfinished();
        let over = self.time_left() == Some(Duration::ZERO);
        if sockets > 0 && (over || self.dispatcher.context.stops_at_once()) {
            warn!(target: REACTOR, "cutting {sockets} off; {bytes} bytes were not sent");
            return Ok(false);
        }
        Ok(sockets > 0)
    }

    /// How long the end may still wait for others. Its first look does not: it finds out who is still
    /// sending.
    pub(super) fn time_left(&mut self) -> Option<Duration> {
        let Some(Ending { deadline, looked: true }) = self.ending else {
            let ends = self.ending.is_some() || self.dispatcher.context.is_stopping();
            return ends.then_some(Duration::ZERO);
        };
        let now = self.context().now();
        deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Whoever is left is cut off, and told; then the run is over.
    pub(super) fn end(&mut self) {
        self.dispatcher.abort_all();
        self.dispatcher.forget_stops();
        self.dispatcher.context.stop = Stop::No;
        self.dispatcher.set_between_runs(true);
        self.ending = None;
        #[cfg(feature = "signals")]
        if let Some(signals) = &mut self.signals {
            signals.end_run();
        }
    }
}
