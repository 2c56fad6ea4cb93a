//! The trait that users of a monitor implement.

use ropewalk::{Context, Error, ProcessExit, ProcessOptions, ProcessProtocol};
use std::time::Duration;

/// What a [`ProcessMonitor`](crate::ProcessMonitor) runs, as [`Factory`](ropewalk::Factory) makes the protocols of a
/// listener. A closure that returns the pair of [`next_run`](Self::next_run) is one.
///
/// A panic in [`next_run`](Self::next_run) ends the monitoring: the monitor is
/// [stopped](crate::MonitorState::Stopped) then, and can be started again.
#[allow(unused_variables)] // The names are the documentation.
pub trait MonitorHandler: 'static {
    /// Returns the process to start now, and its protocol.
    fn next_run(&mut self) -> (ProcessOptions, Box<dyn ProcessProtocol>);

    /// A run has ended, after [`process_ended`](ProcessProtocol::process_ended) of its protocol; or the process could
    /// not be started.
    fn run_ended(&mut self, context: &mut Context, end: Result<ProcessExit, Error>, next: NextRun) {
    }
}

impl<F, P> MonitorHandler for F
where
    F: FnMut() -> (ProcessOptions, P) + 'static,
    P: ProcessProtocol,
{
    fn next_run(&mut self) -> (ProcessOptions, Box<dyn ProcessProtocol>) {
        let (options, protocol) = self();
        (options, Box::new(protocol))
    }
}

/// What a monitor does after the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextRun {
    /// It starts the process again after this pause.
    After(Duration),
    /// It has given up: see [`MonitorOptions::max_failures`](crate::MonitorOptions::max_failures).
    GivenUp,
    /// It was stopped, or the reactor stops.
    Stopped,
}
