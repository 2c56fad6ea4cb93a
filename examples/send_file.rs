//! A file server that uses sendfile(2): each connection receives the file, and no data is buffered in memory.
//!
//!     cargo run --example send_file FILE 127.0.0.1:7014
//!
//! Receive it in another terminal, with any TCP client:
//!
//!     nc 127.0.0.1 7014 > copy
//!     socat -u TCP:127.0.0.1:7014 CREATE:copy
//!
//! The progress of each connection is printed. A client that is stopped (Ctrl-Z) and continued (fg) does not
//! delay other clients. If reading the file fails, the connection is reset, so that the client notices that the
//! data is incomplete.
//!
//! Options:
//!
//!     FILE       the file
//!     HOST:PORT  where to listen (127.0.0.1:7014; port 0 lets the system choose)
//!     --demo     sends this program's file to a client in the same reactor; ends by itself
//!     --help     this text

use lexopt::prelude::*;
use ropewalk::{FileSender, Protocol, Reason, Transport};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use support::{Failure, say};

/// The number of bytes between two lines of progress: a few lines per second on loopback.
const STEP: u64 = 100_000_000;

/// The protocol of a connection, which sends the file.
struct Download(PathBuf);

impl Protocol for Download {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        say(format_args!("{id} {} connected", transport.peer()));
        let file = match support::open(&self.0) {
            Ok(file) => file,
            Err(error) => {
                say(format_args!("{id} {}: {error}", self.0.display()));
                return transport.abort();
            }
        };
        let (begin, mut next) = (Instant::now(), STEP);
        let sender = FileSender::new(file)
            .on_progress(move |_, sent| {
                if sent >= next {
                    next = sent + STEP;
                    say(format_args!("{id} {sent} bytes so far"));
                }
            })
            .on_done(move |_, result| match result {
                Ok(sent) => {
                    let seconds = begin.elapsed().as_secs_f64();
                    let rate = sent as f64 / 1e6 / seconds;
                    say(format_args!("{id} all {sent} bytes sent, {rate:.0} MB/s"));
                }
                Err(error) => say(format_args!("{id} sending failed: {error}")),
            });
        let registered = transport.register_pull_producer(sender);
        registered.expect("it is the first producer");
        transport.close(); // After the file was sent.
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        say(format_args!("{} {reason}", transport.id()));
    }
}

/// The demo's client, which compares received data with the file.
struct Check {
    expected: Vec<u8>,
    received: usize,
}

impl Protocol for Check {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let end = self.received + data.len();
        if self.expected.get(self.received..end) != Some(data) {
            say(format_args!("client: the received data differs from the file"));
            return transport.abort();
        }
        self.received = end;
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let all = self.received == self.expected.len();
        let word = if all { "equal to the file" } else { "incomplete" };
        say(format_args!("client: {} bytes, {word} ({reason})", self.received));
        transport.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("send_file.rs"), |mut arguments| {
        let (mut values, mut demo) = (Vec::new(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("demo") => demo = true,
                Value(value) if values.len() < 2 => values.push(value),
                argument => return Err(support::other(argument)),
            }
        }
        let mut values = values.into_iter();
        let path = match values.next() {
            Some(path) => PathBuf::from(path),
            None if demo => std::env::current_exe().map_err(|error| {
                Failure::Run(format!("cannot find the file of this program: {error}"))
            })?,
            None => return Err(Failure::Usage("FILE is missing".to_owned())),
        };
        let listen = match values.next() {
            Some(address) => address.string()?,
            None if demo => "127.0.0.1:0".to_owned(),
            None => "127.0.0.1:7014".to_owned(),
        };
        support::log_from("warn");
        run(&path, &listen, demo)
    })
}

fn run(path: &Path, listen: &str, demo: bool) -> Result<(), Failure> {
    let failed = |error| Failure::Run(format!("{}: {error}", path.display()));
    // Fails before the first client connects, if the file cannot be read.
    let length = support::open(path).and_then(|file| file.metadata()).map_err(failed)?.len();
    let mut reactor = support::reactor()?;
    let served = path.to_owned();
    let port = reactor.listen_tcp(listen, move || Download(served.clone()))?;
    let address = port.address();
    say(format_args!("listening on {address}"));
    say(format_args!("each client receives {} ({length} bytes)", path.display()));
    if demo {
        let expected = std::fs::read(path).map_err(failed)?;
        let mut check = Some(Check { expected, received: 0 });
        let client = move || check.take().expect("a client connects once");
        reactor.context().connect_tcp(address, client)?;
    } else {
        let address = support::reachable(address);
        say(format_args!("try it with: socat -u TCP:{address} CREATE:copy"));
    }
    Ok(reactor.run()?)
}
