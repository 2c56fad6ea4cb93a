//! The memory of an idle connection, without the protocol object.
//!
//! ```text
//! cargo run --release --example idle_memory            # 9,000 connections
//! cargo run --release --example idle_memory 5000
//! ```
//!
//! Options:
//!
//!     CONNECTIONS  the number of connections (9000)
//!     --help       this text
//!
//! Each connection needs two descriptors (`ulimit -n 20000`).
//!
//! A reactor accepts the connections of this process, each with an empty protocol. The program reads its
//! resident memory (proc(5), `/proc/self/statm`) before, with idle connections, and after each connection has
//! echoed a message. It fails if a connection takes more than 400 bytes. The kernel's memory for a socket is not
//! included.

use lexopt::prelude::*;
use ropewalk::{Error, Protocol, Reactor, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, io};
use support::Failure;

/// The limit for a connection in bytes. About 320 are measured.
const LIMIT: usize = 400;

/// An empty protocol: the measured memory is the reactor's.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> ExitCode {
    support::main(include_str!("idle_memory.rs"), |mut arguments| {
        let mut count = None;
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(value) => support::once(&mut count, value)?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let count = count.map_or(Ok(9_000), |count| count.parse())?;
        measure(count)
    })
}

fn measure(count: usize) -> Result<(), Failure> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
    let address = port.address().socket_addr().expect("a TCP listener has one");
    let mut clients: Vec<TcpStream> = Vec::with_capacity(count);

    // The first connections allocate the memory that does not depend on their number.
    grow(&mut reactor, &mut clients, address, 100.min(count))?;
    echo(&mut reactor, &mut clients)?;
    let warm = clients.len();
    let before = resident()?;

    grow(&mut reactor, &mut clients, address, count)?;
    let idle = resident()?.saturating_sub(before) / (clients.len() - warm).max(1);
    support::show(format_args!("{} idle connections: {idle} bytes each\n", clients.len()))?;

    echo(&mut reactor, &mut clients)?;
    let used = resident()?.saturating_sub(before) / (clients.len() - warm).max(1);
    support::show(format_args!("after each has echoed a message: {used} bytes each\n"))?;

    if idle.max(used) > LIMIT {
        return Err(Failure::Run(format!("that is more than {LIMIT} bytes a connection")));
    }
    Ok(())
}

/// Connects clients until there are `count`, and waits until the reactor has accepted all of them.
fn grow(
    reactor: &mut Reactor,
    clients: &mut Vec<TcpStream>,
    address: std::net::SocketAddr,
    count: usize,
) -> Result<(), Failure> {
    while clients.len() < count {
        for _ in 0..64.min(count - clients.len()) {
            clients.push(TcpStream::connect(address)?);
        }
        let begin = Instant::now();
        while reactor.context().connections().count() < clients.len() {
            turn(reactor)?;
            if begin.elapsed() > Duration::from_secs(5) {
                let message = "no descriptors are left; raise the limit with `ulimit -n`";
                return Err(Failure::Run(message.to_owned()));
            }
        }
    }
    Ok(())
}

/// Sends a message from every client and receives its echo.
fn echo(reactor: &mut Reactor, clients: &mut [TcpStream]) -> Result<(), Failure> {
    const MESSAGE: &[u8] = b"a message";
    for clients in clients.chunks_mut(64) {
        for client in &mut *clients {
            client.write_all(MESSAGE)?;
            client.set_nonblocking(true)?;
        }
        for client in clients {
            let mut missing = MESSAGE.len();
            while missing > 0 {
                match client.read(&mut [0; MESSAGE.len()]) {
                    Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Ok(count) => missing -= count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => turn(reactor)?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

fn turn(reactor: &mut Reactor) -> Result<(), Error> {
    reactor.turn(Some(Duration::from_millis(10)))
}

/// Returns the resident memory of this process in bytes.
fn resident() -> Result<usize, Failure> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    let missing = || Failure::Run(format!("/proc/self/statm has no second number: {text}"));
    Ok(pages.ok_or_else(missing)? * 4096)
}
