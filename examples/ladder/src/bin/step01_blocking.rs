//! Blocking echo: one client after the other.
//!
//! Bug before this step: there is no server.
//! See it: `cargo run -p ropewalk-ladder --bin step01_blocking`, then `nc 127.0.0.1 7000` in another terminal.
//! Type lines; `quit` ends the connection.
//! Change: accept a client, serve it until it leaves, accept the next.
//! In Ropewalk: nothing. There, no call waits for one client.

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        if let Err(error) = serve(stream) {
            eprintln!("{peer}: {error}");
        }
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
