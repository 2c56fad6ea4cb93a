//! Protocols and factories: one object for each connection.
//!
//! Bug of step 5: a read is taken for a message. TCP is a stream, and may deliver `quit` in two parts. The loop
//! remembers sockets, and not what a client has sent before.
//! See it: `(printf qu; sleep 1; printf 'it\n'; sleep 9) | nc 127.0.0.1 7000`. The connection stays for nine seconds.
//! Change: what the bytes mean is the matter of a protocol, which collects lines. A factory makes one for each
//! connection. The loop knows no command any more.
//! In Ropewalk: `src/api/protocol.rs`, `src/api/factory.rs`, `src/api/transport.rs`.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;

const LISTENER: Id = Id { slot: u32::MAX, serial: u32::MAX };

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let factory = || -> Box<dyn Protocol> { Box::new(Echo { line: Vec::new() }) };
    Reactor::listen(&address, Box::new(factory))?.run()
}

/// Echoes lines. `quit` ends the connection.
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

/// What a protocol may do with its connection.
struct Transport<'a> {
    stream: &'a mut TcpStream,
    closing: bool,
}

impl Transport<'_> {
    fn write(&mut self, data: &[u8]) {
        if !self.closing && self.stream.write_all(data).is_err() {
            self.close();
        }
    }

    /// Ends the connection after this callback.
    fn close(&mut self) {
        self.closing = true;
    }
}

struct Reactor {
    poll: Poll,
    listener: TcpListener,
    factory: Factory,
    table: Table,
}

impl Reactor {
    fn listen(address: &str, factory: Factory) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER.token(), Interest::READABLE)?;
        Ok(Self { poll, listener, factory, table: Table::default() })
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
                    self.table.insert(stream, (self.factory)());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    fn serve(&mut self, id: Id) {
        let Some(connection) = self.table.find(id) else { return };
        if !serve(connection).unwrap_or(false) {
            self.table.remove(id);
        }
    }
}

/// Reads what the client has sent so far, and calls the protocol with it. Returns true if the client stays.
fn serve(connection: &mut Connection) -> io::Result<bool> {
    let Connection { stream, protocol, .. } = connection;
    let mut buffer = [0; 4096];
    loop {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            result => result?,
        };
        if count == 0 {
            return Ok(false);
        }
        let mut transport = Transport { stream, closing: false };
        protocol.data_received(&mut transport, &buffer[..count]);
        if transport.closing {
            return Ok(false);
        }
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
    protocol: Box<dyn Protocol>,
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

    fn insert(&mut self, stream: TcpStream, protocol: Box<dyn Protocol>) {
        let id = self.next_id();
        self.next_serial += 1;
        self.entries.insert(Connection { id, stream, protocol });
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
