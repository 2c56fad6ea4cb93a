//! Programs of simulated processes: steps that are done in order.

use ropewalk::{ProcessExit, Signal};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A program that processes of a [`World`](crate::World) run: steps that are done in order. After the last one the
/// process exits with code 0. See [`World::set_program`](crate::World::set_program).
///
/// The program has a pipe each for standard input, output and error. Each holds 64 KiB (pipe(7)): a step that
/// writes waits until the other side has read, and one that reads waits for data. A write to a pipe that the other
/// side has closed ends the process by SIGPIPE.
///
/// A signal ends the process, unless the program [ignores](Self::ignores) it. [`Signal::Stop`] stops it until
/// [`Signal::Continue`]; neither these two nor [`Signal::Kill`] can be ignored.
///
/// ```
/// use ropewalk_simulation::SimulatedProgram;
/// use std::time::Duration;
///
/// let cat = SimulatedProgram::new().echoes();
/// let slow = SimulatedProgram::new().waits(Duration::from_secs(3)).writes("done\n").exits(1);
/// let upper = SimulatedProgram::new().answers(|line| line.to_ascii_uppercase());
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimulatedProgram {
    pub(super) steps: Vec<Step>,
    pub(super) ignored: Vec<Signal>,
    pub(super) grandchild: Duration,
}

/// Returns the answer to a line.
type AnswerLine = Rc<dyn Fn(&[u8]) -> Vec<u8>>;

/// A step of a program.
#[derive(Clone)]
pub(super) enum Step {
    /// Writes the answer to each line of standard input to standard output, until the end of the input.
    Answer(AnswerLine),
    /// Closes one of the three pipes.
    Close(usize),
    /// Copies standard input to standard output until its end.
    Echo,
    Exit(ProcessExit),
    ReadToEnd,
    Wait(Duration),
    /// Writes to standard output (1) or error (2).
    Write(usize, Vec<u8>),
}

impl SimulatedProgram {
    /// A program without steps: it exits at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does nothing for this time.
    #[must_use]
    pub fn waits(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Does nothing for ever.
    #[must_use]
    pub fn hangs(self) -> Self {
        self.waits(Duration::MAX)
    }

    /// Writes to standard output.
    #[must_use]
    pub fn writes(self, data: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Write(1, data.into()))
    }

    /// Writes to standard error.
    #[must_use]
    pub fn writes_error(self, data: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Write(2, data.into()))
    }

    /// Reads standard input to its end.
    #[must_use]
    pub fn reads_to_end(self) -> Self {
        self.step(Step::ReadToEnd)
    }

    /// Copies standard input to standard output until its end, as cat(1) does.
    #[must_use]
    pub fn echoes(self) -> Self {
        self.step(Step::Echo)
    }

    /// Writes the answer to each line of standard input to standard output, until the end of the input. A line is
    /// passed with its end; the last one may have none.
    #[must_use]
    pub fn answers(self, answer: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        self.step(Step::Answer(Rc::new(answer)))
    }

    /// Closes standard input.
    #[must_use]
    pub fn closes_input(self) -> Self {
        self.step(Step::Close(0))
    }

    /// Closes standard output.
    #[must_use]
    pub fn closes_output(self) -> Self {
        self.step(Step::Close(1))
    }

    /// Closes standard error.
    #[must_use]
    pub fn closes_error(self) -> Self {
        self.step(Step::Close(2))
    }

    /// Exits with this code. Steps after it are not done.
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        self.step(Step::Exit(ProcessExit::Code(code)))
    }

    /// Ends by the signal with this number, and dumps core: as a fault does.
    #[must_use]
    pub fn crashes(self, number: i32) -> Self {
        self.step(Step::Exit(ProcessExit::Signal { number, core_dumped: true }))
    }

    /// Ignores a signal.
    #[must_use]
    pub fn ignores(mut self, signal: Signal) -> Self {
        self.ignored.push(signal);
        self
    }

    /// Leaves a process behind that holds the pipes open for this time after the exit.
    #[must_use]
    pub fn leaves_grandchild(mut self, time: Duration) -> Self {
        self.grandchild = time;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(_) => f.write_str("Answer"),
            Self::Close(pipe) => write!(f, "Close({pipe})"),
            Self::Echo => f.write_str("Echo"),
            Self::Exit(exit) => write!(f, "Exit({exit:?})"),
            Self::ReadToEnd => f.write_str("ReadToEnd"),
            Self::Wait(time) => write!(f, "Wait({time:?})"),
            Self::Write(pipe, data) => write!(f, "Write({pipe}, {} bytes)", data.len()),
        }
    }
}
