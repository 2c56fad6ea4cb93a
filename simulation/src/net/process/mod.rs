//! Processes of the nodes: each runs a program of the world, step by step.

mod handle;
mod pipe;
mod program;
mod terminal;

pub use program::SimulatedProgram;

use crate::net::error::system;
use crate::net::{Net, Shared, nanos};
use crate::node::{NodeId, PendingSource};
use crate::random::Random;
use crate::schedule::{Scheduled, Time};
use crate::trace::What;
use handle::{SimulatedProcess, ended_by};
use pipe::{Pipe, STDIN, SimulatedPipe};
use program::Step;
use ropewalk::backend::{Event, ProcessSettings, Readiness, Spawned, StreamSocket};
use ropewalk::{Id, ProcessExit, Signal};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::time::Duration;
use terminal::Terminal;

/// How long a process takes until it does its first step.
const START: (Duration, Duration) = (Duration::from_micros(300), Duration::from_millis(3));

/// The number of the first process.
const FIRST: u64 = 1000;

/// The programs of the world, and the processes of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    pub(crate) programs: BTreeMap<String, SimulatedProgram>,
    running: BTreeMap<u64, NodeProcess>,
    started: u64,
}

impl Processes {
    fn get(&self, number: u64) -> Option<&NodeProcess> {
        self.running.get(&number)
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut NodeProcess> {
        self.running.get_mut(&number)
    }
}

/// A process, until it was reaped and its pipes are closed.
#[derive(Debug)]
struct NodeProcess {
    node: NodeId,
    /// The id of the process in its parent's reactor.
    id: Option<Id>,
    /// Standard input, output and error.
    pipes: [Pipe; 3],
    /// With a terminal, the first two pipes are its sides.
    terminal: Option<Terminal>,
    steps: VecDeque<Step>,
    /// Bytes of the present step that are not written yet, and the pipe for them.
    unwritten: (usize, VecDeque<u8>),
    ignored: Vec<Signal>,
    grandchild: Duration,
    /// The time until which the present step waits, or for which a grandchild holds the pipes after the exit.
    waits_until: Option<Time>,
    is_stopped: bool,
    exit: Option<ProcessExit>,
    is_reaped: bool,
}

impl NodeProcess {
    fn new(node: NodeId, program: SimulatedProgram, terminal: Option<Terminal>) -> Self {
        let SimulatedProgram { steps, ignored, grandchild } = program;
        Self {
            node,
            id: None,
            pipes: Default::default(),
            terminal,
            steps: steps.into(),
            unwritten: Default::default(),
            ignored,
            grandchild,
            waits_until: None,
            is_stopped: false,
            exit: None,
            is_reaped: false,
        }
    }

    /// Returns true if standard input has ended.
    fn has_no_input(&self) -> bool {
        self.pipes[STDIN].data.is_empty() && self.input_has_ended()
    }

    /// Takes input up to the end of a line; all of it if it has ended. `None`: the line is not whole yet.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let has_ended = self.input_has_ended();
        let pipe = &mut self.pipes[STDIN];
        let end = pipe.data.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        // The end of a line that fills the pipe cannot arrive: the line is passed in parts.
        let is_last = has_ended || pipe.free_space() == 0;
        let rest = Some(pipe.data.len()).filter(|length| is_last && *length > 0);
        let end = end.or(rest)?;
        Some(pipe.data.drain(..end).collect())
    }
}

/// The outcome of an attempt to do the present step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is done.
    Done,
    /// The process has exited.
    Exited,
    /// A part of it is done; the rest can be tried at once.
    Partly,
    /// It waits for the other side of a pipe, or for time to pass.
    Waits,
}

