//! Calls of triggers, and the phases of a startup.

use crate::api::timer::Job;
use crate::api::trigger::{Run, RunPhase};
use crate::reactor::dispatcher::Dispatcher;
use crate::values::journal::Callback;
use crate::values::logging::REACTOR;
use log::{info, warn};
use std::time::Duration;

impl Dispatcher {
    /// Begins a run, unless it has begun before. Holds may delay its startup, up to `grace`.
    pub(super) fn start_up(&mut self, grace: Duration) {
        if self.context.triggers.run != Run::NotBegun {
            return;
        }
        self.set_clock();
        self.context.triggers.run = Run::Starting;
        self.reach(RunPhase::BeforeStartup);
        self.context.triggers.run = Run::Held;
        let holds = self.context.triggers.startup_holds();
        if holds == 0 {
            return self.complete_startup();
        }
        info!(target: REACTOR, "starting: waiting up to {grace:?} for {holds} holds");
        let deadline = self.context.schedule(grace, Job::StartupEnd);
        if let Some(old) = self.context.triggers.startup_deadline.replace(deadline) {
            self.context.cancel(old); // That of a run that was stopped before it had started.
        }
    }

    /// Completes a startup that no hold delays any more.
    pub(super) fn start_if_released(&mut self) {
        if self.context.triggers.startup_holds() == 0 && self.is_startup_held() {
            self.complete_startup();
        }
    }

    /// Returns true if holds delay a startup. A stop ends it.
    fn is_startup_held(&self) -> bool {
        self.context.triggers.run == Run::Held && !self.context.is_stopping()
    }

    /// Ends the wait for the holds that delay a startup.
    pub(super) fn end_startup_holds(&mut self) {
        if self.is_startup_held() {
            let holds = self.context.triggers.startup_holds();
            warn!(target: REACTOR, "starting without waiting for {holds} holds");
            self.complete_startup();
        }
    }

    fn complete_startup(&mut self) {
        if let Some(deadline) = self.context.triggers.startup_deadline.take() {
            self.context.cancel(deadline);
        }
        self.context.triggers.run = Run::Running;
        self.reach(RunPhase::DuringStartup);
        self.reach(RunPhase::AfterStartup);
    }

    /// Calls the triggers of a phase, except those that are added meanwhile. One may cancel another.
    pub(super) fn reach(&mut self, phase: RunPhase) {
        let mark = self.context.triggers.mark();
        while let Some(call) = self.context.triggers.take(phase, mark) {
            self.make(call, Callback::Trigger);
            self.run_pending();
        }
    }
}
