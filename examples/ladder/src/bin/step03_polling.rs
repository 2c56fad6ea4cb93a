//! Polling echo: one thread asks all clients in turn.
//!
//! Bug of step 2: each client costs a thread, also while it says nothing: a stack, and a place in the scheduler.
//! See it: connect some clients to `step02_threads`, then `grep Threads /proc/$(pgrep step02)/status`.
//! Change: the sockets do not block. The program asks each of them for data, and sleeps for a millisecond after a round.
//! In Ropewalk: `src/sys/stream/calls.rs` makes the calls that return `WouldBlock`. Nothing asks in rounds.

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(1);

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    let mut clients = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                clients.push(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => eprintln!("accept: {error}"),
        }
        clients.retain_mut(|stream: &mut TcpStream| serve(stream).unwrap_or(false));
        thread::sleep(PAUSE);
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
