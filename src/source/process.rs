//! Processes: their state. Their pipes are streams.

use crate::sys::ProcessBackend;
use crate::values::id::Id;
use crate::values::process::ProcessExit;

/// A process that was started, until it has exited and all its pipes are closed.
#[derive(Debug)]
pub(crate) struct Process {
    /// `None` until it is registered, and once the process has been reaped.
    pub(crate) backend: Option<Box<dyn ProcessBackend>>,
    pub(crate) number: u32,
    /// True if its pipes are the two sides of its terminal.
    pub(crate) has_terminal: bool,
    /// Standard input, output and error: those that are open pipes.
    pub(crate) pipes: [Option<Id>; 3],
    pub(crate) exit: Option<ProcessExit>,
    /// True after the protocol was notified of the exit.
    pub(crate) notified: bool,
    /// True after the stop of the reactor has asked it to end.
    pub(crate) asked_to_end: bool,
}

impl Process {
    pub(crate) fn new(number: u32, has_terminal: bool) -> Self {
        Self {
            backend: None,
            number,
            has_terminal,
            pipes: [None; 3],
            exit: None,
            notified: false,
            asked_to_end: false,
        }
    }

    /// Returns true if nothing more can happen to it.
    pub(crate) fn has_ended(&self) -> bool {
        self.notified && self.pipes == [None; 3]
    }
}
