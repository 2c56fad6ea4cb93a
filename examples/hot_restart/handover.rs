//! The handover of listeners from an old process to a new one: both sides of the control socket.

use crate::program::Server;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, TimerId, Transport};
use ropewalk_protocols::{LineHandler, LineTransport};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use support::say;

/// The time limit for the handover. It takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// The protocol of a control connection in the old process.
pub(crate) struct Predecessor(pub(crate) Server);

impl Predecessor {
    /// Passes the listeners. This process accepts until the new process is ready.
    fn pass(&self, lines: &mut LineTransport<'_>) -> Result<(), String> {
        let copies = self.0.copies(lines.context()).map_err(|error| error.to_string())?;
        lines.send_descriptors(b"listeners\n", copies).map_err(|error| error.to_string())
    }
}

impl LineHandler for Predecessor {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let (id, successor) = (lines.id(), self.0.state.borrow().successor);
        let refusal = match line {
            "ready" if successor == Some(id) => return self.0.leave(lines.context()),
            "take" if successor.is_none() => match self.pass(lines) {
                Ok(()) => {
                    self.0.state.borrow_mut().successor = Some(id);
                    return;
                }
                Err(error) => error,
            },
            "take" => "another process is taking over".to_owned(),
            _ => "expected take, and then ready".to_owned(),
        };
        lines.send_line(refusal);
        lines.close();
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        let mut state = self.0.state.borrow_mut();
        if state.successor == Some(lines.id()) && !state.leaving {
            state.successor = None;
            say(format_args!("the new process ended before it was ready; this process continues"));
        }
    }
}

/// The protocol of the control connection in the new process.
struct Successor {
    server: Server,
    /// The refusal of the old process.
    refusal: String,
    deadline: Option<TimerId>,
    ready: bool,
}

impl Protocol for Successor {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        transport.write(b"take\n");
        let context = transport.context();
        self.deadline = Some(context.call_later(LIMIT, move |context| context.abort(id)));
    }

    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        _data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        match self.server.inherit(transport.context(), descriptors) {
            Ok(()) => {
                self.ready = true;
                self.deadline.take().map(|timer| transport.context().cancel(timer));
                transport.write(b"ready\n");
                say(format_args!("took over the listeners of the old process"));
            }
            Err(error) => self.server.fail(transport.context(), error),
        }
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.refusal.push_str(&String::from_utf8_lossy(data));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        if self.ready {
            return say(format_args!("the old process has ended"));
        }
        let refusal = self.refusal.trim_end();
        let message = format!("the old process refused the handover: {reason}; {refusal}");
        self.server.fail(transport.context(), message);
    }
}

/// Connects to the control socket. The process takes over if there is an old process; otherwise it is the first.
impl Factory for Server {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let (server, refusal) = (self.clone(), String::new());
        Some(Box::new(Successor { server, refusal, deadline: None, ready: false }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        let begun = match error.kind() {
            // There is no old process.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => self.begin(context),
            _ => Err(error),
        };
        if let Err(error) = begun {
            self.fail(context, error);
        }
    }
}