impl Net {
    /// Starts a process of a node.
    pub(crate) fn spawn(
        net: &Shared,
        node: NodeId,
        program: &str,
        settings: ProcessSettings,
    ) -> io::Result<Spawned> {
        let terminal = settings.pseudo_terminal.map(Terminal::new);
        let has_terminal = terminal.is_some();
        let number = {
            let net = &mut *net.borrow_mut();
            net.charge_call();
            let known = net.processes.programs.get(program).cloned();
            let known = known.ok_or_else(|| system(ErrorKind::NotFound))?;
            let number = FIRST + net.processes.started;
            net.processes.started += 1;
            let mut process = NodeProcess::new(node, known, terminal);
            process.pipes[2].parent_closed = has_terminal;
            net.processes.running.insert(number, process);
            net.note(node, None, What::Spawns(program));
            let delay = Random::of(net.seed, 1 << 34, number).duration(START.0, START.1);
            net.wait_step(number, delay);
            number
        };
        let pipe = |index| {
            let pipe = SimulatedPipe { net: net.clone(), process: number, index };
            Some(StreamSocket::new(pipe))
        };
        let process = Box::new(SimulatedProcess { net: net.clone(), number });
        let error = if has_terminal { None } else { pipe(2) };
        Ok(Spawned { process, pipes: [pipe(0), pipe(1), error] })
    }

    /// Has a process wait before it continues. `Duration::MAX` is for ever.
    fn wait_step(&mut self, number: u64, delay: Duration) {
        let until = self.at().saturating_add(nanos(delay));
        let Some(process) = self.processes.get_mut(number) else { return };
        process.waits_until = Some(until);
        if delay < Duration::MAX {
            self.schedule.add(until, Scheduled::Process(number));
        }
    }

