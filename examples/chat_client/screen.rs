//! What the user of a terminal sees: lines that arrive, and below them the line that is being typed.

use crate::editor::{Editor, Event, View};
use crate::terminal::{self, Mode};
use ropewalk_chat::Harmless;
use std::io::{self, Write};

/// What is before the line that is being typed.
const PROMPT: &str = "> ";

/// Goes to the beginning of the row, and clears it and what is below it.
const CLEAR_ROW: &str = "\r\x1b[J";

/// Clears all rows.
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// Asks in which row and column the cursor is.
const ASK_POSITION: &str = "\x1b[6n";

/// How many bytes of output wait for the terminal's answer.
const MAX_HELD: usize = 64 * 1024;

/// The output, and the line that is being typed.
///
/// It is used on the reactor's thread only. But the calls that bring the keys are made on another,
/// so it has a lock, which is never contended.
#[derive(Default)]
pub(crate) struct Screen {
    /// `None` if the input is a file or a pipe: then there is nothing to draw.
    typing: Option<Typing>,
}

/// The row in which the line is typed.
struct Typing {
    editor: Editor,
    mode: Mode,
    /// In which column the cursor was drawn, from 0.
    column: usize,
    /// What is to be printed when the terminal has said where the cursor is.
    held: Option<String>,
}

impl Screen {
    /// Draws a row for typing from now on.
    pub(crate) fn begin(&mut self, mode: Mode) {
        self.typing = Some(Typing { editor: Editor::default(), mode, column: 0, held: None });
    }

    /// Prints a line above the one that is being typed.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        // What others send must not control the terminal.
        let text = Harmless(text);
        match &mut self.typing {
            Some(typing) => typing.print(&format!("{text}\n")),
            None => show(&format!("{text}\n")),
        }
    }

    /// Takes what was typed, and returns what is to be done.
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
                // While it was typed only a part of it was shown, if it was long.
                Event::Line(line) => text += &format!("{PROMPT}{line}\n"),
                Event::Position(column) => typing.settle(Some(*column))?,
            }
        }
        typing.print(&text)?;
        Ok(events)
    }

    /// The window has another size, or the shell has used the terminal meanwhile. Returns true if the
    /// terminal was asked where the cursor is: after a moment without an answer call
    /// [`settle`](Self::settle).
    pub(crate) fn changed(&mut self) -> io::Result<bool> {
        match &mut self.typing {
            Some(typing) if typing.mode.restore() => typing.changed(),
            _ => Ok(false),
        }
    }

    /// Waits no longer for the terminal's answer.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.typing.as_mut().map_or(Ok(()), |typing| typing.settle(None))
    }

    /// No more is typed. What was typed and not said is left on the screen. Returns false if there was no
    /// row for typing.
    pub(crate) fn finish(&mut self) -> bool {
        let Some(mut typing) = self.typing.take() else {
            return false;
        };
        let held = typing.held.take().unwrap_or_default();
        let draft = match typing.editor.line() {
            "" => String::new(),
            line => format!("{PROMPT}{line}\n"),
        };
        // If it fails the terminal is gone.
        let _ = show(&format!("{CLEAR_ROW}{held}{draft}"));
        true
    }
}

impl Typing {
    /// Prints text above the row, and draws the row again.
    fn print(&mut self, text: &str) -> io::Result<()> {
        if let Some(held) = &mut self.held {
            *held += text;
            return if held.len() > MAX_HELD { self.settle(None) } else { Ok(()) };
        }
        let row = self.draw();
        show(&format!("{CLEAR_ROW}{text}{row}"))
    }

    /// In a window that has become narrower many terminals continue a row in the next, and the cursor is
    /// then further down; others cut it off. Where it is decides how much is to be cleared.
    fn changed(&mut self) -> io::Result<bool> {
        if self.held.is_none() && self.column < terminal::columns() {
            return self.print("").map(|()| false);
        }
        self.held.get_or_insert_default();
        show(ASK_POSITION).map(|()| true)
    }

    /// Clears the row, which begins further up if the cursor is in `column` because the row continues
    /// in the next, and prints what was held.
    fn settle(&mut self, column: Option<usize>) -> io::Result<()> {
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

    /// The row. The terminal itself knows best where the text before the cursor ends: terminals differ in
    /// how wide they show emoji. While it is drawn a row that is too long is cut off, not continued.
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
