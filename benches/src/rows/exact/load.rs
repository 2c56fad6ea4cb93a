//! A deterministic load: the same in every run, including the order of operations.

use crate::servers::Work;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The work of a server in each round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Every connection sends a message, then every answer is read.
    Echo { connections: u64 },
    /// Every sender sends its lines at once, then every connection reads the lines of the others.
    Broadcast { receivers: u64, senders: u64, lines: u64 },
}

/// Bytes of a message, and of a line with its end.
const SIZE: usize = 64;

/// The limit for any step, long enough even for valgrind.
const PATIENCE: Duration = Duration::from_secs(60);

impl Task {
    pub(super) fn work(self) -> Work {
        match self {
            Self::Broadcast { .. } => Work::Broadcast,
            Self::Echo { .. } => Work::Echo,
        }
    }

    /// Returns the echoes or deliveries of a round.
    pub(super) fn units(self) -> u64 {
        match self {
            Self::Broadcast { receivers, senders, lines } => {
                senders * lines * (receivers + senders - 1)
            }
            Self::Echo { connections } => connections,
        }
    }

    pub(super) fn connections(self) -> u64 {
        match self {
            Self::Broadcast { receivers, senders, .. } => receivers + senders,
            Self::Echo { connections } => connections,
        }
    }

    /// Runs `rounds` rounds. Returns the connections, still open, once the server waits.
    pub(super) fn run(
        self,
        rounds: u64,
        address: SocketAddr,
        server: &Watched,
    ) -> io::Result<Vec<TcpStream>> {
        let mut clients = Vec::new();
        for _ in 0..self.connections() {
            clients.push(connect(address, server)?);
        }
        for _ in 0..rounds {
            self.round(&mut clients)?;
            server.settle()?;
        }
        Ok(clients)
    }

    fn round(self, clients: &mut [TcpStream]) -> io::Result<()> {
        let mut line = [b'x'; SIZE];
        line[SIZE - 1] = b'\n';
        match self {
            Self::Broadcast { senders, lines, .. } => {
                let (senders, batch) = (senders as usize, line.repeat(lines as usize));
                for sender in &mut clients[..senders] {
                    sender.write_all(&batch)?;
                }
                let mut all = vec![0; batch.len() * senders];
                for (place, client) in clients.iter_mut().enumerate() {
                    let own = if place < senders { batch.len() } else { 0 };
                    client.read_exact(&mut all[own..])?;
                }
            }
            Self::Echo { .. } => {
                for client in &mut *clients {
                    client.write_all(&line)?;
                }
                for client in clients {
                    client.read_exact(&mut line)?;
                }
            }
        }
        Ok(())
    }
}

/// Connects, and returns when the server has accepted the connection and waits. Otherwise the
/// number of waits and of reads without data would depend on timing.
fn connect(address: SocketAddr, server: &Watched) -> io::Result<TcpStream> {
    let before = server.descriptors()?;
    let client = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(PATIENCE))?;
    until(|| Ok(server.descriptors()? > before))?;
    server.settle()?;
    Ok(client)
}

/// A server's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched(pub(super) u32);

impl Watched {
    fn descriptors(self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Returns when the server waits, and so has finished its work. (A server that is stopped by
    /// strace is in another state.)
    fn settle(self) -> io::Result<()> {
        until(|| {
            let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
            let state = text.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
            Ok(state == Some('S'))
        })
    }
}

fn until(condition: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let begin = Instant::now();
    while !condition()? {
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::other("the server has not finished its work"));
        }
        thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}
