//! Table of connections: each has an id of its own.
//!
//! Bug of step 4: the place in the list names the client. One leaves, the others move up, and the kernel still reports
//! them by the old place.
//! See it: connect three clients to `step04_epoll`, let the first leave, type into the third. No answer.
//! Change: a slab, in which no entry moves. A free slot is used again, so the id has a serial too, which is not: an
//! event for a closed connection finds nothing, in place of the next connection in its slot.
//! In Ropewalk: `src/values/id.rs` and `src/source/table.rs`.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::env;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Id = Id { slot: u32::MAX, serial: u32::MAX };

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    Reactor::listen(&address)?.run()
}

struct Reactor {
    poll: Poll,
    listener: TcpListener,
    table: Table,
}

impl Reactor {
    fn listen(address: &str) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER.token(), Interest::READABLE)?;
        Ok(Self { poll, listener, table: Table::default() })
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
                    self.table.insert(stream);
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
        if !serve(&mut connection.stream).unwrap_or(false) {
            self.table.remove(id);
        }
    }
}

/// Echoes what the client has sent so far. Returns true if the client stays.
fn serve(stream: &mut TcpStream) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            result => result?,
        };
        let data = &buffer[..count];
        if data.is_empty() || data == b"quit\n" {
            return Ok(false);
        }
        stream.write_all(data)?;
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

    fn insert(&mut self, stream: TcpStream) {
        let id = self.next_id();
        self.next_serial += 1;
        self.entries.insert(Connection { id, stream });
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
