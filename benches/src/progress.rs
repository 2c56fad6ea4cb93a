//! How far it is, for those who wait: a line on stderr.

use crate::output::complain;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Steps towards the end of something.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    start: Instant,
    done: usize,
    steps: usize,
    /// The line can be written over.
    terminal: bool,
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) fn begin(title: &str, steps: usize) -> Self {
        let terminal = stderr().is_terminal();
        if !terminal {
            complain(format_args!("  {title}\n"));
        }
        Self { title: title.to_owned(), start: Instant::now(), done: 0, steps, terminal }
    }

    /// Says what is being done now, and how long it will take until all is.
    pub(crate) fn show(&self, step: &str) {
        let left = match self.done {
            0 => String::new(),
            done => format!(", {} s left", seconds(self.start.elapsed(), self.steps - done, done)),
        };
        if self.terminal {
            complain(format_args!("\r\x1b[K  {}: {step}{left}", self.title));
        }
    }

    /// One step is done.
    pub(crate) fn advance(&mut self) {
        self.done += 1;
    }

    /// Leaves the line to what comes next.
    pub(crate) fn end(self) {
        if self.terminal {
            complain(format_args!("\r\x1b[K"));
        }
    }
}

/// How long so many more steps take, when `done` have taken `elapsed`.
fn seconds(elapsed: Duration, left: usize, done: usize) -> u64 {
    (elapsed * left as u32 / done as u32).as_secs() + 1
}
