//! Joins each client with a server elsewhere: two connections that know each other by their ids.
//!
//!     cargo run --example proxy -- --to 127.0.0.1:7000
//!
//! Poke it in other terminals: one runs the server behind it, another is the client.
//!
//!     cargo run --example echo 127.0.0.1:7000
//!     cargo run --example connect 127.0.0.1:7002
//!
//! What you type comes back, through the proxy. Each end's pace is carried through to the other: one
//! that does not read makes the proxy stop reading from its counterpart, so that a proxy in the
//! middle of 1 GB holds a few hundred KB of it. So is the end of each side, and a reset. End the
//! echo, connect again, and see the client turned away.
//!
//! Options:
//!
//!     --to HOST:PORT      where to take the clients
//!     --listen HOST:PORT  where they come (127.0.0.1:7002; port 0 lets the system choose)
//!     --demo              an echo, the proxy and a client in one reactor; ends by itself
//!     --help              this text

#[path = "support/stdout.rs"]
mod stdout;
mod support;

use lexopt::prelude::*;
use log::{info, warn};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use ropewalk_protocols::Echo;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::rc::Rc;
use support::Failure;

/// One end of a joint: what comes in here goes out at the other.
enum End {
    /// A client that has just come, and where to take it.
    New(Rc<[SocketAddr]>),
    /// A client or a server, and its counterpart.
    Joined(Id),
}

impl End {
    fn other(&self) -> Option<Id> {
        match self {
            Self::New(_) => None,
            Self::Joined(other) => Some(*other),
        }
    }
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        match self {
            Self::New(to) => {
                // Nothing is read from a client before there is somebody to give it to.
                transport.pause();
                match transport.context().connect_tcp(&to[..], Upstream { client: id }) {
                    Ok(server) => *self = Self::Joined(server),
                    Err(error) => turn_away(transport.context(), id, &error),
                }
            }
            Self::Joined(client) => {
                info!("{client} is joined with {id}, {}", transport.peer());
                transport.context().resume(*client);
            }
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(other) = self.other() {
            transport.context().write(other, data);
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        if let Some(other) = self.other() {
            transport.context().write_eof(other);
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        if let Some(other) = self.other() {
            transport.context().pause(other);
        }
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        if let Some(other) = self.other() {
            transport.context().resume(other);
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let Some(other) = self.other() else {
            return;
        };
        match reason {
            Reason::Closed | Reason::ClosedByPeer | Reason::Stopped => {
                transport.context().close(other);
            }
            // The other end must not take what it got for the whole.
            _ => transport.context().abort(other),
        }
    }
}

/// Makes the server's end, once it is there.
struct Upstream {
    client: Id,
}

impl Factory for Upstream {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(End::Joined(self.client)))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        turn_away(context, self.client, &error);
    }
}

fn turn_away(context: &mut Context, client: Id, error: &Error) {
    if let Some(peer) = context.peer(client) {
        warn!("{client} from {peer} is turned away: {error}");
        context.close(client);
    }
}

/// The demo's client: it says something, ends its side, and waits for the end of the other.
struct Caller;

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        println!("client: I say 'Is there an echo behind this?' and end my side");
        transport.write(b"Is there an echo behind this?");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        println!("client: I hear '{}'", String::from_utf8_lossy(data));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        println!("client: the connection ended: {reason}");
        transport.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("proxy.rs"), |mut arguments| {
        let (mut listen, mut to, mut demo) = ("127.0.0.1:7002".to_owned(), None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("to") => to = Some(arguments.value()?.string()?),
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from(if demo { "warn,proxy=info" } else { "info" });
        let mut reactor = Reactor::new()?;
        reactor.stop_on_signals()?;
        if demo {
            let echo = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
            let proxy = serve(&mut reactor, "127.0.0.1:0", &echo.address().to_string())?;
            reactor.connect_tcp(proxy, || Caller)?;
        } else {
            let missing = || Failure::Usage("--to HOST:PORT is missing".to_owned());
            let to = to.ok_or_else(missing)?;
            let proxy = serve(&mut reactor, &listen, &to)?;
            stdout::say(format_args!(
                "who goes there is taken to {to}: cargo run --example connect {proxy}"
            ));
        }
        Ok(reactor.run()?)
    })
}

fn serve(reactor: &mut Reactor, listen: &str, to: &str) -> Result<Address, Failure> {
    // Looked up once: a look-up blocks, so it has no place in a callback.
    let servers = to.to_socket_addrs();
    let servers =
        servers.map_err(|error| Failure::Run(format!("cannot proxy to {to}: {error}")))?;
    let servers: Rc<[SocketAddr]> = servers.collect();
    let port = reactor.listen_tcp(listen, move || End::New(Rc::clone(&servers)))?;
    stdout::say(format_args!("listening on {}", port.address()));
    Ok(port.address().clone())
}
