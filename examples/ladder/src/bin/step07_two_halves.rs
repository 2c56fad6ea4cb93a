//! Two halves: the connections, which a protocol may use, and the protocols.
//!
//! Bug of step 6: a protocol reaches its own connection only. If it is called with `&mut` access to itself, it cannot
//! have access to the table as well, which it is a part of.
//! See it: connect two clients to `step06_protocols` and type `say hello` into the first. The second sees nothing.
//! Change: the protocols move out of the table. A callback borrows its own protocol from one half and the whole other
//! half, and the compiler checks that no callback runs inside another.
//! In Ropewalk: `src/api/context.rs` is the half that callbacks use, `src/reactor/owners.rs` is the other, and
//! `src/reactor/call.rs` makes the calls.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::HashMap;
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;

const LISTENER: Id = Id { slot: u32::MAX, serial: u32::MAX };

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let factory = || -> Box<dyn Protocol> { Box::new(Echo { line: Vec::new() }) };
    Reactor::listen(&address, Box::new(factory))?.run()
}

/// Echoes lines. `quit` ends the connection, `say` sends to the others.
struct Echo {
    line: Vec<u8>,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        for part in data.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line_received(transport);
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
            }
        }
    }

    /// Ends the connection after this callback.
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
            match self.poll.poll(&mut events, None) {
                // A signal, such as Ctrl-Z and fg.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            for event in &events {
                match Id::of(event.token()) {
                    LISTENER => self.accept()?,
                    id => self.serve(id),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = self.table.next_id().token();
                    self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    let id = self.table.insert(stream);
                    self.protocols.insert(id, (self.factory)());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    /// Reads what the client has sent so far, and calls the protocol with it.
    fn serve(&mut self, id: Id) {
        let mut buffer = [0; 4096];
        while let Some(connection) = self.table.find(id) {
            if connection.closing {
                return self.remove(id);
            }
            match connection.stream.read(&mut buffer) {
                Ok(0) => return self.remove(id),
                Ok(count) => self.call(id, |protocol, transport| {
                    protocol.data_received(transport, &buffer[..count]);
                }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
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
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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
}

impl Connection {
    fn write(&mut self, data: &[u8]) {
        if !self.closing && self.stream.write_all(data).is_err() {
            self.closing = true;
        }
    }
}

#[derive(Default)]
struct Table {
    entries: Slab<Connection>,
    next_serial: u32,
}

impl Table {
    fn next_id(&self) -> Id {
        Id { slot: self.entries.vacant_key() as u32, serial: self.next_serial }
    }

    fn insert(&mut self, stream: TcpStream) -> Id {
        let id = self.next_id();
        self.next_serial += 1;
        self.entries.insert(Connection { id, stream, closing: false });
        id
    }

    /// Returns nothing if the connection is closed, even if its slot is in use again.
    fn find(&mut self, id: Id) -> Option<&mut Connection> {
        self.entries.get_mut(id.slot as usize).filter(|connection| connection.id == id)
    }

    fn remove(&mut self, id: Id) {
        if self.find(id).is_some() {
            self.entries.remove(id.slot as usize);
        }
    }
}
