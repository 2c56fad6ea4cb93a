//! Standard input and output: a terminal, or files and pipes.

use crate::session::Session;
use ropewalk::{Context, Protocol, Reason, Transport};
use ropewalk_protocols::{EditorHandler, EditorTransport};
use std::rc::Rc;

/// A terminal: each entered line is sent.
pub(crate) struct Typing {
    pub(crate) session: Rc<Session>,
}

impl EditorHandler for Typing {
    fn line_received(&mut self, editor: &mut EditorTransport<'_>, line: &str) {
        self.session.send(editor.context(), format!("{line}\n").as_bytes());
    }

    fn complete(&mut self, before: &str, word: &str) -> Vec<String> {
        self.session.complete(before, word)
    }

    fn input_ended(&mut self, editor: &mut EditorTransport<'_>) {
        self.session.leave(editor.context());
    }

    fn pause_writing(&mut self, editor: &mut EditorTransport<'_>) {
        self.session.pause_server(editor.context(), true);
    }

    fn resume_writing(&mut self, editor: &mut EditorTransport<'_>) {
        self.session.pause_server(editor.context(), false);
    }

    fn connection_lost(&mut self, editor: &mut EditorTransport<'_>, reason: Reason) {
        lost(&self.session, editor.context(), reason);
    }
}

/// A file or a pipe, which is sent as it is.
pub(crate) struct Forward {
    pub(crate) session: Rc<Session>,
}

impl Protocol for Forward {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.session.send(transport.context(), data);
    }

    /// The server is asked for the rest of its lines, by the end of our side.
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        // The last line may have no newline. The server ignores an empty line.
        self.session.send(transport.context(), b"\n");
        if let Some(id) = self.session.server.get() {
            transport.context().transport(id).write_eof();
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.session.pause_server(transport.context(), true);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.session.pause_server(transport.context(), false);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        lost(&self.session, transport.context(), reason);
    }
}

/// Ends the session after standard input and output have ended. An output that is not read any more, as in
/// `chat_client | head -1`, is no failure.
fn lost(session: &Session, context: &mut Context, reason: Reason) {
    match reason {
        Reason::Failed(error) => session.fail(format!("cannot write to the output: {error}")),
        Reason::Panicked => session.fail("the input could not be handled".to_owned()),
        _ => {}
    }
    session.standard_io_lost(context);
}
