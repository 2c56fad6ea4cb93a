//! Connects your keyboard and screen with a server: a small nc.
//!
//!     cargo run --example connect 127.0.0.1:7000
//!
//! It needs a server in another terminal, for example
//!
//!     cargo run --example echo 127.0.0.1:7000
//!
//! What you type is sent line by line, and what the server says is printed. Ctrl-D ends our side;
//! what the server still has to say is printed until it ends its own. Files and pipes do as well:
//!
//!     cargo run --example connect 127.0.0.1:7000 < Cargo.toml | head -3
//!
//! Neither direction keeps more than some KB in memory, however slow the other end is. It ends with
//! exit code 1 if the connection fails, and says why.
//!
//! Options:
//!
//!     HOST:PORT  the server
//!     --demo     an echo server in the same reactor, and something to send; ends by itself
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

/// What the demo sends instead of its standard input.
const DEMO: &str = "This went to a server and came back.\nSo did this.\n";

/// The connection. `gate` lets the thread pass that reads the input.
#[derive(Clone)]
struct Caller {
    gate: Gate,
    failure: Arc<OnceLock<String>>,
}

impl Factory for Caller {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Call { caller: self.clone(), printer: None }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        let _ = self.failure.set(error.to_string());
        context.stop();
    }
}

struct Call {
    caller: Caller,
    printer: Option<Printer>,
}

impl Protocol for Call {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.printer = Some(Printer::start(transport, Arc::clone(&self.caller.failure)));
        self.caller.gate.open();
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(printer) = &self.printer {
            printer.print(transport, data);
        }
    }

    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        self.caller.gate.shut();
    }

    fn resume_writing(&mut self, _transport: &mut Transport<'_>) {
        self.caller.gate.open();
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        if !matches!(reason, Reason::Closed | Reason::ClosedByPeer | Reason::Stopped) {
            let message = format!("the connection with {} ended: {reason}", transport.peer());
            let _ = self.caller.failure.set(message);
        }
        // The printer, dropped together with this, prints what it still has and then ends the run.
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

/// Sends the input to the server, and prints what it says.
fn connect(
    mut reactor: Reactor,
    server: &str,
    input: impl Read + Send + 'static,
) -> Result<(), Failure> {
    let caller = Caller { gate: Gate::default(), failure: Arc::default() };
    let id = reactor.connect_tcp(server, caller.clone())?;
    stdio::read(input, reactor.handle(), caller.gate, move |context, piece| match piece {
        [] => context.write_eof(id),
        piece => context.write(id, piece),
    });
    // Who presses Ctrl-C does not want to wait for long.
    reactor.set_grace(Duration::from_millis(500));
    reactor.run()?;
    match caller.failure.get() {
        Some(message) => Err(Failure::Run(message.clone())),
        None => Ok(()),
    }
}
