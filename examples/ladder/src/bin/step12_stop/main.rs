//! Limits and the stop: the server survives a full descriptor table, and ends without cutting anything off.
//!
//! Bug of step 11: when all descriptors are in use, `accept` fails and the edge has passed. Clients that wait then are not
//! served when descriptors are free again. And nothing but a signal ends the program, in the middle of everything.
//! See it: `(ulimit -n 8; target/debug/step11_closing)` serves three clients or fewer. Connect one more, let one leave, and
//! the one more is not answered.
//! Change: the listener tries again after a pause, which is a timer of its own. The command `stop` closes the listener and
//! asks all connections to close; the program ends when the last has ended, each within its deadline.
//! In Ropewalk: `src/source/listener.rs`, `src/reactor/listener.rs` (the pause), `src/reactor/stop.rs`.
//! This is now a small `src/reactor/`: the README beside it names the file for each part.

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// A longer line ends the connection.
const MAX_LINE: usize = 1 << 16;
/// A client that has not taken this many bytes is not read from.
const MARK: usize = 1 << 16;
/// A client is closed when its output exceeds this: others may send to it faster than it reads.
const MAX_OUTPUT: usize = 1 << 20;
/// What a connection may read in a turn.
const READ_BUDGET: usize = 1 << 14;
/// How many clients are accepted in a turn.
const ACCEPT_BUDGET: usize = 16;
/// A connection that is closing ends after this time, even if the client takes or sends more.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// How long the listener pauses after `accept` has failed.
const BACKOFF: Duration = Duration::from_millis(100);
const LISTENER: Id = Id { slot: u32::MAX, serial: u32::MAX };

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let limit = env::args().nth(2).unwrap_or_else(|| "60000".into());
    let idle = Duration::from_millis(limit.parse().map_err(io::Error::other)?);
    let factory = move || -> Box<dyn Protocol> { Box::new(Echo { line: Vec::new(), idle }) };
    reactor::Reactor::listen(&address, Box::new(factory))?.run()
}

/// Echoes lines. `quit` ends the connection, `say` sends to the others, `stop` ends the server.
struct Echo {
    line: Vec<u8>,
    /// A client that says nothing for this time is closed.
    idle: Duration,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.set_timer(self.idle);
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>) {
        transport.close();
    }

    /// Answers a line without its end as well.
    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        transport.write(&self.line);
        transport.close();
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.set_timer(self.idle);
        for part in data.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line_received(transport);
            } else if self.line.len() > MAX_LINE {
                transport.close();
            }
        }
    }
}

impl Echo {
    fn line_received(&mut self, transport: &mut Transport<'_>) {
        match mem::take(&mut self.line).as_slice() {
            b"quit\n" => transport.close(),
            b"stop\n" => transport.stop(),
            [b's', b'a', b'y', b' ', text @ ..] => transport.write_to_others(text),
            line => transport.write(line),
        }
    }
}

/// What the bytes of a connection mean.
trait Protocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>);
    fn timer_fired(&mut self, transport: &mut Transport<'_>);
    fn eof_received(&mut self, transport: &mut Transport<'_>);
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]);
}

/// Makes the protocol of a new connection.
type Factory = Box<dyn FnMut() -> Box<dyn Protocol>>;

/// What a protocol may do: anything with its own connection, and write to the others.
struct Transport<'a> {
    table: &'a mut Table,
    id: Id,
}

impl Transport<'_> {
    fn write(&mut self, data: &[u8]) {
        if let Some(connection) = self.table.find(self.id) {
            connection.write(data);
        }
    }

    fn write_to_others(&mut self, data: &[u8]) {
        for (_, connection) in &mut self.table.entries {
            if connection.id != self.id {
                connection.write(data);
                self.table.ready.insert(connection.id);
            }
        }
    }

    /// Has `timer_fired` called after this time, in place of the time set before.
    fn set_timer(&mut self, delay: Duration) {
        if self.table.find(self.id).is_some_and(|connection| !connection.closing) {
            self.table.set_timer(self.id, Some(Instant::now() + delay));
        }
    }

    /// Ends the connection when all is sent.
    fn close(&mut self) {
        self.set_timer(CLOSE_LIMIT);
        if let Some(connection) = self.table.find(self.id) {
            connection.closing = true;
            self.table.ready.insert(self.id);
        }
    }

    /// Ends the server after this turn.
    fn stop(&mut self) {
        self.table.stopping = true;
    }
}

