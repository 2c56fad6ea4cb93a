//! Event-driven echo: the kernel says which sockets are ready.
//!
//! Bug of step 3: an idle server works. It wakes a thousand times a second, and each round makes a call for each client.
//! See it: `strace -c -p $(pgrep step03)` for a second, while clients are connected and say nothing.
//! Change: epoll(7), by mio, waits for all sockets at once. It is edge-triggered: it reports a change, and reports it
//! once. So `accept` and `serve` go on until `WouldBlock`; what they leave would not be reported again.
//! In Ropewalk: `src/sys/poll.rs` waits, `src/reactor/turn.rs` takes the events.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::env;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    Reactor::listen(&address)?.run()
}

struct Reactor {
    poll: Poll,
    listener: TcpListener,
    clients: Vec<TcpStream>,
}

impl Reactor {
    fn listen(address: &str) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, clients: Vec::new() })
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
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => self.serve(index),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = Token(self.clients.len());
                    self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    self.clients.push(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    fn serve(&mut self, index: usize) {
        let Some(stream) = self.clients.get_mut(index) else { return };
        if !serve(stream).unwrap_or(false) {
            self.clients.remove(index);
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
