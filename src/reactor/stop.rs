//! The stop of a run: its phases and its deadline.

use crate::api::context::{Context, Stop};
use crate::api::trigger::{Run, RunPhase};
use crate::reactor::Reactor;
use crate::reactor::dispatcher::PENDING;
use crate::values::error::Error;
use crate::values::journal::StopPhase;
use crate::values::logging::REACTOR;
use log::{info, warn};
use std::time::{Duration, Instant};

/// The progress of the end of a run.
#[derive(Debug)]
pub(super) struct Ending {
    /// The end of the grace period; `None` is never.
    pub(super) deadline: Option<Instant>,
    stage: EndingStage,
}

/// The stages of the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndingStage {
    /// It waits for holds.
    OnHold,
    /// Everything was closed. The next turn finds out which peers are still sending.
    Closed,
    /// It waits for peers.
    Draining,
}

impl Reactor {
    /// Turns while connections have queued data, within the grace period. `run_turn` may have begun the stop.
    pub(super) fn begin_stop(&mut self) -> Result<(), Error> {
        if self.ending.is_none() {
            self.begin_stop_phase();
        }
        while self.stop_turn(None)? {}
        Ok(())
    }

    /// Begins a stop: closes everything, unless a hold exists.
    pub(super) fn begin_stop_phase(&mut self) {
        let deadline = self.dispatcher.context.refresh().checked_add(self.grace);
        self.ending = Some(Ending { deadline, stage: EndingStage::OnHold });
        self.dispatcher.reach(RunPhase::BeforeShutdown);
        match self.dispatcher.context.triggers.holds() {
            0 => self.close_all(),
            holds => {
                self.dispatcher.context.journal.stop(StopPhase::OnHold);
                info!(target: REACTOR, "stopping: waiting up to {:?} for {holds} holds", self.grace)
            }
        }
    }

    /// Closes everything.
    fn close_all(&mut self) {
        self.set_stage(EndingStage::Closed);
        self.dispatcher.context.journal.stop(StopPhase::Closing);
        self.dispatcher.context.triggers.run = Run::Ending;
        self.dispatcher.reach(RunPhase::DuringShutdown);
        let asks = !self.dispatcher.context.stops_at_once();
        self.dispatcher.context.begin_stop(asks);
        // All protocols are asked now: no data is delivered after this, unless they want it.
        let Context { pending, held, .. } = &self.dispatcher.context;
        self.dispatcher.allow_pending(PENDING + pending.len() + held.len());
        self.dispatcher.end_turn();
        let (sockets, bytes) = self.dispatcher.context.unfinished();
        let grace = self.grace;
        if bytes > 0 {
            info!(
                target: REACTOR,
                "stopping: waiting up to {grace:?} for {sockets} sockets to send {bytes} bytes"
            );
        }
        let jobs = &self.dispatcher.context.jobs;
        if jobs.len() > 0 {
            info!(target: REACTOR, "stopping: waiting up to {grace:?} for {} jobs", jobs.len());
        }
    }

    /// Makes one turn of the end. Returns true if a hold, queued data or a job is left, within the grace period.
    pub(super) fn stop_turn(&mut self, limit: Option<Duration>) -> Result<bool, Error> {
        let left = self.time_left();
        let on_hold = self.stage() == Some(EndingStage::OnHold);
        if self.stage() == Some(EndingStage::Closed) {
            self.set_stage(EndingStage::Draining);
            self.dispatcher.context.journal.stop(StopPhase::Draining);
        }
        self.pass([limit, left].into_iter().flatten().min())?;
        let is_over =
            self.time_left() == Some(Duration::ZERO) || self.dispatcher.context.stops_at_once();
        if on_hold {
            let holds = self.dispatcher.context.triggers.holds();
            if is_over && holds > 0 {
                warn!(target: REACTOR, "stopping without waiting for {holds} holds");
            }
            if is_over || holds == 0 {
                self.close_all();
            }
            return Ok(true);
        }
        let (sockets, bytes) = self.dispatcher.context.unfinished();
        if sockets > 0 && is_over {
            warn!(target: REACTOR, "aborting {sockets} sockets; {bytes} bytes were not sent");
        }
        let Context { jobs, triggers, .. } = &self.dispatcher.context;
        Ok(!is_over && sockets + jobs.len() + triggers.holds() > 0)
    }

    /// Returns how long the end may still wait for peers. Its first turn does not wait: it finds out which
    /// peers are still sending.
    pub(super) fn time_left(&mut self) -> Option<Duration> {
        let Some(Ending { deadline, stage: EndingStage::OnHold | EndingStage::Draining }) =
            self.ending
        else {
            let ends = self.ending.is_some() || self.dispatcher.context.is_stopping();
            return ends.then_some(Duration::ZERO);
        };
        let now = self.dispatcher.context.refresh();
        deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    fn stage(&self) -> Option<EndingStage> {
        Some(self.ending.as_ref()?.stage)
    }

    fn set_stage(&mut self, stage: EndingStage) {
        if let Some(ending) = &mut self.ending {
            ending.stage = stage;
        }
    }

    /// Aborts and notifies everything that is left, and ends the run.
    pub(super) fn end(&mut self) {
        // The poll may have failed before these phases.
        if self.ending.is_none() {
            self.dispatcher.reach(RunPhase::BeforeShutdown);
        }
        self.dispatcher.context.triggers.run = Run::Ending;
        if matches!(self.stage(), None | Some(EndingStage::OnHold)) {
            self.dispatcher.reach(RunPhase::DuringShutdown);
        }
        self.dispatcher.abort_all();
        self.dispatcher.end_jobs();
        self.dispatcher.reach(RunPhase::AfterShutdown);
        self.dispatcher.context.triggers.run = Run::NotBegun;
        self.dispatcher.calls.forget_stops();
        self.dispatcher.context.stop = Stop::No;
        self.dispatcher.calls.set_between_runs(true);
        self.ending = None;
        self.dispatcher.context.journal.stop(StopPhase::Over);
        self.dispatcher.notify_observers();
        #[cfg(feature = "signals")]
        if let Some(signals) = &mut self.dispatcher.signals {
            signals.end_run();
        }
    }
}
