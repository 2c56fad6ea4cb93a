//! The monitor, and its state.

use crate::monitor::handler::{MonitorHandler, NextRun};
use crate::monitor::options::MonitorOptions;
use crate::monitor::run::Run;
use log::{info, warn};
use ropewalk::{Context, Error, Id, ProcessExit, ProcessTransport, Signal, TimerId};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Keeps a process running: see [`MonitorOptions`]. Clones are of the same monitor.
#[derive(Clone)]
pub struct ProcessMonitor(Rc<Shared>);

struct Shared {
    options: MonitorOptions,
    /// Apart from the state, which a callback of the handler may change.
    handler: RefCell<Box<dyn MonitorHandler>>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The number of failed runs in succession.
    failures: u32,
}

#[derive(Debug)]
enum Phase {
    GivenUp,
    Running(Running),
    Stopped,
    /// The timer starts the next run.
    Waiting(TimerId),
}

#[derive(Clone, Copy, Debug)]
struct Running {
    id: Id,
    then: AtTheEnd,
    /// The timer for the end of the run, once the end has begun.
    limit: Option<TimerId>,
}

/// What happens at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtTheEnd {
    Pause,
    StartAgain,
    Stop,
}

/// What a [`ProcessMonitor`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorState {
    /// It has given up after too many failures: see [`MonitorOptions::max_failures`].
    GivenUp,
    /// The process runs, or was asked to end.
    Running,
    /// It was stopped.
    Stopped,
    /// It will start the process after a pause.
    Waiting,
}

impl ProcessMonitor {
    pub(super) fn new(options: MonitorOptions, handler: Box<dyn MonitorHandler>) -> Self {
        let state = State { phase: Phase::Stopped, failures: 0 };
        let (handler, state) = (RefCell::new(handler), RefCell::new(state));
        Self(Rc::new(Shared { options, handler, state }))
    }

    /// Starts the process after the running callback, and forgets earlier failures, if the monitor was stopped or has
    /// given up. If the process is ending, it is started again at its end.
    #[doc(alias = "startProcess")]
    pub fn start(&self, context: &mut Context) {
        let mut state = self.0.state.borrow_mut();
        match &mut state.phase {
            Phase::GivenUp | Phase::Stopped => {
                state.failures = 0;
                state.phase = self.wait(context, Duration::ZERO);
            }
            Phase::Running(run) if run.then == AtTheEnd::Stop => run.then = AtTheEnd::StartAgain,
            Phase::Running(_) | Phase::Waiting(_) => {}
        }
    }

    /// Ends the process by SIGTERM, and by SIGKILL after [a while](MonitorOptions::end_timeout). It is not started again.
    #[doc(alias = "stopProcess")]
    pub fn stop(&self, context: &mut Context) {
        let mut state = self.0.state.borrow_mut();
        match &mut state.phase {
            Phase::Running(run) => {
                run.then = AtTheEnd::Stop;
                self.ask_to_end(context, run);
            }
            Phase::Waiting(timer) => {
                context.cancel(*timer);
                state.phase = Phase::Stopped;
            }
            Phase::GivenUp | Phase::Stopped => {}
        }
    }

    /// Ends the process as [`stop`](Self::stop) does, and starts it again at once. If it does not run, it is started.
    /// Earlier failures are forgotten.
    #[doc(alias = "restartAll")]
    pub fn restart(&self, context: &mut Context) {
        let mut state = self.0.state.borrow_mut();
        state.failures = 0;
        match &mut state.phase {
            Phase::Running(run) => {
                run.then = AtTheEnd::StartAgain;
                return self.ask_to_end(context, run);
            }
            Phase::Waiting(timer) => _ = context.cancel(*timer),
            Phase::GivenUp | Phase::Stopped => {}
        }
        state.phase = self.wait(context, Duration::ZERO);
    }

    /// Returns the id of the process, for a [`ProcessTransport`], if it runs.
    pub fn id(&self) -> Option<Id> {
        match self.0.state.borrow().phase {
            Phase::Running(run) => Some(run.id),
            _ => None,
        }
    }

