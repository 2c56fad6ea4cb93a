//! The progress line on stderr.

use crate::output::complain;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// The steps of a row.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    start: Instant,
    done: usize,
    steps: usize,
    /// The line can be overwritten.
    terminal: bool,
}

impl Progress {
    /// Starts with no step finished.
    pub(crate) fn begin(title: &str, steps: usize) -> Self {
        let terminal = stderr().is_terminal();
        if !terminal {
            complain(format_args!("  {title}\n"));
        }
        Self { title: title.to_owned(), start: Instant::now(), done: 0, steps, terminal }
    }

    /// Shows the current step, and the estimated time left.
    pub(crate) fn show(&self, step: &str) {
        let left = match self.done {
            0 => String::new(),
            done => format!(", {} s left", seconds(self.start.elapsed(), self.steps - done, done)),
        };
        if self.terminal {
            complain(format_args!("\r\x1b[K  {}: {step}{left}", self.title));
        }
    }

    /// Counts a finished step.
    pub(crate) fn advance(&mut self) {
        self.done += 1;
    }

    /// Clears the line.
    pub(crate) fn end(self) {
        if self.terminal {
            complain(format_args!("\r\x1b[K"));
        }
    }
}

/// Estimates the seconds for `left` more steps, when `done` have taken `elapsed`.
fn seconds(elapsed: Duration, left: usize, done: usize) -> u64 {
    (elapsed * left as u32 / done as u32).as_secs() + 1
}
