//! Timers: a silent client does not keep its connection for ever.
//!
//! Bug of step 8: a client that connects and says nothing holds a descriptor and a protocol, and many of them hold all.
//! See it: `nc 127.0.0.1 7000` and leave it alone. The second argument of this step is the limit:
//! `cargo run -p ropewalk-ladder --bin step09_timers 127.0.0.1:7000 5000` ends silent clients after 5 seconds.
//! Change: a connection has a deadline, and the set of all deadlines is in order. The wait ends at the first at the
//! latest. A timer is removed with its connection, and by id: it reaches no other. The protocol sets its
//! timer when it is made, and again with all data; so it has a second callback, `connection_made`, and a third.
//! In Ropewalk: `src/source/timer.rs`, `src/api/timer.rs`; the wait and the clock in `src/reactor/turn.rs`.

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::time::{Duration, Instant};

/// A longer line ends the connection.
const MAX_LINE: usize = 1 << 16;
/// A client that has not taken this many bytes is not read from.
const MARK: usize = 1 << 16;
/// A client is closed when its output exceeds this: others may send to it faster than it reads.
const MAX_OUTPUT: usize = 1 << 20;
const LISTENER: Id = Id { slot: u32::MAX, serial: u32::MAX };

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let limit = env::args().nth(2).unwrap_or_else(|| "60000".into());
    let idle = Duration::from_millis(limit.parse().map_err(io::Error::other)?);
    let factory = move || -> Box<dyn Protocol> { Box::new(Echo { line: Vec::new(), idle }) };
    Reactor::listen(&address, Box::new(factory))?.run()
}

/// Echoes lines. `quit` ends the connection, `say` sends to the others.
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
            [b's', b'a', b'y', b' ', text @ ..] => transport.write_to_others(text),
            line => transport.write(line),
        }
    }
}

/// What the bytes of a connection mean.
trait Protocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>);
    fn timer_fired(&mut self, transport: &mut Transport<'_>);
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
                self.table.pending.insert(connection.id);
            }
        }
    }

    /// Has `timer_fired` called after this time, in place of the time set before.
    fn set_timer(&mut self, delay: Duration) {
        self.table.set_timer(self.id, Some(Instant::now() + delay));
    }

    /// Ends the connection when all is sent.
    fn close(&mut self) {
        if let Some(connection) = self.table.find(self.id) {
            connection.closing = true;
        }
    }
}

struct Reactor {
    poll: Poll,
    listener: TcpListener,
    factory: Factory,
    protocols: HashMap<Id, Box<dyn Protocol>>,
    table: Table,
}

impl Reactor {
    fn listen(address: &str, factory: Factory) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER.token(), Interest::READABLE)?;
        Ok(Self { poll, listener, factory, protocols: HashMap::new(), table: Table::default() })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let first = self.table.timers.first();
            let limit = first.map(|(at, _)| at.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, limit) {
                // A signal, such as Ctrl-Z and fg.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            self.fire_timers();
            for event in &events {
                match Id::of(event.token()) {
                    LISTENER => self.accept()?,
                    id => {
                        self.table.note(id, event);
                        self.serve(id);
                    }
                }
            }
            for id in mem::take(&mut self.table.pending) {
                self.serve(id);
            }
        }
    }

    /// Fires the timers that are due now. What they set fires in a later turn.
    fn fire_timers(&mut self) {
        let now = Instant::now();
        while let Some(&(at, id)) = self.table.timers.first()
            && at <= now
        {
            self.table.set_timer(id, None);
            self.call(id, |protocol, transport| protocol.timer_fired(transport));
            self.serve(id);
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = self.table.next_id().token();
                    let both = Interest::READABLE | Interest::WRITABLE;
                    self.poll.registry().register(&mut stream, token, both)?;
                    let id = self.table.insert(stream);
                    self.protocols.insert(id, (self.factory)());
                    self.call(id, |protocol, transport| protocol.connection_made(transport));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    /// Sends the output, reads what the client has sent so far, and calls the protocol with it.
    fn serve(&mut self, id: Id) {
        let mut buffer = [0; 4096];
        while let Some(connection) = self.table.find(id) {
            if connection.flush().is_err() || connection.is_over() {
                return self.remove(id);
            }
            if !connection.wants_read() {
                return;
            }
            match connection.stream.read(&mut buffer) {
                Ok(0) => return self.remove(id),
                Ok(count) => self.call(id, |protocol, transport| {
                    protocol.data_received(transport, &buffer[..count]);
                }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => connection.readable = false,
                Err(_) => return self.remove(id),
            }
        }
    }

    /// Calls a protocol. All callbacks pass here.
    fn call(&mut self, id: Id, callback: impl FnOnce(&mut dyn Protocol, &mut Transport<'_>)) {
        if let Some(protocol) = self.protocols.get_mut(&id) {
            callback(protocol.as_mut(), &mut Transport { table: &mut self.table, id });
        }
    }

    fn remove(&mut self, id: Id) {
        self.table.remove(id);
        self.protocols.remove(&id);
    }
}

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

    fn wants_read(&self) -> bool {
        self.readable && !self.closing && self.output.len() < MARK
    }

    fn is_over(&self) -> bool {
        self.closing && self.output.is_empty()
    }
}

#[derive(Default)]
struct Table {
    entries: Slab<Connection>,
    next_serial: u32,
    /// To be served at the end of the turn.
    pending: HashSet<Id>,
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