    /// Returns what the monitor is doing.
    pub fn state(&self) -> MonitorState {
        match self.0.state.borrow().phase {
            Phase::GivenUp => MonitorState::GivenUp,
            Phase::Running(_) => MonitorState::Running,
            Phase::Stopped => MonitorState::Stopped,
            Phase::Waiting(_) => MonitorState::Waiting,
        }
    }

    /// Returns how many runs in succession have failed.
    pub fn failures(&self) -> u32 {
        self.0.state.borrow().failures
    }

    fn wait(&self, context: &mut Context, pause: Duration) -> Phase {
        let monitor = self.clone();
        Phase::Waiting(context.call_later(pause, move |context| monitor.begin_run(context)))
    }

    fn ask_to_end(&self, context: &mut Context, run: &mut Running) {
        self.limit_end(context, run);
        // If it has exited already, only its pipes are open.
        let _ = ProcessTransport::new(context, run.id).signal(Signal::Terminate);
    }

    fn limit_end(&self, context: &mut Context, run: &mut Running) {
        let timeout = self.0.options.end_timeout;
        run.limit.get_or_insert_with(|| context.set_timer(run.id, timeout));
    }

    /// Begins to wait for the pipes of a process that has exited.
    pub(super) fn note_exit(&self, context: &mut Context) {
        if let Phase::Running(run) = &mut self.0.state.borrow_mut().phase {
            self.limit_end(context, run);
        }
    }

    /// Returns true if a timer of the process is the limit for its end.
    pub(super) fn is_limit(&self, timer: TimerId) -> bool {
        match self.0.state.borrow().phase {
            Phase::Running(run) => run.limit == Some(timer),
            _ => false,
        }
    }

    fn begin_run(&self, context: &mut Context) {
        // If the handler panics, that is the state.
        self.0.state.borrow_mut().phase = Phase::Stopped;
        if context.is_stopping() {
            return;
        }
        let (mut options, protocol) = self.0.handler.borrow_mut().next_run();
        match options.spawn(context, Run::new(self.clone(), protocol)) {
            Ok(id) => {
                let run = Running { id, then: AtTheEnd::Pause, limit: None };
                self.0.state.borrow_mut().phase = Phase::Running(run);
            }
            Err(error) => {
                warn!("{error}");
                let next = self.end_run(context, Duration::ZERO);
                self.notify(context, Err(error), next);
            }
        }
    }

    /// Decides what follows a run of this length, and begins to wait for it.
    pub(super) fn end_run(&self, context: &mut Context, lasted: Duration) -> NextRun {
        let options = &self.0.options;
        let mut state = self.0.state.borrow_mut();
        let then = match state.phase {
            Phase::Running(run) => run.then,
            _ => AtTheEnd::Pause,
        };
        let next = match then {
            _ if context.is_stopping() => NextRun::Stopped,
            AtTheEnd::Stop => NextRun::Stopped,
            AtTheEnd::StartAgain => NextRun::After(Duration::ZERO),
            AtTheEnd::Pause => {
                let failed = options.has_failed(lasted);
                state.failures = if failed { state.failures.saturating_add(1) } else { 0 };
                options.pause_after(state.failures).map_or(NextRun::GivenUp, NextRun::After)
            }
        };
        state.phase = match next {
            NextRun::After(pause) => self.wait(context, pause),
            NextRun::GivenUp => Phase::GivenUp,
            NextRun::Stopped => Phase::Stopped,
        };
        info!(
            "the process ended after {lasted:?}, with {} failures in a row; next: {next:?}",
            state.failures
        );
        next
    }

    pub(super) fn notify(
        &self,
        context: &mut Context,
        end: Result<ProcessExit, Error>,
        next: NextRun,
    ) {
        self.0.handler.borrow_mut().run_ended(context, end, next);
    }
}

impl fmt::Debug for ProcessMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("ProcessMonitor")
            .field("options", &self.0.options)
            .field("state", &*state)
            .finish_non_exhaustive()
    }
}
