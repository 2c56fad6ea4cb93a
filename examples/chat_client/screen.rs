//! The screen: received lines, and below them the row with the line that is being typed.

use crate::editor::{Editor, Event, View};
use crate::terminal::{self, Mode};
use ropewalk_chat::Harmless;
use std::io::{self, Write};

/// The text before the line that is being typed.
const PROMPT: &str = "> ";

/// Moves to the beginning of the row, and clears it and the rows below it.
const CLEAR_ROW: &str = "\r\x1b[J";

/// Clears all rows.
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// Requests a report of the cursor's row and column.
const REQUEST_POSITION: &str = "\x1b[6n";

/// The limit for output that is held until the terminal's report. Above it, the row is drawn without the report.
const MAX_HELD: usize = 64 * 1024;

/// The output, and the line that is being typed.
///
/// It is used on the reactor's thread only. A lock is needed since the calls that deliver keys are created on another
/// thread; it is never contended.
#[derive(Default)]
pub(crate) struct Screen {
    /// `None` if the input is a file or a pipe: no row is drawn.
    typing: Option<Typing>,
}

/// The row of the line that is being typed.
struct Typing {
    editor: Editor,
    mode: Mode,
    /// The column of the cursor when the row was drawn, from 0.
    column: usize,
    /// The output that is held until the terminal's report.
    held: Option<String>,
}

impl Screen {
    /// Starts to draw a row for typing.
    pub(crate) fn begin(&mut self, mode: Mode) {
        self.typing = Some(Typing { editor: Editor::default(), mode, column: 0, held: None });
    }

    /// Prints a line above the row.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        // Received text must not control the terminal.
        let text = Harmless(text);
        match &mut self.typing {
            Some(typing) => typing.print(&format!("{text}\n")),
            None => show(&format!("{text}\n")),
        }
    }

    /// Passes keys to the editor, and returns its events.
    pub(crate) fn press(&mut self, keys: &[u8]) -> io::Result<Vec<Event>> {
        let Some(typing) = &mut self.typing else {
            return Ok(Vec::new());
        };
        let events: Vec<Event> = keys.iter().filter_map(|&byte| typing.editor.feed(byte)).collect();
        let mut text = String::new();
        for event in &events {
            match event {
                Event::Clear => text += CLEAR_SCREEN,
                Event::End => {}
                // While it was typed, only a part of a long line was shown.
                Event::Line(line) => text += &format!("{PROMPT}{line}\n"),
                Event::Position(column) => typing.position_reported(Some(*column))?,
            }
        }
        typing.print(&text)?;
        Ok(events)
    }

    /// Draws the row again after the window was resized, or after the shell has used the terminal. Returns true if the
    /// terminal's report of the cursor is needed; without a report within a moment, call
    /// [`stop_waiting`](Self::stop_waiting).
    pub(crate) fn changed(&mut self) -> io::Result<bool> {
        match &mut self.typing {
            Some(typing) if typing.mode.restore() => typing.changed(),
            _ => Ok(false),
        }
    }

    /// Stops waiting for the terminal's report, and draws the row.
    pub(crate) fn stop_waiting(&mut self) -> io::Result<()> {
        self.typing.as_mut().map_or(Ok(()), |typing| typing.position_reported(None))
    }

    /// Ends typing. An unsent line is left on the screen. Returns false if there was no row.
    pub(crate) fn finish(&mut self) -> bool {
        let Some(mut typing) = self.typing.take() else {
            return false;
        };
        let held = typing.held.take().unwrap_or_default();
        let draft = match typing.editor.line() {
            "" => String::new(),
            line => format!("{PROMPT}{line}\n"),
        };
        // It fails if the terminal was closed.
        let _ = show(&format!("{CLEAR_ROW}{held}{draft}"));
        true
    }
}

impl Typing {
    /// Prints text above the row, and draws the row again.
    fn print(&mut self, text: &str) -> io::Result<()> {
        if let Some(held) = &mut self.held {
            *held += text;
            return if held.len() > MAX_HELD { self.position_reported(None) } else { Ok(()) };
        }
        let row = self.draw();
        show(&format!("{CLEAR_ROW}{text}{row}"))
    }

    /// Draws the row again, or requests the cursor's position. In a narrower window, many terminals wrap the row, which
    /// moves the cursor down; others cut it off. The position tells how many rows to clear.
    fn changed(&mut self) -> io::Result<bool> {
        if self.held.is_none() && self.column < terminal::columns() {
            return self.print("").map(|()| false);
        }
        self.held.get_or_insert_default();
        show(REQUEST_POSITION).map(|()| true)
    }

    /// Clears the row and prints the held output. If the cursor is in `column` because the row was wrapped, the row
    /// begins further up.
    fn position_reported(&mut self, column: Option<usize>) -> io::Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let columns = terminal::columns();
        match self.column / columns {
            rows @ 1.. if column == Some(self.column % columns + 1) => {
                show(&format!("\x1b[{rows}A"))?;
            }
            _ => {}
        }
        self.print(&held)
    }

    /// Returns the sequence that draws the row. The terminal saves the cursor's position, since terminals differ in the
    /// width of emoji. Wrapping is off while the row is drawn.
    fn draw(&mut self) -> String {
        let room = terminal::columns().saturating_sub(PROMPT.len());
        let View { before_cursor, after_cursor, column } = self.editor.view(room);
        self.column = PROMPT.len() + column;
        format!("\x1b[?7l{PROMPT}{before_cursor}\x1b7{after_cursor}\x1b8\x1b[?7h")
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
