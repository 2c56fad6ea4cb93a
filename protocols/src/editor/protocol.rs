//! The protocol of the line editor: from bytes of the keyboard to the handler's callbacks.

use crate::editor::input::Event;
use crate::editor::{EditorHandler, EditorTransport, Screen};
use ropewalk::{Protocol, Reason, TimerId, Transport};
use std::time::Duration;

/// How long to wait for the rest of a paste. A terminal sends it as fast as it is read.
const PASTE_TIMEOUT: Duration = Duration::from_secs(10);

/// A line editor on a terminal: delivers the lines that a user enters, while other lines are printed above the line
/// being typed.
///
/// It receives the bytes of keys and sends those that draw, so it works on standard input and output
/// (`Pipes::standard`), on a pseudo-terminal, and on a connection with a terminal at its other end. It sets no
/// modes of the system's terminal: that has to send each key at once and must not echo it (`ICANON` and
/// `ECHO` off, [termios(3)]). The terminal understands the sequences of xterm, as all common ones do, and
/// text is UTF-8.
///
/// # Keys
///
/// | Key | Effect |
/// |---|---|
/// | Left and Right, Home and End; Ctrl-B and Ctrl-F, Ctrl-A and Ctrl-E | move by a character, and to the ends |
/// | Alt-B and Alt-F, Alt or Ctrl with Left and Right | move by a word |
/// | Backspace, Delete; Ctrl-D | delete a character |
/// | Ctrl-W, Alt-Backspace, Alt-D, Ctrl-U, Ctrl-K | delete a word or up to an end |
/// | Up and Down; Ctrl-P and Ctrl-N | show lines that were entered before |
/// | Tab | completes a word: [`complete`](EditorHandler::complete) |
/// | Ctrl-L | clears the screen |
/// | Enter; Ctrl-D on an empty line | enters the line; ends the input |
///
/// A character is what a reader sees as one, which can be several code points and wider than a column. Of a
/// long line, the part at the cursor is visible.
///
/// # Pasted text
///
/// The terminal marks pasted text (its bracketed paste mode), so it is never taken for keys. Its lines are entered
/// as if they were typed, and text behind the last LF stays in the line being typed. More than 20 lines are entered
/// only if the user answers `y` to a question; any other key discards them. A paste is also discarded if it is
/// longer than 1 MiB, if a line of it is longer than a line may be, or if its end is not received within 10 s. Each of
/// these is printed.
///
/// # Memory
///
/// A line has at most 16,384 bytes; further characters ring the bell. 100 lines are remembered. While the terminal
/// takes less than is printed, the keyboard is not read and the row is not drawn; the handler pauses what
/// causes the output.
///
/// ```
/// use ropewalk::{Error, Pipes, Reactor};
/// use ropewalk_protocols::{EditorHandler, EditorTransport, LineEditor};
/// # use std::io::{Read, Write, pipe};
///
/// struct Calculator;
///
/// impl EditorHandler for Calculator {
///     fn line_received(&mut self, editor: &mut EditorTransport<'_>, line: &str) {
///         let sum: Result<f64, _> = line.split('+').map(|term| term.trim().parse::<f64>()).sum();
///         editor.print(&sum.map_or_else(|error| error.to_string(), |sum| sum.to_string()));
///     }
///
///     fn connection_lost(&mut self, editor: &mut EditorTransport<'_>, _: ropewalk::Reason) {
///         editor.context().stop();
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let editor = LineEditor::new(Calculator).prompt("sum: ");
/// let screen = editor.screen();
/// # let (input, mut keys) = pipe().unwrap();
/// # let (mut shown, output) = pipe().unwrap();
/// # let terminal = Pipes::new().input(input).output(output);
/// # /*
/// let terminal = Pipes::standard();
/// # */
/// terminal.adopt(reactor.context(), editor)?;
/// reactor.context().call_later(std::time::Duration::from_millis(1), move |context| {
///     screen.print(context, "this does not disturb the line being typed");
/// });
/// # keys.write_all(b"1 + 2\r").unwrap();
/// # for _ in 0..20 {
/// #     reactor.turn(Some(std::time::Duration::from_millis(1)))?;
/// # }
/// # keys.write_all(b"\x04").unwrap();
/// reactor.run()?; // until Ctrl-D
/// # let mut text = String::new();
/// # shown.read_to_string(&mut text).unwrap();
/// # assert!(text.contains("sum: 1 + 2\r\n3\r\n"), "{text:?}");
/// # assert!(text.contains("disturb"), "{text:?}");
/// # Ok::<(), Error>(())
/// ```
///
/// [termios(3)]: https://man7.org/linux/man-pages/man3/termios.3.html
#[derive(Debug)]
#[doc(alias = "recvline")]
#[doc(alias = "readline")]
pub struct LineEditor<H> {
    handler: H,
    screen: Screen,
    /// The deadline for the rest of a paste.
    paste_timer: Option<TimerId>,
}

impl<H: EditorHandler> LineEditor<H> {
    /// Returns a protocol that delivers entered lines to `handler`.
    pub fn new(handler: H) -> Self {
        Self { handler, screen: Screen::new(), paste_timer: None }
    }

