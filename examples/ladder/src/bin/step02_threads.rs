//! Threaded echo: one thread for each client.
//!
//! Bug of step 1: the second client waits until the first leaves.
//! See it: run `step01_blocking` and `nc 127.0.0.1 7000` in two terminals. The second receives no answer.
//! Change: the client gets a thread, and the listener accepts the next at once. Python's `ThreadingTCPServer` works so.
//! In Ropewalk: nothing. One thread serves all clients; for more processors, `src/reactor/group/` runs a few reactors.

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Echoes until the client ends its side or says `quit`.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        let data = &buffer[..count];
        if data.is_empty() || data == b"quit\n" {
            return Ok(());
        }
        stream.write_all(data)?;
    }
}