    /// The time has come for which a process waits, or for the end of the process that it has left behind.
    pub(crate) fn wake_process(&mut self, number: u64) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(number) else { return };
        if process.waits_until.take_if(|until| *until <= now).is_some() {
            match process.exit {
                Some(_) => self.close_process_ends(number),
                None => self.advance(number),
            }
        }
    }

    /// Does the steps of a process until one of them waits.
    fn advance(&mut self, number: u64) {
        loop {
            let Some(process) = self.processes.get_mut(number) else { return };
            if process.exit.is_some() || process.is_stopped || process.waits_until.is_some() {
                return;
            }
            let progress = match process.unwritten.1.is_empty() {
                false => self.write_rest(number),
                true => self.try_step(number),
            };
            match progress {
                Progress::Done => {
                    if let Some(process) = self.processes.get_mut(number) {
                        process.steps.pop_front();
                    }
                }
                Progress::Partly => {}
                Progress::Exited | Progress::Waits => return,
            }
        }
    }

    /// Begins or continues the present step.
    fn try_step(&mut self, number: u64) -> Progress {
        let Some(process) = self.processes.get_mut(number) else { return Progress::Exited };
        let Some(step) = process.steps.front().cloned() else {
            return self.exit_process(number, ProcessExit::Code(0));
        };
        match step {
            Step::Answer(answer) => match process.take_line() {
                Some(line) => self.begin_write(number, 1, answer(&line)),
                None if process.has_no_input() => Progress::Done,
                None => Progress::Waits,
            },
            Step::Close(index) => {
                self.close_process_end(number, index);
                Progress::Done
            }
            Step::Echo if process.has_no_input() => Progress::Done,
            Step::Echo if process.pipes[STDIN].data.is_empty() => Progress::Waits,
            Step::Echo => {
                let data = process.pipes[STDIN].data.drain(..).collect();
                self.begin_write(number, 1, data)
            }
            Step::Exit(exit) => self.exit_process(number, exit),
            Step::ReadToEnd => {
                process.pipes[STDIN].data.clear();
                let ends = process.has_no_input();
                self.notify_pipe(number, STDIN);
                if ends { Progress::Done } else { Progress::Waits }
            }
            Step::Wait(time) => {
                process.steps.pop_front();
                self.wait_step(number, time);
                Progress::Waits
            }
            Step::Write(index, data) => {
                process.steps.pop_front();
                self.begin_write(number, index, data)
            }
        }
    }

    /// Begins to write what a step has made, possibly of data that it has read.
    fn begin_write(&mut self, number: u64, index: usize, data: Vec<u8>) -> Progress {
        if let Some(process) = self.processes.get_mut(number) {
            let (index, data) = process.process_output(index, data);
            process.unwritten = (index, data.into());
        }
        self.notify_pipe(number, STDIN);
        Progress::Partly
    }

    /// Writes as much of the rest as the pipe takes.
    fn write_rest(&mut self, number: u64) -> Progress {
        let Some(process) = self.processes.get_mut(number) else { return Progress::Exited };
        let (has_terminal, is_hung_up) = (process.terminal.is_some(), process.is_hung_up());
        let (index, rest) = &mut process.unwritten;
        if is_hung_up {
            rest.clear(); // EIO, and SIGHUP is ignored.
        }
        let pipe = &mut process.pipes[*index];
        if pipe.parent_closed && !has_terminal {
            let exit = ProcessExit::Signal { number: 13, core_dumped: false }; // SIGPIPE
            return self.exit_process(number, exit);
        }
        let count = rest.len().min(pipe.free_space());
        pipe.data.extend(rest.drain(..count));
        let (index, is_whole) = (*index, rest.is_empty());
        if count > 0 {
            self.notify_pipe(number, index);
        }
        if is_whole { Progress::Partly } else { Progress::Waits }
    }

    fn exit_process(&mut self, number: u64, exit: ProcessExit) -> Progress {
        let Some(process) = self.processes.get_mut(number) else { return Progress::Exited };
        if process.exit.is_none() {
            process.exit = Some(exit);
            let (node, id, grandchild) = (process.node, process.id, process.grandchild);
            let has_terminal = process.terminal.is_some();
            self.note(node, id, What::Exits(&exit.to_string()));
            self.notify(node, PendingSource::Process(number));
            // The end of the first process of a terminal hangs up the others.
            match grandchild.is_zero() || has_terminal {
                true => self.close_process_ends(number),
                false => self.wait_step(number, grandchild),
            }
        }
        Progress::Exited
    }

    fn close_process_ends(&mut self, number: u64) {
        (0..3).for_each(|index| self.close_process_end(number, index));
        self.remove_if_over(number);
    }

    fn close_process_end(&mut self, number: u64, index: usize) {
        let process = self.processes.get_mut(number);
        for index in process.map_or(&[][..], |process| process.close_descriptor(index)) {
            if let Some(process) = self.processes.get_mut(number)
                && !std::mem::replace(&mut process.pipes[*index].process_closed, true)
            {
                self.notify_pipe(number, *index);
            }
        }
    }

    /// Handles a signal.
    fn signal_process(&mut self, number: u64, signal: Signal) {
        let Some(process) = self.processes.get_mut(number) else { return };
        match signal {
            Signal::Continue => {
                process.is_stopped = false;
                self.advance(number);
            }
            Signal::Stop => process.is_stopped = true,
            Signal::Kill => _ = self.exit_process(number, ended_by(signal)),
            _ if process.ignored.contains(&signal) => {}
            _ => _ = self.exit_process(number, ended_by(signal)),
        }
    }

    /// Returns the event of a process that has exited.
    pub(super) fn take_process_event(&mut self, number: u64) -> Option<Event> {
        let process = self.processes.get(number)?;
        super::event(process.id, Readiness::READABLE)
    }

    /// Removes a process of which nothing is left.
    fn remove_if_over(&mut self, number: u64) {
        let is_over = self.processes.get(number).is_some_and(|process| {
            process.is_reaped && process.pipes.iter().all(|pipe| pipe.parent_closed)
        });
        if is_over {
            self.processes.running.remove(&number);
        }
    }

    /// Removes the processes of a node that has crashed.
    pub(crate) fn crash_processes(&mut self, node: NodeId) {
        self.processes.running.retain(|_, process| process.node != node);
    }
}