    /// Returns the screen, for others that print on it.
    pub fn screen(&self) -> Screen {
        self.screen.clone()
    }

    /// Sets the text before the line being typed. Default: `> `.
    #[must_use]
    pub fn prompt(self, prompt: &str) -> Self {
        self.screen.with(|state| state.output.set_prompt(prompt));
        self
    }

    /// Sets the width of the window, from 1. Default: 80. See [`Screen::set_columns`].
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        self.screen.with(|state| state.output.resize(columns));
        self
    }

    /// Sets the maximum length of a line in bytes. Default: 16,384.
    #[must_use]
    pub fn max_length(self, bytes: usize) -> Self {
        self.screen.with(|state| state.input.max_length = bytes);
        self
    }

    /// Sets how many lines are remembered. Default: 100.
    #[must_use]
    pub fn max_history(self, lines: usize) -> Self {
        self.screen.with(|state| state.input.set_max_history(lines));
        self
    }

    /// Sets how many pasted lines are entered without a question. Default: 20.
    #[must_use]
    pub fn unconfirmed_lines(self, lines: usize) -> Self {
        self.screen.with(|state| state.input.unconfirmed_lines = lines);
        self
    }

    fn handle(&mut self, transport: &mut Transport<'_>, event: Event) {
        match event {
            Event::Bell => self.screen.with(|state| state.output.ring()),
            Event::Clear => self.screen.with(|state| state.output.clear_screen()),
            Event::Complete => self.complete(transport),
            Event::End => self.call(transport, H::input_ended),
            Event::Lines(lines) => self.enter(transport, lines),
            Event::Notice(text) => self.screen.with(|state| state.output.print(&text, "", "")),
            Event::Position(column) => {
                self.screen.with(|state| state.output.position_reported(Some(column)));
            }
        }
    }

    fn enter(&mut self, transport: &mut Transport<'_>, lines: Vec<String>) {
        for line in lines {
            if transport.is_closing() {
                return;
            }
            self.screen.with(|state| state.output.print_entered(&line));
            self.call(transport, |handler, editor| handler.line_received(editor, &line));
        }
    }

    fn complete(&mut self, transport: &mut Transport<'_>) {
        let (before, word) = self.screen.with(|state| {
            let (before, word) = state.input.draft().before_cursor();
            (before.to_owned(), word.to_owned())
        });
        let candidates = self.handler.complete(&before, &word);
        if let Some(event) = self.screen.with(|state| state.input.complete(&candidates)) {
            self.handle(transport, event);
        }
    }

    fn call(
        &mut self,
        transport: &mut Transport<'_>,
        callback: impl FnOnce(&mut H, &mut EditorTransport<'_>),
    ) {
        let mut editor = EditorTransport::new(transport.reborrow(), &self.screen);
        callback(&mut self.handler, &mut editor);
    }

    /// Writes the output, and sets the deadline for the rest of a paste.
    fn settle(&mut self, transport: &mut Transport<'_>) {
        self.screen.update(transport.context(), |state, _| state.output.set_changed());
        match (self.screen.with(|state| state.input.is_pasting()), self.paste_timer) {
            (true, Some(timer)) if transport.reset_timer(timer, PASTE_TIMEOUT) => {}
            (true, _) => self.paste_timer = Some(transport.set_timer(PASTE_TIMEOUT)),
            (false, Some(timer)) => {
                transport.cancel_timer(timer);
                self.paste_timer = None;
            }
            (false, None) => {}
        }
    }

    fn set_blocked(&self, transport: &mut Transport<'_>, is_blocked: bool) {
        self.screen.update(transport.context(), |state, context| {
            state.is_blocked = is_blocked;
            state.set_reading(context);
        });
    }
}

impl<H: EditorHandler> Protocol for LineEditor<H> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        self.screen.with(|state| {
            state.id = Some(id);
            state.output.begin();
            state.set_reading(transport.context());
        });
        self.call(transport, H::connection_made);
        self.settle(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        for &byte in data {
            if transport.is_closing() || self.screen.has_finished() {
                return;
            }
            if let Some(event) = self.screen.with(|state| state.input.feed(byte)) {
                self.handle(transport, event);
            }
        }
        self.settle(transport);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.call(transport, H::input_ended);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.set_blocked(transport, true);
        self.call(transport, H::pause_writing);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.set_blocked(transport, false);
        self.call(transport, H::resume_writing);
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        if self.paste_timer == Some(timer) {
            self.paste_timer = None;
            if let Some(event) = self.screen.with(|state| state.input.abandon_paste()) {
                self.handle(transport, event);
            }
        } else if self.screen.with(|state| state.report_timer.take_if(|it| *it == timer)).is_some()
        {
            self.screen.with(|state| state.output.position_reported(None));
        } else {
            self.call(transport, |handler, editor| handler.timer_fired(editor, timer));
        }
        self.settle(transport);
    }

    /// Resets the terminal before the connection closes.
    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        self.screen.finish(transport.context());
        false
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.screen.with(|state| state.end());
        self.call(transport, |handler, editor| handler.connection_lost(editor, reason));
    }
}
