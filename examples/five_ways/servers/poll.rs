//! The third way: one thread, and a loop that polls all sockets.
//!
//! All that a reactor does is written out here, for this one service: which socket is ready, what was read and is no
//! line yet, what was not written yet. An error in any of it concerns all clients.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Token = Token(usize::MAX);

/// How much may wait for a client that does not read. More ends it.
const WAITING: usize = 64 * 1024;

struct Client {
    socket: TcpStream,
    /// Received, and no whole line yet.
    input: Vec<u8>,
    /// Not written yet.
    output: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    service::announce(listener.local_addr()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut clients, mut events) = (Slab::<Client>::new(), Events::with_capacity(1024));
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut clients)?;
            } else if let Some(client) = clients.get_mut(event.token().0) {
                // Events are reported once: each must be served until nothing is left.
                if client.serve().is_err() {
                    clients.remove(event.token().0);
                }
            }
        }
    }
}

fn accept(poll: &Poll, listener: &TcpListener, clients: &mut Slab<Client>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                let entry = clients.vacant_entry();
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut socket, Token(entry.key()), interest)?;
                entry.insert(Client { socket, input: Vec::new(), output: Vec::new() });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Client {
    /// Writes and reads until the socket would block. An error, or the end, removes the client.
    fn serve(&mut self) -> io::Result<()> {
        self.write()?;
        loop {
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.answer(&buffer[..count])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&mut self, data: &[u8]) -> io::Result<()> {
        self.input.extend_from_slice(data);
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let answer = service::answer(String::from_utf8_lossy(&line[..end]).trim_end());
            self.output.extend_from_slice(answer.as_bytes());
        }
        if self.input.len() > service::LONGEST || self.output.len() > WAITING {
            return Err(ErrorKind::InvalidData.into());
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
