//! The second way: a process for each client, which has the connection as its standard input and output.
//!
//! What one client does cannot harm another: each has its own memory, and can have its own user and limits. A
//! process costs most of all ways, to start and to keep.

use std::io::{self, BufRead, BufReader, Read, Write, stdin, stdout};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    service::announce(listener.local_addr()?);
    let mut children: Vec<Child> = Vec::new();
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let mut command = Command::new(std::env::current_exe()?);
        let copy = OwnedFd::from(client.try_clone()?);
        command.arg("serve").stdin(copy).stdout(OwnedFd::from(client)).stderr(Stdio::null());
        // No process can be started: the client is closed.
        children.extend(command.spawn());
        // Those that have ended are reaped.
        children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }
    Ok(())
}

/// Serves one client, as if at a terminal.
fn serve() -> io::Result<()> {
    let mut lines = BufReader::new(stdin());
    let mut line = String::new();
    while lines.by_ref().take(service::LONGEST as u64).read_line(&mut line)? > 0 {
        stdout().write_all(service::answer(line.trim_end()).as_bytes())?;
        stdout().flush()?;
        line.clear();
    }
    Ok(())
}
