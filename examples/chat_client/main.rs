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
//! keys edit the line, Alt-b and Alt-f move by words, the up key brings back what you have said; Tab
//! does nothing. If the server ends the connection without a goodbye, what you were typing stays on
//! the screen and the exit code is 1. Files and pipes do as well: their lines are sent, and what comes
//! is printed until the server has heard them all:
//!
//!     echo 'Hello, all.' | cargo run --example chat_client -- --name visitor
//!
//! Options:
//!
//!     HOST:PORT    the server (127.0.0.1:7001)
//!     --name NAME  what to be called there
//!     --help       this text

mod editor;
mod screen;
mod terminal;

use editor::Event;
use lexopt::prelude::*;
use ropewalk::{Address, Context, Error, Factory, Handle, Id, Protocol, Reason};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use screen::Screen;
use std::cell::RefCell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use support::Failure;
use support::stdio::{self, Gate};
use terminal::{Terminal, on_change};

/// The last line of a server to a connection that leaves in order. The chat lets no user say it.
const GOODBYE: &str = "* goodbye";

/// How long a terminal is given to say where its cursor is.
const ANSWER: Duration = Duration::from_millis(200);

/// All that the connection has to know.
#[derive(Clone)]
struct Member {
    name: Option<String>,
    screen: Arc<Mutex<Screen>>,
    /// Lets the thread pass that reads the input.
    gate: Gate,
    /// Whether the end of the connection is in order: the last line was [`GOODBYE`], or no more can be
    /// printed.
    is_done: bool,
    failure: Rc<RefCell<Option<String>>>,
}

impl Factory for Member {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        lock(&self.screen).finish();
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
        self.is_done = line == GOODBYE;
        let printed = lock(&self.screen).print(line);
        if let Err(error) = printed {
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
        let was_typing = lock(&self.screen).finish();
        let peer = lines.peer();
        let message = match reason {
            Reason::Stopped => None,
            // From a terminal it is closed; after the end of a file it is the server that ends it.
            Reason::Closed if was_typing => None,
            Reason::Closed | Reason::ClosedByPeer | Reason::Reset if self.is_done => None,
            Reason::Closed | Reason::ClosedByPeer => {
                Some(format!("{peer} ended the connection without a goodbye"))
            }
            reason => Some(format!("the connection with {peer} ended: {reason}")),
        };
        if let Some(message) = message {
            self.failure.borrow_mut().get_or_insert(message);
        }
        lines.context().stop();
    }
}

impl Member {
    /// The output takes no more. That nobody reads it, as in `chat_client | head -1`, is no failure.
    fn end_for(&mut self, lines: &mut LineTransport<'_>, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failure.replace(Some(format!("cannot write to the output: {error}")));
        }
        self.is_done = true;
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
            Event::Clear | Event::Position(_) => {}
            Event::End => context.close(id),
            Event::Line(line) => context.write(id, format!("{line}\n").as_bytes()),
        }
    }
    if keys.is_empty() {
        context.close(id); // The terminal is gone.
    }
}

/// Draws again what is to be seen when the window has changed, or the shell has used it.
fn redraw(context: &mut Context, screen: &Arc<Mutex<Screen>>) {
    match lock(screen).changed() {
        Ok(false) => {}
        Ok(true) => {
            let screen = Arc::clone(screen);
            context.call_later(ANSWER, move |context| {
                if lock(&screen).settle().is_err() {
                    context.stop();
                }
            });
        }
        Err(_) => context.stop(),
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
    support::main(include_str!("main.rs"), |mut arguments| {
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
    let mut reactor = support::reactor()?;
    // Who presses Ctrl-C does not want to wait for long.
    reactor.set_grace(Duration::from_millis(500));
    let member = Member {
        name,
        screen: Arc::default(),
        gate: Gate::default(),
        is_done: false,
        failure: Rc::default(),
    };
    let id = reactor.connect_tcp(server, member.clone())?;

    // Kept until the end of this function, however it is left: then the shell has its terminal back.
    let terminal = Terminal::take();
    let (screen, handle) = (Arc::clone(&member.screen), reactor.handle());
    if let Some(terminal) = &terminal {
        let mode = terminal.mode_before();
        support::before_forced_end(move || {
            mode.restore();
        });
        lock(&screen).begin(terminal.mode());
        watch_terminal(&screen, &handle)?;
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

fn watch_terminal(screen: &Arc<Mutex<Screen>>, handle: &Handle) -> Result<(), Failure> {
    let (screen, handle) = (Arc::clone(screen), handle.clone());
    let watched = on_change(move || {
        let screen = Arc::clone(&screen);
        // It fails when the reactor has ended: then there is nothing more to draw.
        let _ = handle.call(move |context| redraw(context, &screen));
    });
    watched.map_err(|error| Failure::Run(format!("cannot watch the terminal: {error}")))
}
