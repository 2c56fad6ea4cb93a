//! How an old process hands its listeners over to a new one: both sides of the control socket.

use crate::program::Server;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, TimerId, Transport};
use ropewalk_protocols::{LineHandler, LineTransport};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use support::say;

/// How long an old process may take: it has nothing to wait for.
const LIMIT: Duration = Duration::from_secs(10);

/// The old process, as the new one speaks to it.
pub(crate) struct Elder(pub(crate) Server);

impl Elder {
    /// Passes the listeners. This process goes on accepting until the other is ready.
    fn pass(&self, lines: &mut LineTransport<'_>) -> Result<(), String> {
        let copies = self.0.copies(lines.context()).map_err(|error| error.to_string())?;
        lines.send_descriptors(b"listeners\n", copies).map_err(|error| error.to_string())
    }
}

impl LineHandler for Elder {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let (id, heir) = (lines.id(), self.0.state.borrow().heir);
        let refusal = match line {
            "ready" if heir == Some(id) => return self.0.leave(lines.context()),
            "take" if heir.is_none() => match self.pass(lines) {
                Ok(()) => {
                    self.0.state.borrow_mut().heir = Some(id);
                    return;
                }
                Err(error) => error,
            },
            "take" => "another process is just taking over".to_owned(),
            _ => "say take, and then ready".to_owned(),
        };
        lines.send_line(refusal);
        lines.close();
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        let mut state = self.0.state.borrow_mut();
        if state.heir == Some(lines.id()) && !state.leaving {
            state.heir = None;
            say(format_args!("the new process is gone before it was ready; this one goes on"));
        }
    }
}

/// The new process, as the old one speaks to it.
struct Heir {
    server: Server,
    /// What the old one says instead of handing over.
    refusal: String,
    deadline: Option<TimerId>,
    ready: bool,
}

impl Protocol for Heir {
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
                say(format_args!("took the listeners over from the old process"));
            }
            Err(error) => self.server.fail(transport.context(), error),
        }
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.refusal.push_str(&String::from_utf8_lossy(data));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        if self.ready {
            return say(format_args!("the old process is gone"));
        }
        let refusal = self.refusal.trim_end();
        let message = format!("the old process does not hand over: {reason}; {refusal}");
        self.server.fail(transport.context(), message);
    }
}

/// What a process makes of the control socket: the heir of whoever is there, or the first.
impl Factory for Server {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let (server, refusal) = (self.clone(), String::new());
        Some(Box::new(Heir { server, refusal, deadline: None, ready: false }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        let begun = match error.kind() {
            // Nobody is there, or not any more.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => self.begin(context),
            _ => Err(error),
        };
        if let Err(error) = begun {
            self.fail(context, error);
        }
    }
}
