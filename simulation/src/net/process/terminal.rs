//! Terminals of simulated processes: the line discipline, as far as a protocol can tell (termios(3)).

use super::{NodeProcess, STDIN};
use crate::net::Net;
use ropewalk::{Signal, WindowSize};

/// The index of the output of a terminal among the pipes of its process.
const OUTPUT: usize = 1;

/// The longest line that is typed; further characters are dropped.
const LONGEST: usize = 4095;

/// Ctrl-C, Ctrl-D and Ctrl-\.
const INTERRUPT: u8 = 3;
const END_OF_INPUT: u8 = 4;
const QUIT: u8 = 28;

/// The terminal of a process: it echoes what is typed and passes it on in lines.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) size: WindowSize,
    /// The line being typed.
    line: Vec<u8>,
    input_ended: bool,
    /// The descriptors that the process has closed.
    closed: [bool; 3],
}

impl Terminal {
    pub(super) fn new(size: WindowSize) -> Self {
        Self { size, line: Vec::new(), input_ended: false, closed: [false; 3] }
    }
}

impl NodeProcess {
    /// Returns true if the parent has closed its side of the terminal.
    pub(super) fn is_hung_up(&self) -> bool {
        self.terminal.is_some()
            && self.pipes[STDIN].parent_closed
            && self.pipes[OUTPUT].parent_closed
    }

    /// Returns true if nothing more can be typed or written to standard input.
    pub(super) fn input_has_ended(&self) -> bool {
        match &self.terminal {
            Some(terminal) => terminal.input_ended || self.is_hung_up(),
            None => self.pipes[STDIN].parent_closed,
        }
    }

    /// Returns what a terminal makes of output to either pipe, and the pipe in which it arrives.
    pub(super) fn process_output(&self, index: usize, data: Vec<u8>) -> (usize, Vec<u8>) {
        match self.terminal {
            Some(_) => (OUTPUT, with_returns(&data)),
            None => (index, data),
        }
    }

    /// Notes that the process has closed a descriptor. Returns the pipes that have ended.
    pub(super) fn close_descriptor(&mut self, index: usize) -> &'static [usize] {
        let Some(terminal) = &mut self.terminal else {
            return &[[0], [1], [2]][index];
        };
        terminal.closed[index] = true;
        if terminal.closed == [true; 3] { &[STDIN, OUTPUT] } else { &[] }
    }

    fn echo(&mut self, data: &[u8]) {
        if data.len() <= self.pipes[OUTPUT].free_space() {
            self.pipes[OUTPUT].data.extend(data);
        }
    }

    /// Passes the line being typed to the process.
    fn enter(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            self.pipes[STDIN].data.extend(terminal.line.drain(..));
        }
    }

    /// Types a character. Returns the signal that it raises.
    fn type_in(&mut self, byte: u8) -> Option<Signal> {
        let terminal = self.terminal.as_mut()?;
        match byte {
            INTERRUPT | QUIT => {
                terminal.line.clear();
                self.pipes[STDIN].data.clear();
                self.echo(&[b'^', byte + b'@']);
                return Some(if byte == QUIT { Signal::Quit } else { Signal::Interrupt });
            }
            END_OF_INPUT => {
                terminal.input_ended |= terminal.line.is_empty();
                self.enter();
            }
            b'\r' | b'\n' => {
                terminal.line.push(b'\n');
                self.echo(b"\r\n");
                self.enter();
            }
            _ if terminal.line.len() == LONGEST => {}
            _ => {
                terminal.line.push(byte);
                self.echo(&[byte]);
            }
        }
        None
    }
}

impl Net {
    /// Types what the parent has written.
    pub(super) fn type_into(&mut self, number: u64, bytes: &[u8]) {
        for byte in bytes {
            let process = self.processes.get_mut(number);
            if let Some(signal) = process.and_then(|process| process.type_in(*byte)) {
                self.signal_process(number, signal);
            }
        }
        self.notify_pipe(number, OUTPUT);
    }

    /// Hangs up, if the parent has closed its side of a terminal that a process has open.
    pub(super) fn hang_up(&mut self, number: u64) {
        let process = self.processes.get(number);
        if process
            .is_some_and(|process| process.is_hung_up() && !process.pipes[OUTPUT].process_closed)
        {
            self.signal_process(number, Signal::Hangup);
        }
    }
}

/// Returns output with `"\r\n"` at the end of each line.
fn with_returns(data: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(data.len());
    for byte in data {
        if *byte == b'\n' {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}
