//! A TCP proxy: each client's connection is joined by ids with a connection to a server.
//!
//!     cargo run --example proxy -- --to 127.0.0.1:7000
//!
//! Try it in other terminals: one runs the server behind the proxy, another is the client.
//!
//!     cargo run --example echo 127.0.0.1:7000
//!     cargo run -p netcat 127.0.0.1:7002
//!
//! Typed lines are echoed through the proxy. Backpressure is passed on: if one end does not read, the proxy
//! stops reading from the other end, so that it buffers a few hundred KB of a transfer of 1 GB. The end of each
//! side and resets are passed on as well. If the server is not running, the client is disconnected.
//!
//! Options:
//!
//!     --to HOST:PORT      the server
//!     --listen HOST:PORT  where to listen (127.0.0.1:7002; port 0 lets the system choose)
//!     --half-closed SECONDS
//!                         a half-closed pair is reset if it transfers no byte for one to two times
//!                         this long (60)
//!     --journal FILE      record what the reactor does in a file; ropewalk-journal reads it
//!     --demo              an echo, the proxy and a client in one reactor; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use log::{info, warn};
use ropewalk::{
    Address, Context, Error, Factory, Id, Producer, Protocol, Reactor, Reason, Transport,
};
use ropewalk_protocols::Echo;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use support::{DemoClient, Failure, say};

/// The server, and the options.
struct Route {
    servers: Vec<SocketAddr>,
    /// The interval at which a half-closed pair is checked. It is reset if no byte was transferred since the last
    /// check.
    timeout: Duration,
}

/// The protocol of one end of a pair: received data is sent to the other end.
struct End {
    route: Rc<Route>,
    /// The other end. A new client has none.
    other: Option<Id>,
}

/// The producer of the data from the other end. It pauses and resumes that end. While it is registered, a stop of the
/// reactor resets the connection, since the data is incomplete.
struct Relay {
    from: Id,
}

impl Producer for Relay {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        transport.context().transport(self.from).resume();
    }

    fn pause_producing(&mut self, transport: &mut Transport<'_>) {
        transport.context().transport(self.from).pause();
    }
}

impl End {
    /// Connects to the server for a client.
    fn connect_server(&mut self, context: &mut Context, client: Id) -> Result<(), Error> {
        let upstream = Upstream { client, route: Rc::clone(&self.route) };
        self.other = Some(context.connect_tcp(&self.route.servers[..], upstream)?);
        Ok(())
    }
}

/// Registers a relay in each direction.
fn join(context: &mut Context, client: Id, server: Id) -> Result<(), Error> {
    context.transport(client).register_push_producer(Relay { from: server })?;
    context.transport(server).register_push_producer(Relay { from: client })?;
    context.transport(client).resume();
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
                // Without a server, there is nowhere to send the client's data.
                transport.pause();
                self.connect_server(transport.context(), id)
            }
        };
        if let Err(error) = joined {
            refuse(transport.context(), self.other.unwrap_or(id), &error);
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(other) = self.other {
            transport.context().transport(other).write(data);
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        if let Some(other) = self.other {
            let (id, context) = (transport.id(), transport.context());
            context.transport(other).unregister_producer();
            context.transport(other).write_eof();
            watch_half_closed(context, id, other, self.route.timeout);
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let Some(other) = self.other else {
            return;
        };
        match reason {
            Reason::Closed | Reason::ClosedByPeer => {
                transport.context().transport(other).unregister_producer();
                transport.context().close(other);
            }
            // The other end must notice that its data is incomplete.
            _ => transport.context().abort(other),
        }
    }
}

/// Resets a half-closed pair if no byte was transferred since the last check.
fn watch_half_closed(context: &mut Context, one: Id, other: Id, timeout: Duration) {
    let transferred = move |context: &mut Context| {
        let mut of = |id| {
            let transport = context.transport(id);
            let counts = transport.counts();
            // The peer of a closed connection is unknown.
            (transport.peer() != Address::Unknown).then_some(counts.received + counts.sent)
        };
        Some(of(one)? + of(other)?)
    };
    let Some(before) = transferred(context) else {
        return; // The pair has ended.
    };
    context.call_later(timeout, move |context| match transferred(context) {
        Some(now) if now == before => {
            warn!("{one} and {other} are half-closed, and no byte was transferred for {timeout:?}");
            context.abort(one);
        }
        _ => watch_half_closed(context, one, other, timeout),
    });
}

/// The factory of the server's end.
struct Upstream {
    client: Id,
    route: Rc<Route>,
}

impl Factory for Upstream {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(End { route: Rc::clone(&self.route), other: Some(self.client) }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        refuse(context, self.client, &error);
    }
}

fn refuse(context: &mut Context, client: Id, error: &Error) {
    let mut transport = context.transport(client);
    if transport.peer() != Address::Unknown {
        warn!("{client} from {} is closed: {error}", transport.peer());
        transport.close();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("proxy.rs"), |mut arguments| {
        let (mut listen, mut to, mut demo) = ("127.0.0.1:7002".to_owned(), None, false);
        let (mut timeout, mut journal) = (Duration::from_secs(60), None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("to") => to = Some(arguments.value()?.string()?),
                Long("half-closed") => {
                    timeout = Duration::from_secs(support::at_least_one(&mut arguments)?.into());
                }
                Long("journal") => journal = Some(PathBuf::from(arguments.value()?)),
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from(if demo { "warn,proxy=info" } else { "info" });
        let mut reactor = support::reactor()?;
        if let Some(journal) = journal {
            support::write_journal(&mut reactor, &journal)?;
        }
        if demo {
            let echo = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
            let proxy = serve(&mut reactor, "127.0.0.1:0", &echo.address().to_string(), timeout)?;
            reactor.connect_tcp(proxy, || DemoClient)?;
        } else {
            let missing = || Failure::Usage("--to HOST:PORT is missing".to_owned());
            let to = to.ok_or_else(missing)?;
            let proxy = serve(&mut reactor, &listen, &to, timeout)?;
            let proxy = support::reachable(&proxy);
            say(format_args!(
                "clients are connected to {to}; try it with: cargo run -p netcat {proxy}"
            ));
        }
        Ok(reactor.run()?)
    })
}

fn serve(
    reactor: &mut Reactor,
    listen: &str,
    to: &str,
    timeout: Duration,
) -> Result<Address, Failure> {
    // A look-up blocks, so it must not be done in a callback.
    let servers = reactor.look_up(to)?;
    let route = Rc::new(Route { servers: servers.clone(), timeout });
    let port = reactor.listen_tcp(listen, move || End { route: Rc::clone(&route), other: None })?;
    if servers.iter().any(|server| is_own(port.address(), server)) {
        return Err(Failure::Usage(format!("cannot proxy to {to}: that is the proxy itself")));
    }
    say(format_args!("listening on {}", port.address()));
    Ok(port.address().clone())
}

/// Returns true if connections to `server` reach the listener at `own`. Each connection would cause another one, until
/// no descriptors are left.
fn is_own(own: &Address, server: &SocketAddr) -> bool {
    own.socket_addr().is_some_and(|own| {
        // An IPv4 address can be written as an IPv6 address.
        let (ip, server_ip) = (own.ip().to_canonical(), server.ip().to_canonical());
        // Only addresses of this machine can be bound.
        let local = || UdpSocket::bind((server_ip, 0)).is_ok();
        let same = ip == server_ip || server_ip.is_unspecified();
        own.port() == server.port() && (same || (ip.is_unspecified() && local()))
    })
}