// The reactor, in a file of its own.
mod reactor;

/// Names one connection. A slot is used again, a serial is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id {
    slot: u32,
    serial: u32,
}

impl Id {
    /// What the kernel keeps, and hands back with each event.
    fn token(self) -> Token {
        Token((self.serial as usize) << 32 | self.slot as usize)
    }

    fn of(token: Token) -> Self {
        Self { slot: token.0 as u32, serial: (token.0 >> 32) as u32 }
    }
}

struct Connection {
    id: Id,
    stream: TcpStream,
    closing: bool,
    /// This side has ended.
    lingering: bool,
    /// The client's side has ended.
    ended: bool,
    readable: bool,
    writable: bool,
    output: Vec<u8>,
    deadline: Option<Instant>,
}

impl Connection {
    fn write(&mut self, data: &[u8]) {
        if !self.closing {
            self.output.extend_from_slice(data);
        }
    }

    /// Sends as much of the output as the socket takes.
    fn flush(&mut self) -> io::Result<()> {
        while self.writable && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                result => drop(self.output.drain(..result?)),
            }
        }
        if self.output.len() > MAX_OUTPUT { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// Ends this side as soon as all is sent. Returns true if this call has done so.
    fn begins_to_linger(&mut self) -> bool {
        let begins = self.closing && self.output.is_empty() && !self.lingering;
        if begins {
            self.lingering = true;
            let _ = self.stream.shutdown(Shutdown::Write); // If it fails, so does the next read.
        }
        begins
    }

    fn wants_read(&self) -> bool {
        let open = self.lingering || !self.closing && self.output.len() < MARK;
        open && self.readable && !self.ended
    }

    fn is_over(&self) -> bool {
        self.closing && self.output.is_empty() && self.ended
    }
}

#[derive(Default)]
struct Table {
    entries: Slab<Connection>,
    next_serial: u32,
    /// To be served in this turn, or the next: each once, with a budget.
    ready: BTreeSet<Id>,
    stopping: bool,
    /// The deadlines of all connections, the first in front.
    timers: BTreeSet<(Instant, Id)>,
}

impl Table {
    fn next_id(&self) -> Id {
        Id { slot: self.entries.vacant_key() as u32, serial: self.next_serial }
    }

    fn insert(&mut self, stream: TcpStream) -> Id {
        let id = self.next_id();
        self.next_serial += 1;
        self.entries.insert(Connection {
            id,
            stream,
            closing: false,
            lingering: false,
            ended: false,
            readable: false,
            writable: false,
            output: Vec::new(),
            deadline: None,
        });
        id
    }

    /// Returns nothing if the connection is closed, even if its slot is in use again.
    fn find(&mut self, id: Id) -> Option<&mut Connection> {
        self.entries.get_mut(id.slot as usize).filter(|connection| connection.id == id)
    }

    /// Keeps what an event says, until the socket says `WouldBlock`.
    fn note(&mut self, id: Id, event: &Event) {
        self.ready.insert(id);
        if let Some(connection) = self.find(id) {
            connection.readable |= event.is_readable();
            connection.writable |= event.is_writable();
        }
    }

    fn set_timer(&mut self, id: Id, at: Option<Instant>) {
        let Some(connection) = self.find(id) else { return };
        if let Some(before) = mem::replace(&mut connection.deadline, at) {
            self.timers.remove(&(before, id));
        }
        self.timers.extend(at.map(|at| (at, id)));
    }

    fn remove(&mut self, id: Id) {
        self.set_timer(id, None);
        if self.find(id).is_some() {
            self.entries.remove(id.slot as usize);
        }
    }
}
