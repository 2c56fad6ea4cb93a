//! Previous lines, and the place in them that is shown.

use std::collections::VecDeque;
use std::mem;

/// Lines that were entered. An empty line, and a line that equals the one before it, are not kept.
#[derive(Debug)]
pub(super) struct History {
    lines: VecDeque<String>,
    max_lines: usize,
    /// The index of the line that is shown. Their number stands for the draft.
    place: usize,
    /// The draft, while a line of the history is shown.
    draft: String,
}

impl History {
    pub(super) fn new(max_lines: usize) -> Self {
        Self { lines: VecDeque::new(), max_lines, place: 0, draft: String::new() }
    }

    pub(super) fn set_max_lines(&mut self, max_lines: usize) {
        self.max_lines = max_lines;
    }

    /// Adds a line, and shows the draft again.
    pub(super) fn add(&mut self, line: &str) {
        if !line.is_empty() && self.lines.back().is_none_or(|last| last != line) {
            self.lines.push_back(line.to_owned());
        }
        while self.lines.len() > self.max_lines {
            self.lines.pop_front();
        }
        self.place = self.lines.len();
        self.draft.clear();
    }

    /// Returns the line before the shown one, which is `line`.
    pub(super) fn previous(&mut self, line: &str) -> Option<String> {
        let place = self.place.checked_sub(1)?;
        if self.place == self.lines.len() {
            line.clone_into(&mut self.draft);
        }
        self.place = place;
        self.lines.get(place).cloned()
    }

    /// Returns the line after the shown one: at the end, the draft.
    pub(super) fn next(&mut self) -> Option<String> {
        if self.place == self.lines.len() {
            return None;
        }
        self.place += 1;
        Some(self.lines.get(self.place).cloned().unwrap_or_else(|| mem::take(&mut self.draft)))
    }
}
