//! The protocol of one run: the user's, and the monitor's part.

use crate::monitor::process_monitor::ProcessMonitor;
use ropewalk::{ProcessExit, ProcessProtocol, ProcessTransport, Reason, TimerId};
use std::time::{Duration, Instant};

/// Passes all callbacks to the user's protocol, and reports the end of the run to the monitor.
pub(super) struct Run {
    monitor: ProcessMonitor,
    protocol: Box<dyn ProcessProtocol>,
    started: Option<Instant>,
    lasted: Duration,
}

impl Run {
    pub(super) fn new(monitor: ProcessMonitor, protocol: Box<dyn ProcessProtocol>) -> Self {
        Self { monitor, protocol, started: None, lasted: Duration::ZERO }
    }
}

impl ProcessProtocol for Run {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        self.started = Some(process.context().now());
        self.protocol.connection_made(process);
    }

    fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.protocol.out_received(process, data);
    }

    fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.protocol.err_received(process, data);
    }

    fn pause_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.protocol.pause_writing(process);
    }

    fn resume_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.protocol.resume_writing(process);
    }

    fn in_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.protocol.in_connection_lost(process, reason);
    }

    fn out_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.protocol.out_connection_lost(process, reason);
    }

    fn err_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.protocol.err_connection_lost(process, reason);
    }

    fn timer_fired(&mut self, process: &mut ProcessTransport<'_>, timer: TimerId) {
        if !self.monitor.is_limit(timer) {
            return self.protocol.timer_fired(process, timer);
        }
        process.kill();
        process.stdin().abort();
        process.stdout().abort();
        process.stderr().abort();
    }

    fn process_exited(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        let now = process.context().now();
        self.lasted = self.started.map_or(Duration::ZERO, |started| now - started);
        self.monitor.note_exit(process.context());
        self.protocol.process_exited(process, exit);
    }

    /// The next run is scheduled first, so that a panic of the user's protocol does not prevent it.
    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        let next = self.monitor.end_run(process.context(), self.lasted);
        self.protocol.process_ended(process, exit);
        self.monitor.notify(process.context(), Ok(exit), next);
    }

    fn type_name(&self) -> &'static str {
        self.protocol.type_name()
    }
}
