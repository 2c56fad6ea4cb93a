//! Calls of triggers, and the phases of a startup.

use crate::api::timer::Job;
use crate::api::trigger::{Delayed, Run, RunPhase};
use crate::reactor::dispatcher::Dispatcher;
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
        match self.context.triggers.startup_holds {
            0 => self.complete_startup(),
            holds => {
                info!(target: REACTOR, "starting: {holds} holds, and up to {grace:?} for them");
                let deadline = self.context.schedule(grace, Job::StartupEnd);
                if let Some(old) = self.context.triggers.startup_deadline.replace(deadline) {
                    self.context.cancel(old); // That of a run that was stopped before it had started.
                }
            }
        }
    }

    fn complete_startup(&mut self) {
        if let Some(deadline) = self.context.triggers.startup_deadline.take() {
            self.context.cancel(deadline);
        }
        if self.context.triggers.run == Run::Starting {
            self.context.triggers.run = Run::Running;
            self.reach(RunPhase::DuringStartup);
            self.reach(RunPhase::AfterStartup);
        }
    }

    /// Ends the wait for the holds that delay a startup.
    pub(super) fn end_startup_holds(&mut self) {
        if self.context.triggers.run == Run::Starting {
            let holds = self.context.triggers.startup_holds;
            warn!(target: REACTOR, "starting without waiting for {holds} holds");
            self.complete_startup();
        }
    }

    /// Notes that a hold was released.
    pub(super) fn release(&mut self, delayed: Delayed) {
        let triggers = &mut self.context.triggers;
        match delayed {
            Delayed::Shutdown => triggers.holds -= 1,
            Delayed::Startup => {
                triggers.startup_holds -= 1;
                if triggers.startup_holds == 0 {
                    self.complete_startup();
                }
            }
        }
    }

    /// Calls the triggers of a phase, except those that are added meanwhile. One may cancel another.
    pub(super) fn reach(&mut self, phase: RunPhase) {
        let mark = self.context.triggers.mark();
        while let Some(call) = self.context.triggers.take(phase, mark) {
            self.make(call, "trigger");
            self.run_pending();
        }
    }
}
