//! The first way: a thread for each client, with reads and writes that block.
//!
//! This is the shortest program, and the only one in which the code of a client runs from top to bottom. Each thread
//! has a stack, and the system switches between them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    service::announce(listener.local_addr()?);
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        // No thread can be started: the client is closed.
        let _ = thread::Builder::new().spawn(move || serve(&client));
    }
    Ok(())
}

/// Serves a client until its end. An error ends it as well.
fn serve(mut client: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(client);
    let mut line = String::new();
    while lines.by_ref().take(service::LONGEST as u64).read_line(&mut line)? > 0 {
        client.write_all(service::answer(line.trim_end()).as_bytes())?;
        line.clear();
    }
    Ok(())
}
