//! The connection with the server, and its factory.

use crate::keyboard::{Forward, Typing};
use crate::session::Session;
use ropewalk::{Address, Context, Error, Factory, Id, Pipes, Protocol, Reason};
use ropewalk_protocols::{LineEditor, LineHandler, LineReceiver, LineTransport, Screen};
use std::rc::Rc;

/// The server's last line to a connection that is closed gracefully. A member cannot send this line.
const GOODBYE: &str = "* goodbye";

/// The factory of the only connection.
pub(crate) struct Connector {
    client: Option<Client>,
    session: Rc<Session>,
}

/// The connection with the server. Standard input is read when it is made.
pub(crate) struct Client {
    name: Option<String>,
    session: Rc<Session>,
    /// The editor, until the connection is made. `None` without a terminal.
    editor: Option<LineEditor<Typing>>,
}

impl Connector {
    /// Returns the factory, and the screen if there is a terminal. Its width is `columns`.
    pub(crate) fn new(
        name: Option<String>,
        session: &Rc<Session>,
        columns: Option<usize>,
    ) -> (Self, Option<Screen>) {
        let typing = || Typing { session: Rc::clone(session) };
        let editor = columns.map(|columns| LineEditor::new(typing()).columns(columns));
        let screen = editor.as_ref().map(LineEditor::screen);
        session.screen.replace(screen.clone());
        let client = Client { name, session: Rc::clone(session), editor };
        (Self { client: Some(client), session: Rc::clone(session) }, screen)
    }
}

impl Factory for Connector {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.client.take()?)))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.session.fail(error.to_string());
        context.stop();
    }
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        if let Some(name) = &self.name {
            lines.send_line(name);
        }
        self.session.server.set(Some(lines.id()));
        let (context, pipes) = (lines.context(), Pipes::standard());
        let standard_io = match self.editor.take() {
            Some(editor) => pipes.adopt(context, editor),
            None => pipes.adopt(context, Forward { session: Rc::clone(&self.session) }),
        };
        match standard_io {
            Ok(id) => self.session.standard_io.set(Some(id)),
            Err(error) => {
                self.session.fail(error.to_string());
                lines.abort();
            }
        }
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        self.session.is_leaving.set(line == GOODBYE);
        self.session.print(lines.context(), line);
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &str) {
        self.line_received(lines, &format!("{beginning}…"));
    }

    fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {
        self.session.pause_input(lines.context(), true);
    }

    fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {
        self.session.pause_input(lines.context(), false);
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        let peer = lines.peer();
        let is_leaving = self.session.is_leaving.get();
        match reason {
            Reason::Stopped => {}
            Reason::Closed | Reason::ClosedByPeer | Reason::Reset if is_leaving => {}
            Reason::Closed | Reason::ClosedByPeer => {
                self.session.fail(format!("{peer} ended the connection without a goodbye"));
            }
            reason => self.session.fail(format!("the connection with {peer} ended: {reason}")),
        }
        self.session.server_lost(lines.context());
    }
}
