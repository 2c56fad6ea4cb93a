//! The `memory` row: the server's memory for a connection, idle and after traffic.

use super::sample::wanted;
use crate::Options;
use crate::child::Child;
use crate::servers::{SERVERS, Server, Work};
use crate::table::{Table, grouped};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Connections that exist before the first reading, so that one-time allocations of the server do
/// not count.
const WARM: usize = 100;

/// After this many connections the server must have accepted all of them, so that its backlog never
/// overflows.
const BATCH: usize = 32;

/// The length of the final echo of every connection.
const SHORT: usize = 64;
const LONG: usize = 64 * 1024;

/// A server that takes longer has lost something.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server is idle before its memory is read, since some release it a little later.
const REST: Duration = Duration::from_millis(100);

/// Resident bytes a connection.
struct Costs {
    idle: f64,
    used: f64,
}

pub(crate) fn measure(options: &Options) -> Result<Vec<Table>, Box<dyn Error>> {
    let count = if options.quick { 1_000 } else { 9_000 };
    let title =
        format!("Memory: resident bytes a connection, of {} connections", grouped(count as f64));
    let mut table = Table::new(title, &["server", "idle", "after traffic"]);
    table.notes = vec![
        format!(
            "What the server's process has grown by since it had {WARM} connections which had been \
             used, divided by the connections that came since. After traffic: each, one after the \
             other, has echoed {SHORT} bytes and then 64 KiB."
        ),
        "What the kernel holds for a socket is not in it. It is whole pages, so a few bytes are \
         rounding; what ropewalk itself allocates for an idle connection is counted by \
         `cargo run --release --example idle_memory`."
            .into(),
        "What tokio and may take after traffic is the 64 KiB which each connection of theirs reads \
         into, as the echo of a long message wants it; the system gives it when it is first filled."
            .into(),
    ];
    for server in SERVERS.iter().filter(|server| wanted(server, Work::Echo, options)) {
        match costs(server, count) {
            Ok(Costs { idle, used }) => {
                table.rows.push(vec![server.name.into(), grouped(idle), grouped(used)]);
            }
            Err(error) => {
                table.rows.push(vec![server.name.into(), "-".into(), "-".into()]);
                table.notes.push(format!("{}: {error}", server.name));
            }
        }
    }
    Ok(vec![table])
}

/// Measures each figure once, since memory varies less than time.
fn costs(server: &Server, count: usize) -> io::Result<Costs> {
    let child = Child::start(server, Work::Echo)?;
    let mut clients = Vec::with_capacity(count);
    grow(&mut clients, child.address(), WARM)?;
    use_all(&mut clients)?;
    let before = resident(&child)?;
    grow(&mut clients, child.address(), count)?;
    let a_connection = |now: f64| (now - before) / (count - WARM) as f64;
    let idle = a_connection(resident(&child)?);
    use_all(&mut clients)?;
    Ok(Costs { idle, used: a_connection(resident(&child)?) })
}

fn resident(child: &Child) -> io::Result<f64> {
    thread::sleep(REST);
    Ok(child.resident()? as f64)
}

/// Connects clients until there are `count`, all of them accepted and idle.
fn grow(clients: &mut Vec<TcpStream>, server: SocketAddr, count: usize) -> io::Result<()> {
    while clients.len() < count {
        for _ in 0..BATCH.min(count - clients.len()) {
            clients.push(connect(server)?);
        }
        // Servers accept in the order of arrival, so once this client is served, the earlier ones
        // are accepted.
        echo(&mut connect(server)?, 1)?;
    }
    Ok(())
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    Ok(client)
}

fn use_all(clients: &mut [TcpStream]) -> io::Result<()> {
    for client in clients {
        echo(client, SHORT)?;
        echo(client, LONG)?;
    }
    Ok(())
}

/// Sends `size` bytes and reads them back. The socket buffers hold the long message, so the client
/// may write all of it before it reads.
fn echo(client: &mut TcpStream, size: usize) -> io::Result<()> {
    let message = vec![b'x'; size];
    client.write_all(&message)?;
    let mut answer = vec![0; size];
    client.read_exact(&mut answer)?;
    match answer == message {
        true => Ok(()),
        false => Err(io::Error::other("the answer differs from what was sent")),
    }
}
