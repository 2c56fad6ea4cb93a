//! What the connection with the server and standard input and output share.

use crate::clock::Clock;
use crate::names::Names;
use ropewalk::{Context, Id};
use ropewalk_chat::Harmless;
use ropewalk_protocols::Screen;
use std::cell::{Cell, RefCell};

/// The mark of a line in which the user's name is said. No line of the server begins with it.
const MARK: &str = "! ";

/// Both connections, and the outcome. Each is closed when the other has ended.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) server: Cell<Option<Id>>,
    pub(crate) standard_io: Cell<Option<Id>>,
    /// `None` if the input or the output is no terminal: no row is drawn.
    pub(crate) screen: RefCell<Option<Screen>>,
    /// True if the end of the connection is no failure.
    pub(crate) is_leaving: Cell<bool>,
    failure: RefCell<Option<String>>,
    names: RefCell<Names>,
    /// `None` without timestamps.
    clock: Option<Clock>,
}

impl Session {
    pub(crate) fn new(clock: Option<Clock>) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Prints a line of the server, without characters that would control the terminal. On a terminal it is marked if
    /// another member says the user's name in it.
    pub(crate) fn print(&self, context: &mut Context, line: &str) {
        let line = Harmless(line).to_string();
        let time = self.clock.as_ref().map_or_else(String::new, |clock| clock.now() + " ");
        self.names.borrow_mut().learn(&line);
        match (&*self.screen.borrow(), self.standard_io.get()) {
            (Some(screen), _) if self.names.borrow().is_own_said(&line) => {
                screen.print_bold(context, &format!("{time}{MARK}{line}"));
            }
            (Some(screen), _) => screen.print(context, &format!("{time}{line}")),
            (None, Some(id)) => context.transport(id).write(format!("{time}{line}\n").as_bytes()),
            (None, None) => {}
        }
    }

    /// Returns the names that complete a word. At the beginning of a line, they address their bearer.
    pub(crate) fn complete(&self, before: &str, word: &str) -> Vec<String> {
        let end = if before.is_empty() { ": " } else { " " };
        let names = self.names.borrow();
        names.beginning_with(word).into_iter().map(|name| format!("{name}{end}")).collect()
    }

    /// Sends to the server.
    pub(crate) fn send(&self, context: &mut Context, data: &[u8]) {
        if let Some(id) = self.server.get() {
            context.transport(id).write(data);
        }
    }

    /// Pauses or resumes the server, while more was received than the output takes.
    pub(crate) fn pause_server(&self, context: &mut Context, pause: bool) {
        let Some(id) = self.server.get() else { return };
        let mut server = context.transport(id);
        if pause { server.pause() } else { server.resume() }
    }

    /// Pauses or resumes the input, while more was entered than the server takes.
    pub(crate) fn pause_input(&self, context: &mut Context, pause: bool) {
        match (&*self.screen.borrow(), self.standard_io.get()) {
            (Some(screen), _) if pause => screen.pause(context),
            (Some(screen), _) => screen.resume(context),
            (None, Some(id)) if pause => context.transport(id).pause(),
            (None, Some(id)) => context.transport(id).resume(),
            (None, None) => {}
        }
    }

    /// Ends the connection with the server, which is no failure.
    pub(crate) fn leave(&self, context: &mut Context) {
        self.is_leaving.set(true);
        if let Some(id) = self.server.get() {
            context.close(id);
        }
    }

    /// Notes the end of the connection with the server: standard input and output are closed.
    pub(crate) fn server_lost(&self, context: &mut Context) {
        self.server.set(None);
        match (&*self.screen.borrow(), self.standard_io.get()) {
            (_, None) => context.stop(),
            (Some(screen), _) => screen.close(context),
            (None, Some(id)) => context.close(id),
        }
    }

    /// Notes the end of standard input and output: the connection with the server is closed.
    pub(crate) fn standard_io_lost(&self, context: &mut Context) {
        self.standard_io.set(None);
        self.leave(context);
        if self.server.get().is_none() {
            context.stop();
        }
    }

    /// Records a failure. The first is reported.
    pub(crate) fn fail(&self, message: String) {
        self.failure.borrow_mut().get_or_insert(message);
    }

    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.take()
    }
}
