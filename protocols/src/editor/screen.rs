//! The screen of a line editor, for all that print on it.

use crate::editor::output::RESET;
use crate::editor::state::State;
use ropewalk::Context;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How long to wait for a terminal's report of its cursor. Terminals answer within milliseconds.
const REPORT_TIMEOUT: Duration = Duration::from_millis(200);

/// The screen of a [`LineEditor`](crate::LineEditor): prints lines above the line being typed, which is not disturbed.
///
/// All clones are the same screen. It is for the protocols of other connections, whose callbacks print what they
/// receive; the handler itself prints by its [`EditorTransport`](crate::EditorTransport). Text that is printed before
/// the connection of the editor is made appears then, up to 64 KiB; after the end of the connection it is dropped.
///
/// ```
/// use ropewalk_protocols::{LineHandler, LineTransport, Screen};
///
/// /// A connection with a server, of which each line is printed.
/// struct News(Screen);
///
/// impl LineHandler for News {
///     type Line = str;
///
///     fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
///         self.0.print(lines.context(), line);
///     }
/// }
/// # use ropewalk_protocols::{EditorHandler, EditorTransport, LineEditor, LineReceiver};
/// # use ropewalk_simulation::kit::TestConnection;
/// # struct Typing;
/// # impl EditorHandler for Typing {
/// #     fn line_received(&mut self, _: &mut EditorTransport<'_>, _: &str) {}
/// # }
/// # let mut editor = Some(LineEditor::new(Typing));
/// # let screen = editor.as_ref().unwrap().screen();
/// # let mut terminal = TestConnection::new(move || editor.take().unwrap());
/// # terminal.feed("draft");
/// # terminal.take();
/// # terminal.call(|context| screen.print(context, "news"));
/// # assert!(terminal.take_text().starts_with("\r\x1b[Jnews\r\n\x1b[?7l> draft"));
/// # let mut server = TestConnection::new(move || LineReceiver::new(News(screen.clone())));
/// # server.feed("line\n");
/// ```
///
/// Control characters other than LF and the tab are replaced by U+FFFD, since they would be commands to the
/// terminal.
#[derive(Clone, Debug)]
pub struct Screen {
    state: Rc<RefCell<State>>,
}

impl Screen {
    /// What undoes the modes that the editor sets in the terminal. The editor writes it at its end. A program
    /// writes it to the terminal when it ends in another way, such as by a panic.
    pub const RESET: &'static str = RESET;

    pub(super) fn new() -> Self {
        Self { state: Rc::new(RefCell::new(State::new())) }
    }

    /// Prints `text` as a line, or as several if it contains LF.
    pub fn print(&self, context: &mut Context, text: &str) {
        self.update(context, |state, _| state.output.print(text, "", ""));
    }

    /// [`print`](Self::print), in bold.
    pub fn print_bold(&self, context: &mut Context, text: &str) {
        self.update(context, |state, _| state.output.print(text, "\x1b[1m", "\x1b[0m"));
    }

    /// Sets the width of the window, and draws the line again. Call it when the window was resized (SIGWINCH), and
    /// when the process continues after a stop (SIGCONT). Default: 80 columns.
    pub fn set_columns(&self, context: &mut Context, columns: usize) {
        self.update(context, |state, context| {
            if let Some(id) = state.id
                && state.output.resize(columns)
                && state.report_timer.is_none()
            {
                state.report_timer = Some(context.set_timer(id, REPORT_TIMEOUT));
            }
        });
    }

    /// Stops reading the keyboard, such as while what was entered cannot be sent. Nothing typed is lost.
    pub fn pause(&self, context: &mut Context) {
        self.set_paused(context, true);
    }

    /// Reads the keyboard again after [`pause`](Self::pause).
    pub fn resume(&self, context: &mut Context) {
        self.set_paused(context, false);
    }

    /// Resets the terminal, prints an unfinished line to keep it visible, and closes the connection.
    pub fn close(&self, context: &mut Context) {
        self.finish(context);
        if let Some(id) = self.state.borrow().id {
            context.close(id);
        }
    }

    /// Resets the terminal. What is printed from now on has no row below it.
    pub(super) fn finish(&self, context: &mut Context) {
        self.update(context, |state, _| {
            let State { input, output, .. } = state;
            output.finish(input.draft().line());
        });
    }

    pub(super) fn has_finished(&self) -> bool {
        self.state.borrow().output.has_finished()
    }

    /// Changes the state without writing.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.borrow_mut())
    }

    /// Changes the state and writes the output.
    pub(super) fn update(
        &self,
        context: &mut Context,
        change: impl FnOnce(&mut State, &mut Context),
    ) {
        let mut state = self.state.borrow_mut();
        change(&mut state, context);
        state.flush(context);
    }

    fn set_paused(&self, context: &mut Context, is_paused: bool) {
        let mut state = self.state.borrow_mut();
        state.is_paused = is_paused;
        state.set_reading(context);
    }
}
