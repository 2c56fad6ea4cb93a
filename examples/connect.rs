//! A terminal for line-based servers, like nc.
//!
//!     cargo run --example connect 127.0.0.1:7000
//!
//! It needs a server in another terminal, for example:
//!
//!     cargo run --example echo 127.0.0.1:7000
//!
//! Typed lines are sent, and received data is printed. Ctrl-D ends our side of the connection;
//! received data is printed until the server ends its side. Files and pipes work as well:
//!
//!     cargo run --example connect 127.0.0.1:7000 < Cargo.toml | head -3
//!
//! Each direction buffers a few KB at most, however slow the other end is. If the connection fails, the
//! program prints the reason and its exit code is 1.
//!
//! Options:
//!
//!     HOST:PORT  the server
//!     --demo     an echo server in the same reactor, and two lines to send; ends by itself
//!     --help     this text

use lexopt::prelude::*;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use ropewalk_protocols::Echo;
use std::io::{self, Read};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use support::stdio::{self, Gate};
use support::{Failure, Printer, say};

/// The input of the demo.
const DEMO: &str = "This went to a server and came back.\nSo did this.\n";

/// The factory of the connection.
#[derive(Clone)]
struct Connector {
    /// Controls the thread that reads the input.
    gate: Gate,
    failure: Arc<OnceLock<String>>,
}

impl Factory for Connector {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Connection { connector: self.clone(), printer: None }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        let _ = self.failure.set(error.to_string());
        context.stop();
    }
}

struct Connection {
    connector: Connector,
    printer: Option<Printer>,
}

impl Protocol for Connection {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.printer = Some(Printer::start(transport, Arc::clone(&self.connector.failure)));
        self.connector.gate.open();
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(printer) = &self.printer {
            printer.print(transport, data);
        }
    }

    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        self.connector.gate.shut();
    }

    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        self.connector.gate.open();
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        if !matches!(reason, Reason::Closed | Reason::ClosedByPeer | Reason::Stopped) {
            let message = format!("the connection with {} ended: {reason}", transport.peer());
            let _ = self.connector.failure.set(message);
        }
        // The printer is dropped with this protocol. It prints its queued data and stops the reactor.
    }
}

fn main() -> ExitCode {
    support::main(include_str!("connect.rs"), |mut arguments| {
        let (mut server, mut demo) = (None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(address) if server.is_none() => server = Some(address.string()?),
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        if demo {
            let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
            say(format_args!("listening on {}", port.address()));
            return connect(reactor, &port.address().to_string(), DEMO.as_bytes());
        }
        let missing = || Failure::Usage("HOST:PORT is missing".to_owned());
        connect(reactor, &server.ok_or_else(missing)?, io::stdin())
    })
}

/// Sends the input to the server, and prints the received data.
fn connect(
    mut reactor: Reactor,
    server: &str,
    input: impl Read + Send + 'static,
) -> Result<(), Failure> {
    let connector = Connector { gate: Gate::default(), failure: Arc::default() };
    let id = reactor.connect_tcp(server, connector.clone())?;
    stdio::read(input, reactor.handle(), connector.gate, move |context, chunk| match chunk {
        [] => context.transport(id).write_eof(),
        chunk => context.transport(id).write(chunk),
    });
    // After Ctrl-C a user expects the end within a moment.
    reactor.set_grace(Duration::from_millis(500));
    reactor.run()?;
    match connector.failure.get() {
        Some(message) => Err(Failure::Run(message.clone())),
        None => Ok(()),
    }
}
