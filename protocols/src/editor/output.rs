//! The sequences that draw the row of the line being typed, and print lines above it. They are those of xterm and
//! compatible terminals. It does no I/O.

use crate::editor::draft::View;
use std::mem;
use unicode_width::UnicodeWidthStr;

/// Moves to the beginning of the row, and clears it and the rows below it.
const CLEAR_ROW: &str = "\r\x1b[J";

/// Clears all rows.
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// Requests a report of the cursor's row and column.
const REQUEST_POSITION: &str = "\x1b[6n";

/// Lets the terminal enclose pasted text in marks.
const PASTE_ON: &str = "\x1b[?2004h";

/// Ends what `PASTE_ON` has begun, and lets long lines wrap: a row may have been drawn in part.
pub(super) const RESET: &str = "\x1b[?2004l\x1b[?7h";

/// The question whether pasted lines are entered, and one for a narrow window.
const QUESTION: &str = "enter them all? y/n ";
const SHORT_QUESTION: &str = "y/n";

/// The limit for text that is held until the terminal's report. Above it, the row is drawn without the report.
const MAX_HELD: usize = 64 * 1024;

/// What is to be written to the terminal, and what is on its last row.
#[derive(Debug)]
pub(super) struct Output {
    prompt: String,
    columns: usize,
    bytes: String,
    /// True if a row is on the screen, with the cursor in it.
    is_drawn: bool,
    /// True if the row has to be drawn.
    is_changed: bool,
    /// The column of the cursor when the row was drawn, from 0.
    column: usize,
    /// The text that is held until the terminal's report, or at first until the connection is made.
    held: Option<String>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NotBegun,
    Typing,
    /// There is no row any more, and text is printed as it is.
    Finished,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            prompt: "> ".to_owned(),
            columns: 80,
            bytes: String::new(),
            is_drawn: false,
            is_changed: false,
            column: 0,
            held: Some(String::new()),
            phase: Phase::NotBegun,
        }
    }

    pub(super) fn set_prompt(&mut self, prompt: &str) {
        self.prompt = harmless(prompt).replace('\n', " ");
    }

    /// Begins to draw the row.
    pub(super) fn begin(&mut self) {
        self.phase = Phase::Typing;
        self.bytes += PASTE_ON;
        self.release();
    }

    /// Clears the row, prints the draft, and resets the terminal.
    pub(super) fn finish(&mut self, draft: &str) {
        if mem::replace(&mut self.phase, Phase::Finished) != Phase::Typing {
            return;
        }
        self.release();
        if !draft.is_empty() {
            self.print_entered(draft);
        }
        self.clear_row();
        self.is_changed = false;
        self.bytes += RESET;
    }

    /// Draws no more, since the connection has ended.
    pub(super) fn abandon(&mut self) {
        (self.phase, self.held) = (Phase::Finished, None);
    }

    pub(super) fn has_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// Prints lines above the row. `begin` and `end` enclose each.
    pub(super) fn print(&mut self, text: &str, begin: &str, end: &str) {
        let text = harmless(text);
        let lines = text.split('\n').map(|line| format!("{begin}{line}{end}\r\n"));
        let text: String = lines.collect();
        match &mut self.held {
            Some(held) if held.len() + text.len() <= MAX_HELD => *held += &text,
            // Nothing can be written yet.
            Some(_) if self.phase == Phase::NotBegun => {}
            Some(_) => {
                self.release();
                self.bytes += &text;
            }
            None => {
                self.clear_row();
                self.bytes += &text;
            }
        }
    }

    /// Prints a line that was entered: while it was typed, only a part of a long line was shown.
    pub(super) fn print_entered(&mut self, line: &str) {
        let line = format!("{}{line}", self.prompt);
        self.print(&line, "", "");
    }

    pub(super) fn clear_screen(&mut self) {
        self.bytes += CLEAR_SCREEN;
        self.is_drawn = false;
        self.is_changed = true;
    }

    /// Rings the bell, once for any number of keys that arrive together.
    pub(super) fn ring(&mut self) {
        if !self.bytes.ends_with('\x07') {
            self.bytes.push('\x07');
        }
    }

    /// Lets the row be drawn again.
    pub(super) fn set_changed(&mut self) {
        self.is_changed = self.phase == Phase::Typing;
    }

    /// Takes the width of the window after it has changed, or after another program has used the terminal. Returns
    /// true if the terminal's report is needed: in a narrower window many terminals wrap the row, which moves the
    /// cursor down; others cut it off. The position tells how many rows to clear.
    pub(super) fn resize(&mut self, columns: usize) -> bool {
        self.columns = columns.max(1);
        if self.phase != Phase::Typing {
            return false;
        }
        self.bytes += PASTE_ON;
        if self.held.is_none() && (!self.is_drawn || self.column < self.columns) {
            self.is_changed = true;
            return false;
        }
        self.held.get_or_insert_default();
        self.bytes += REQUEST_POSITION;
        true
    }

    /// Clears the row and prints the held text. If the cursor is in `column`, from 1, because the row was wrapped, the
    /// row begins further up.
    pub(super) fn position_reported(&mut self, column: Option<usize>) {
        if self.held.is_none() || self.phase != Phase::Typing {
            return;
        }
        match self.column / self.columns {
            rows @ 1.. if self.is_drawn && column == Some(self.column % self.columns + 1) => {
                self.bytes += &format!("\x1b[{rows}A");
            }
            _ => {}
        }
        self.release();
    }

    /// Draws the row if it has changed: the prompt and the line, or the question.
    pub(super) fn draw<'v>(&mut self, is_asking: bool, view: impl FnOnce(usize) -> View<'v>) {
        if !self.is_changed || self.held.is_some() || self.phase != Phase::Typing {
            return;
        }
        self.clear_row();
        let prompt = if is_asking { QUESTION } else { &self.prompt };
        // In a narrow window the line is more useful than the prompt.
        let fits = prompt.width() + 1 < self.columns;
        let prompt = if fits {
            prompt
        } else if is_asking {
            SHORT_QUESTION
        } else {
            ""
        };
        let room = if is_asking { 0 } else { self.columns - prompt.width() };
        let View { before_cursor, after_cursor, column } = view(room);
        self.column = prompt.width() + column;
        // The terminal saves the cursor's position, since terminals differ in the width of emoji. Wrapping is off
        // while the row is drawn.
        let row = format!("\x1b[?7l{prompt}{before_cursor}\x1b7{after_cursor}\x1b8\x1b[?7h");
        // A tab is a column of the line, wherever the terminal has its stops.
        self.bytes += &row.replace('\t', " ");
        (self.is_drawn, self.is_changed) = (true, false);
    }

    /// Returns what is to be written.
    pub(super) fn take(&mut self) -> String {
        mem::take(&mut self.bytes)
    }

    fn clear_row(&mut self) {
        if mem::take(&mut self.is_drawn) {
            self.bytes += CLEAR_ROW;
        }
        self.set_changed();
    }

    fn release(&mut self) {
        self.clear_row();
        self.bytes += &self.held.take().unwrap_or_default();
    }
}

/// Replaces characters that would be commands to the terminal.
fn harmless(text: &str) -> String {
    let is_harmful = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    text.replace(is_harmful, "\u{fffd}")
}
