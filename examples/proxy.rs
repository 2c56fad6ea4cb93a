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
//!     --half-closed SECONDS
//!                         a pair of which one side has ended is reset when no byte has moved for so
//!                         long, or at most for twice that (60)
//!     --demo              an echo, the proxy and a client in one reactor; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use log::{info, warn};
use ropewalk::{
    Address, Context, Error, Factory, Id, Producer, Protocol, Reactor, Reason, Transport,
};
use ropewalk_protocols::Echo;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use support::{Failure, say};

/// Where clients are taken, and how.
struct Route {
    servers: Vec<SocketAddr>,
    /// How often a pair of which one side has ended is looked at. It is reset if no byte has moved since
    /// the last time.
    patience: Duration,
}

/// One end of a pair: what comes in here goes out at the other.
struct End {
    route: Rc<Route>,
    /// The counterpart; a client that has just come has none.
    other: Option<Id>,
}

/// The data that one end brings for the other: its pace is that of the end it is written to. As long as it
/// is registered there, an end of the reactor resets that connection, since more was to come.
struct Relay {
    from: Id,
}

impl Producer for Relay {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        transport.context().resume(self.from);
    }

    fn pause_producing(&mut self, transport: &mut Transport<'_>) {
        transport.context().pause(self.from);
    }
}

impl End {
    /// Has a server connected for a client.
    fn call_server(&mut self, context: &mut Context, client: Id) -> Result<(), Error> {
        let upstream = Upstream { client, route: Rc::clone(&self.route) };
        self.other = Some(context.connect_tcp(&self.route.servers[..], upstream)?);
        Ok(())
    }
}

/// Has the data of each relayed to the other.
fn join(context: &mut Context, client: Id, server: Id) -> Result<(), Error> {
    context.register_push_producer(client, Relay { from: server })?;
    context.register_push_producer(server, Relay { from: client })?;
    context.resume(client);
    Ok(())
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let (id, peer) = (transport.id(), transport.peer());
        let joined = match self.other {
            Some(client) => {
                info!("{client} is joined with {id}, {peer}");
                join(transport.context(), client, id)
            }
            None => {
                // Nothing is read from a client before there is a server to give it to.
                transport.pause();
                self.call_server(transport.context(), id)
            }
        };
        if let Err(error) = joined {
            turn_away(transport.context(), self.other.unwrap_or(id), &error);
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(other) = self.other {
            transport.context().write(other, data);
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        if let Some(other) = self.other {
            let (id, context) = (transport.id(), transport.context());
            context.unregister_producer(other);
            context.write_eof(other);
            watch_half_closed(context, id, other, self.route.patience);
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let Some(other) = self.other else {
            return;
        };
        match reason {
            Reason::Closed | Reason::ClosedByPeer => {
                transport.context().unregister_producer(other);
                transport.context().close(other);
            }
            // The other end must not take what it got for the whole.
            _ => transport.context().abort(other),
        }
    }
}

/// Ends a pair of which one side has ended, unless a byte has moved since the last look.
fn watch_half_closed(context: &mut Context, one: Id, other: Id, patience: Duration) {
    let moved = move |context: &Context| {
        let of = |id| context.connection_counts(id).map(|counts| counts.received + counts.sent);
        Some(of(one)? + of(other)?)
    };
    let Some(before) = moved(context) else {
        return; // It has ended.
    };
    context.call_later(patience, move |context| match moved(context) {
        Some(now) if now == before => {
            warn!("{one} and {other} are half-closed, and nothing has moved for {patience:?}");
            context.abort(one);
        }
        _ => watch_half_closed(context, one, other, patience),
    });
}

/// Makes the server's end, once it is there.
struct Upstream {
    client: Id,
    route: Rc<Route>,
}

impl Factory for Upstream {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(End { route: Rc::clone(&self.route), other: Some(self.client) }))
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
        say(format_args!("client: I say 'Is there an echo behind this?' and end my side"));
        transport.write(b"Is there an echo behind this?");
        transport.write_eof();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        say(format_args!("client: I hear '{}'", String::from_utf8_lossy(data)));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        say(format_args!("client: the connection ended: {reason}"));
        transport.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("proxy.rs"), |mut arguments| {
        let (mut listen, mut to, mut demo) = ("127.0.0.1:7002".to_owned(), None, false);
        let mut patience = Duration::from_secs(60);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("to") => to = Some(arguments.value()?.string()?),
                Long("half-closed") => {
                    patience = Duration::from_secs(support::at_least_one(&mut arguments)?.into());
                }
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from(if demo { "warn,proxy=info" } else { "info" });
        let mut reactor = support::reactor()?;
        if demo {
            let echo = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
            let proxy = serve(&mut reactor, "127.0.0.1:0", &echo.address().to_string(), patience)?;
            reactor.connect_tcp(proxy, || Caller)?;
        } else {
            let missing = || Failure::Usage("--to HOST:PORT is missing".to_owned());
            let to = to.ok_or_else(missing)?;
            let proxy = serve(&mut reactor, &listen, &to, patience)?;
            let proxy = support::reachable(&proxy);
            say(format_args!(
                "who goes there is taken to {to}: cargo run --example connect {proxy}"
            ));
        }
        Ok(reactor.run()?)
    })
}

fn serve(
    reactor: &mut Reactor,
    listen: &str,
    to: &str,
    patience: Duration,
) -> Result<Address, Failure> {
    // Looked up once: a look-up blocks, so it has no place in a callback.
    let servers = reactor.context().look_up(to)?;
    let route = Rc::new(Route { servers: servers.clone(), patience });
    let port = reactor.listen_tcp(listen, move || End { route: Rc::clone(&route), other: None })?;
    if servers.iter().any(|server| is_own(port.address(), server)) {
        return Err(Failure::Usage(format!("cannot proxy to {to}: that is the proxy itself")));
    }
    say(format_args!("listening on {}", port.address()));
    Ok(port.address().clone())
}

/// Whether connections to `server` reach the listener at `own`: each would be joined with another one,
/// until no descriptors are left.
fn is_own(own: &Address, server: &SocketAddr) -> bool {
    own.socket_addr().is_some_and(|own| {
        // An IPv4 address may be written as one of IPv6.
        let (ip, server_ip) = (own.ip().to_canonical(), server.ip().to_canonical());
        // An address of this machine can be bound.
        let local = || UdpSocket::bind((server_ip, 0)).is_ok();
        let same = ip == server_ip || server_ip.is_unspecified();
        own.port() == server.port() && (same || (ip.is_unspecified() && local()))
    })
}
