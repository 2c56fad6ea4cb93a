//! Calls of triggers, and the phases of a startup.

use crate::api::trigger::{Run, RunPhase};
use crate::reactor::dispatcher::Dispatcher;

impl Dispatcher {
    /// Begins a run, unless it has begun before.
    pub(super) fn start_up(&mut self) {
        if self.context.triggers.run == Run::NotBegun {
            self.set_clock();
            self.context.triggers.run = Run::Starting;
            self.reach(RunPhase::BeforeStartup);
            self.context.triggers.run = Run::Running;
            self.reach(RunPhase::DuringStartup);
            self.reach(RunPhase::AfterStartup);
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
