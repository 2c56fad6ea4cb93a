//! A terminal client for the chat. Received lines do not disturb the line that is being typed.
//!
//!     cargo run --example chat_client
//!
//! It needs the chat in another terminal. A second client in a third terminal:
//!
//!     cargo run --example chat
//!     cargo run --example chat_client -- --name bob
//!
//! The first typed line is the name, if `--name` is not given. After that Enter sends the line; `/help` lists the
//! commands. Ctrl-D on an empty line leaves, and so does Ctrl-C. The usual keys edit the line, Alt-b and Alt-f
//! move by words, the up key shows previous lines; Tab does nothing. If the server ends the connection without a
//! goodbye, the line that was being typed stays on the screen and the exit code is 1. Files and pipes work as
//! well: their lines are sent, and received lines are printed until the server has received all of them:
//!
//!     echo 'Hello, all.' | cargo run --example chat_client -- --name visitor
//!
//! Options:
//!
//!     HOST:PORT    the server (127.0.0.1:7001)
//!     --name NAME  the name in the chat
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

/// The server's last line to a connection that is closed gracefully. A member cannot send this line.
const GOODBYE: &str = "* goodbye";

/// How long to wait for a terminal's report of its cursor. Terminals answer within milliseconds.
const REPORT_TIMEOUT: Duration = Duration::from_millis(200);

/// The protocol of the connection, and its factory.
#[derive(Clone)]
struct Client {
    name: Option<String>,
    screen: Arc<Mutex<Screen>>,
    /// Controls the thread that reads the input.
    gate: Gate,
    /// True if the end of the connection is not a failure: the last line was [`GOODBYE`], or writing to stdout has
    /// failed.
    may_end: bool,
    failure: Rc<RefCell<Option<String>>>,
}

impl Factory for Client {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        lock(&self.screen).finish();
        self.failure.replace(Some(error.to_string()));
        context.stop();
    }
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        if let Some(name) = &self.name {
            lines.send_line(name);
        }
        self.gate.open();
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        self.may_end = line == GOODBYE;
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
            // With a terminal, the client closes the connection; after the end of a file, the server does.
            Reason::Closed if was_typing => None,
            Reason::Closed | Reason::ClosedByPeer | Reason::Reset if self.may_end => None,
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

impl Client {
    /// Closes the connection after writing to stdout has failed. A broken pipe, as in `chat_client | head -1`, is no
    /// failure.
    fn end_for(&mut self, lines: &mut LineTransport<'_>, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failure.replace(Some(format!("cannot write to the output: {error}")));
        }
        self.may_end = true;
        lines.close();
    }
}

/// Locks the screen. A poisoned lock is usable: the screen is drawn again each time.
fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes keys to the editor, and sends finished lines to the server.
fn press(context: &mut Context, id: Id, screen: &Mutex<Screen>, keys: &[u8]) {
    let Ok(events) = lock(screen).press(keys) else {
        return context.stop();
    };
    for event in events {
        match event {
            Event::Clear | Event::Position(_) => {}
            Event::End => context.close(id),
            Event::Line(line) => context.transport(id).write(format!("{line}\n").as_bytes()),
        }
    }
    if keys.is_empty() {
        context.close(id); // The terminal was closed.
    }
}

/// Draws the row again after the window has changed, or after the shell has used the terminal.
fn redraw(context: &mut Context, screen: &Arc<Mutex<Screen>>) {
    match lock(screen).changed() {
        Ok(false) => {}
        Ok(true) => {
            let screen = Arc::clone(screen);
            context.call_later(REPORT_TIMEOUT, move |context| {
                if lock(&screen).stop_waiting().is_err() {
                    context.stop();
                }
            });
        }
        Err(_) => context.stop(),
    }
}

/// Sends a chunk of a file or a pipe to the server.
fn send(context: &mut Context, id: Id, chunk: &[u8]) {
    context.transport(id).write(chunk);
    if chunk.is_empty() {
        // The last line may have no newline. The server ignores an empty line.
        context.transport(id).write(b"\n");
        context.transport(id).write_eof();
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
    // After Ctrl-C a user expects the end within a moment.
    reactor.set_grace(Duration::from_millis(500));
    let client = Client {
        name,
        screen: Arc::default(),
        gate: Gate::default(),
        may_end: false,
        failure: Rc::default(),
    };
    let id = reactor.connect_tcp(server, client.clone())?;

    // The terminal is restored when this is dropped, at the end of this function.
    let terminal = Terminal::take();
    let (screen, handle) = (Arc::clone(&client.screen), reactor.handle());
    if let Some(terminal) = &terminal {
        let mode = terminal.mode_before();
        support::before_forced_end(move || {
            mode.restore();
        });
        lock(&screen).begin(terminal.mode());
        watch_terminal(&screen, &handle)?;
        stdio::read(io::stdin(), handle, client.gate, move |context, keys| {
            press(context, id, &screen, keys);
        });
    } else {
        stdio::read(io::stdin(), handle, client.gate, move |context, piece| {
            send(context, id, piece);
        });
    }
    reactor.run()?;
    match client.failure.take() {
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
