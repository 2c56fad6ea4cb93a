//! Joins a chat, with the line that you are typing safe from what others say.
//!
//!     cargo run --example chat_client
//!
//! It needs the chat in another terminal, and is more fun with somebody else in a third:
//!
//!     cargo run --example chat
//!     cargo run --example chat_client -- --name bob
//!
//! The first line that you type is your name, unless you gave one. After that Enter says the line;
//! `/help` lists what else one can do; Ctrl-D on an empty line leaves, and so does Ctrl-C. The usual
//! keys edit the line, the up key brings back what you have said. Files and pipes do as well: their
//! lines are sent, and what comes is printed until the server has heard them all:
//!
//!     echo 'Hello, all.' | cargo run --example chat_client -- --name visitor
//!
//! Options:
//!
//!     HOST:PORT    the server (127.0.0.1:7001)
//!     --name NAME  what to be called there
//!     --help       this text

#[path = "support/editor.rs"]
mod editor;
#[path = "support/stdio.rs"]
mod stdio;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use editor::{Editor, Event};
use lexopt::prelude::*;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason};
use ropewalk_protocols::chat::Harmless;
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stdio::Gate;
use support::Failure;
use terminal::Terminal;

/// What stands before the line that is being typed.
const PROMPT: &str = "> ";

/// Goes to the beginning of the row and clears it.
const CLEAR_ROW: &str = "\r\x1b[K";

/// Clears all rows.
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// What you see, and what you are typing.
///
/// It is used on the reactor's thread only. But the calls that bring the keys are made on another,
/// so it has a lock, for which nobody ever waits.
#[derive(Default)]
struct Screen {
    /// `None` if the input is a file or a pipe: then there is nothing to draw.
    editor: Option<Editor>,
}

impl Screen {
    /// Prints a line above the one that is being typed.
    fn print(&self, text: &str) -> io::Result<()> {
        // What others send must not steer the terminal.
        let text = Harmless(text);
        match &self.editor {
            Some(editor) => show(&format!("{CLEAR_ROW}{text}\n{}", row(editor))),
            None => show(&format!("{text}\n")),
        }
    }

    /// Takes what was typed, and gives back what is to be done.
    fn press(&mut self, keys: &[u8]) -> io::Result<Vec<Event>> {
        let Some(editor) = &mut self.editor else {
            return Ok(Vec::new());
        };
        let events: Vec<Event> = keys.iter().filter_map(|&byte| editor.feed(byte)).collect();
        let mut text = String::new();
        for event in &events {
            match event {
                Event::Clear => text += CLEAR_SCREEN,
                Event::End => {}
                // While it was typed only a part of it was shown, if it was long.
                Event::Line(line) => text += &format!("{CLEAR_ROW}{PROMPT}{line}\n"),
            }
        }
        show(&(text + &row(editor)))?;
        Ok(events)
    }

    /// No more is typed, because of what `text` says.
    fn finish(&mut self, text: &str) {
        if self.editor.take().is_some() {
            // If it fails nobody sees it anyway.
            let _ = show(&format!("{CLEAR_ROW}{text}"));
        }
    }
}

/// The row in which one types, drawn anew.
fn row(editor: &Editor) -> String {
    let (line, column) = editor.view(terminal::columns().saturating_sub(PROMPT.len()));
    format!("{CLEAR_ROW}{PROMPT}{line}\r\x1b[{}C", PROMPT.len() + column)
}

fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// All that the connection has to know.
#[derive(Clone)]
struct Member {
    name: Option<String>,
    screen: Arc<Mutex<Screen>>,
    /// Lets the thread pass that reads the input.
    gate: Gate,
    failure: Rc<RefCell<Option<String>>>,
}

impl Factory for Member {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        lock(&self.screen).finish("");
        self.failure.replace(Some(error.to_string()));
        context.stop();
    }
}

impl LineHandler for Member {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        if let Some(name) = &self.name {
            lines.send_line(name);
        }
        self.gate.open();
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if let Err(error) = lock(&self.screen).print(line) {
            self.end_for(lines, &error);
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &str) {
        self.line_received(lines, &format!("{beginning}…"));
    }

    fn pause_writing(&mut self, _lines: &mut LineTransport<'_>) {
        self.gate.shut();
    }

    fn resume_writing(&mut self, _lines: &mut LineTransport<'_>) {
        self.gate.open();
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        let mut screen = lock(&self.screen);
        match reason {
            Reason::Closed | Reason::Stopped => screen.finish(""),
            Reason::ClosedByPeer => screen.finish("The server has ended the connection.\n"),
            reason => {
                screen.finish("");
                let message = format!("the connection with {} ended: {reason}", lines.peer());
                self.failure.borrow_mut().get_or_insert(message);
            }
        }
        lines.context().stop();
    }
}

impl Member {
    /// The output takes no more. That nobody reads it, as in `chat_client | head -1`, is no failure.
    fn end_for(&self, lines: &mut LineTransport<'_>, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failure.replace(Some(format!("cannot write to the output: {error}")));
        }
        lines.close();
    }
}

/// A screen is sound whoever has panicked: it is drawn anew each time.
fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was typed goes to the editor, and the lines that come of it to the server.
fn press(context: &mut Context, id: Id, screen: &Mutex<Screen>, keys: &[u8]) {
    let Ok(events) = lock(screen).press(keys) else {
        return context.stop();
    };
    for event in events {
        match event {
            Event::Clear => {}
            Event::End => context.close(id),
            Event::Line(line) => context.write(id, format!("{line}\n").as_bytes()),
        }
    }
    if keys.is_empty() {
        context.close(id); // The terminal is gone.
    }
}

/// What was read goes to the server as it is.
fn send(context: &mut Context, id: Id, piece: &[u8]) {
    context.write(id, piece);
    if piece.is_empty() {
        // The last line may want its end; and an empty line says nothing.
        context.write(id, b"\n");
        context.write_eof(id);
    }
}

fn main() -> ExitCode {
    support::main(include_str!("chat_client.rs"), |mut arguments| {
        let (mut server, mut name) = (None, None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(address) if server.is_none() => server = Some(address.string()?),
                Long("name") => name = Some(arguments.value()?.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        join(server.as_deref().unwrap_or("127.0.0.1:7001"), name)
    })
}

fn join(server: &str, name: Option<String>) -> Result<(), Failure> {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    // Who presses Ctrl-C does not want to wait for long.
    reactor.set_grace(Duration::from_millis(500));
    let member =
        Member { name, screen: Arc::default(), gate: Gate::default(), failure: Rc::default() };
    let id = reactor.connect_tcp(server, member.clone())?;

    // Kept until the end of this function, however it is left: then the shell has its terminal back.
    let terminal = Terminal::take();
    let (screen, handle) = (Arc::clone(&member.screen), reactor.handle());
    lock(&screen).editor = terminal.is_some().then(Editor::default);
    if terminal.is_some() {
        stdio::read(io::stdin(), handle, member.gate, move |context, keys| {
            press(context, id, &screen, keys);
        });
    } else {
        stdio::read(io::stdin(), handle, member.gate, move |context, piece| {
            send(context, id, piece);
        });
    }
    reactor.run()?;
    match member.failure.take() {
        Some(message) => Err(Failure::Run(message)),
        None => Ok(()),
    }
}
