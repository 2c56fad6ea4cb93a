//! A line editor on a simulated connection: an emulated terminal draws its output.

use ropewalk::{Reason, TimerId};
use ropewalk_protocols::{EditorHandler, EditorTransport, LineEditor, Screen};
use ropewalk_simulation::kit::TestConnection;
use std::cell::{Cell, RefCell};
use std::num::NonZero;
use std::rc::Rc;
use std::time::Duration;

/// The number of rows of the emulated window.
const ROWS: u16 = 10;

/// What the handler has received.
#[derive(Clone, Default)]
pub(crate) struct Record {
    pub(crate) lines: Rc<RefCell<Vec<String>>>,
    pub(crate) has_ended: Rc<Cell<bool>>,
    pub(crate) is_blocked: Rc<Cell<bool>>,
}

pub(crate) struct Handler(Record);

impl EditorHandler for Handler {
    fn line_received(&mut self, editor: &mut EditorTransport<'_>, line: &str) {
        self.0.lines.borrow_mut().push(line.to_owned());
        match line {
            "answer" => editor.print("the answer"),
            "close" => editor.close(),
            "timer" => drop(editor.set_timer(Duration::from_secs(1))),
            _ => {}
        }
    }

    fn complete(&mut self, before: &str, word: &str) -> Vec<String> {
        let names = ["anna", "Annegret", "ben", "zoë", "zoé"].into_iter();
        let matching = names.filter(|name| name.to_lowercase().starts_with(&word.to_lowercase()));
        let end = if before.is_empty() { ": " } else { " " };
        matching.map(|name| format!("{name}{end}")).collect()
    }

    fn pause_writing(&mut self, _editor: &mut EditorTransport<'_>) {
        self.0.is_blocked.set(true);
    }

    fn resume_writing(&mut self, _editor: &mut EditorTransport<'_>) {
        self.0.is_blocked.set(false);
    }

    fn timer_fired(&mut self, editor: &mut EditorTransport<'_>, _timer: TimerId) {
        editor.print("the timer");
    }

    fn connection_lost(&mut self, _editor: &mut EditorTransport<'_>, _reason: Reason) {
        self.0.has_ended.set(true);
    }
}

/// The editor with its terminal.
pub(crate) struct Terminal {
    pub(crate) connection: TestConnection,
    pub(crate) screen: Screen,
    pub(crate) record: Record,
    emulator: vt100::Parser,
}

impl Terminal {
    pub(crate) fn new(columns: u16) -> Self {
        Self::with(columns, |editor| editor)
    }

    /// Starts an editor with these options.
    pub(crate) fn with(
        columns: u16,
        options: impl FnOnce(LineEditor<Handler>) -> LineEditor<Handler>,
    ) -> Self {
        let record = Record::default();
        let editor = LineEditor::new(Handler(record.clone())).columns(columns.into());
        let editor = options(editor);
        let screen = editor.screen();
        let mut editor = Some(editor);
        let connection = TestConnection::new(move || editor.take().unwrap());
        let emulator = vt100::Parser::new(number(ROWS), number(columns), 0);
        let mut terminal = Self { connection, screen, record, emulator };
        terminal.show();
        terminal
    }

    /// Presses keys, or sends any other bytes.
    pub(crate) fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.connection.feed(keys);
        self.show();
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.press(format!("\x1b[200~{text}\x1b[201~"));
    }

    pub(crate) fn print(&mut self, text: &str) {
        let screen = self.screen.clone();
        self.connection.call(|context| screen.print(context, text));
        self.show();
    }

    /// Resizes the window, which neither wraps nor moves what is on the screen.
    pub(crate) fn resize(&mut self, columns: u16) {
        self.emulator.screen_mut().set_size(number(ROWS), number(columns));
        let screen = self.screen.clone();
        self.connection.call(|context| screen.set_columns(context, columns.into()));
        self.show();
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        self.connection.advance(span);
        self.show();
    }

    /// Draws what the editor has sent, and returns it.
    pub(crate) fn show(&mut self) -> String {
        let bytes = self.connection.take();
        self.emulator.process(&bytes);
        String::from_utf8(bytes).unwrap()
    }

    /// Returns all rows without the spaces at their ends.
    pub(crate) fn text(&self) -> String {
        let text = self.emulator.screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Returns the row of the cursor without the spaces at its end, and the cursor's column.
    pub(crate) fn row(&self) -> (String, u16) {
        let screen = self.emulator.screen();
        let (row, column) = screen.cursor_position();
        let columns = screen.size().1;
        let text = screen.rows(0, columns.into()).nth(row.into()).unwrap();
        (text.trim_end().to_owned(), column)
    }

    /// Returns the line being typed.
    pub(crate) fn draft(&self) -> String {
        let row = self.row().0;
        row.strip_prefix('>').unwrap_or_else(|| panic!("{}", self.text())).trim().to_owned()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.record.lines.borrow().clone()
    }

    pub(crate) fn is_pasting_marked(&self) -> bool {
        self.emulator.screen().bracketed_paste()
    }

    pub(crate) fn is_bold(&self, row: u16, column: u16) -> bool {
        self.emulator.screen().cell(row, column).unwrap().bold()
    }
}

fn number(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

/// Returns the draft after keys were pressed.
pub(crate) fn typed(keys: &str) -> String {
    let mut terminal = Terminal::new(80);
    terminal.press(keys);
    terminal.draft()
}
