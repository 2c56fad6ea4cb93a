//! Processes that are run to their end, and their output.

use crate::api::context::Context;
use crate::api::process_protocol::ProcessProtocol;
use crate::api::process_transport::ProcessTransport;
use crate::source::timer::TimerId;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::process::{ProcessExit, ProcessLimit, ProcessOptions, ProcessOutput};
use std::any::type_name;
use std::time::Duration;

/// The options of a run of a process to its end, and the action: [`start`](Self::start).
///
/// ```
/// use ropewalk::{Error, ProcessOptions, ProcessRun, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// ProcessRun::new(ProcessOptions::new("wc").arg("-w"))
///     .input("three short words")
///     .start(reactor.context(), |context, output| {
///         assert!(output.exit.is_success() && output.exceeded.is_none());
///         assert_eq!(String::from_utf8_lossy(&output.out).trim(), "3");
///         context.stop();
///     })?;
/// reactor.run()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "getProcessOutput")]
#[doc(alias = "communicate")]
pub struct ProcessRun {
    options: ProcessOptions,
    input: Vec<u8>,
    max_output: usize,
    timeout: Duration,
}

impl ProcessRun {
    /// A run with the defaults, as each method below states them.
    pub fn new(options: ProcessOptions) -> Self {
        let (input, max_output) = (Vec::new(), 1024 * 1024);
        Self { options, input, max_output, timeout: Duration::from_secs(60) }
    }

    /// Sets what the process reads from standard input. Default: nothing.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Sets the most bytes of standard output and error together. A process that writes more is killed. Default: 1 MiB.
    #[must_use]
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// Sets how long the process may take. After that it is killed, and what its own children still write is not waited
    /// for. Default: a minute.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the process. `ended` is called once, when it has ended and all its output was received, or when a limit
    /// was exceeded and it is dead.
    ///
    /// # Errors
    ///
    /// See [`ProcessOptions::spawn`].
    pub fn start(
        self,
        context: &mut Context,
        ended: impl FnOnce(&mut Context, ProcessOutput) + 'static,
    ) -> Result<Id, Error> {
        let Self { mut options, input, max_output, timeout } = self;
        let output = ProcessOutput::new();
        let collector = Collector { input, max_output, timeout, output, ended: Some(ended) };
        options.spawn(context, collector)
    }
}

/// The protocol of a run.
struct Collector<F> {
    input: Vec<u8>,
    max_output: usize,
    timeout: Duration,
    output: ProcessOutput,
    ended: Option<F>,
}

impl<F> Collector<F> {
    /// Returns how much of `data` is within the limit. If that is not all, ends the process.
    fn room(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) -> usize {
        let room = self.max_output - self.output.out.len() - self.output.err.len();
        if data.len() > room {
            self.exceed(process, ProcessLimit::Output);
        }
        data.len().min(room)
    }

    fn exceed(&mut self, process: &mut ProcessTransport<'_>, limit: ProcessLimit) {
        self.output.exceeded = Some(limit);
        process.kill();
        process.stdin().abort();
        process.stdout().abort();
        process.stderr().abort();
    }
}

impl<F: FnOnce(&mut Context, ProcessOutput) + 'static> ProcessProtocol for Collector<F> {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        let (id, timeout) = (process.id(), self.timeout);
        process.context().set_timer(id, timeout);
        process.write(&std::mem::take(&mut self.input));
        process.close_stdin();
    }

    fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        let room = self.room(process, data);
        self.output.out.extend_from_slice(&data[..room]);
    }

    fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        let room = self.room(process, data);
        self.output.err.extend_from_slice(&data[..room]);
    }

    fn timer_fired(&mut self, process: &mut ProcessTransport<'_>, _timer: TimerId) {
        self.exceed(process, ProcessLimit::Time);
    }

    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        let output = std::mem::replace(&mut self.output, ProcessOutput::new());
        let output = ProcessOutput { exit, ..output };
        if let Some(ended) = self.ended.take() {
            ended(process.context(), output);
        }
    }

    fn type_name(&self) -> &'static str {
        type_name::<F>()
    }
}
