//! The `connect` load: clients that connect, receive one echo, and close.

use super::pace::Pace;
use super::pattern::Pattern;
use super::{FINISH, Load, Stretch, no_latencies, socket};
use rustix::net::{bind, connect, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

/// The number of clients at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
}

/// Bytes of the message.
const MESSAGE: usize = 64;

/// Ports that clients bind to: below the ephemeral ports of Linux (ip(7), `ip_local_port_range`).
/// Linux does not assign a port that was bound explicitly while a connection of it is in TIME_WAIT,
/// so ephemeral ports would soon run out for other programs.
const PORTS: Range<u16> = 20_000..32_000;

/// Short-lived clients of an echo server.
#[derive(Debug)]
pub(crate) struct Connect {
    address: SocketAddr,
    pattern: Pattern,
    clients: Vec<Client>,
    origins: Origins,
    /// How many clients have connected so far.
    come: usize,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// The client's number, which determines its message.
    number: usize,
    received: usize,
    since: Instant,
}

impl Connect {
    /// Connects the first clients.
    pub(crate) fn new(shape: Shape, address: SocketAddr) -> io::Result<Self> {
        let mut new = Self {
            address,
            pattern: Pattern::new(MESSAGE + 1)?,
            clients: Vec::new(),
            origins: Origins::somewhere(),
            come: 0,
        };
        for _ in 0..shape.connections {
            let client = new.come(Instant::now())?;
            new.clients.push(client);
        }
        Ok(new)
    }

    /// Connects a client, and sends its message.
    fn come(&mut self, now: Instant) -> io::Result<Client> {
        let number = self.come;
        self.come += 1;
        let socket = socket::new(self.address)?;
        if let IpAddr::V4(ip) = self.address.ip()
            && ip.is_loopback()
        {
            self.origins.bind(&socket)?;
        }
        connect(&socket, &self.address)?;
        if self.pattern.send(&socket, number, 0, MESSAGE)? < MESSAGE {
            return Err(io::Error::other("an empty socket does not accept a message"));
        }
        Ok(Client { socket, number, received: 0, since: now })
    }

    /// Reads the echo of one client. Returns true if it is complete.
    fn receive(&mut self, place: usize) -> io::Result<bool> {
        let client = &mut self.clients[place];
        // One byte longer than the echo, so that an extra byte is noticed.
        let mut buffer = [0; MESSAGE + 1];
        let room = &mut buffer[client.received..];
        let count = socket::receive(&client.socket, room)?;
        if room[..count] != *self.pattern.part(client.number, client.received as u64, count) {
            return Err(socket::wrong("the answer differs from what was sent"));
        }
        client.received += count;
        match client.received {
            0..MESSAGE => Ok(false),
            MESSAGE => Ok(true),
            _ => Err(socket::wrong("the answer is longer than what was sent")),
        }
    }
}

impl Load for Connect {
    fn run(&mut self, duration: Duration) -> io::Result<Stretch> {
        let mut latencies = no_latencies()?;
        let mut count = 0;
        let mut pace = Pace::start(duration);
        loop {
            let mut had = 0;
            for place in 0..self.clients.len() {
                if self.receive(place)? {
                    had += 1;
                    let now = Instant::now();
                    let took = now - self.clients[place].since;
                    latencies.saturating_record(took.as_nanos() as u64);
                    // Drops the client that is replaced.
                    self.clients[place] = self.come(now)?;
                }
            }
            count += had as u64;
            if !pace.turn(had, self.clients.len())? {
                let bytes = count * MESSAGE as u64;
                return Ok(pace.end(count, bytes, latencies));
            }
        }
    }
    fn finish(&mut self) -> io::Result<()> {
        let mut pace = Pace::start(FINISH);
        while !self.clients.is_empty() {
            let before = self.clients.len();
            for place in (0..before).rev() {
                if self.receive(place)? {
                    self.clients.swap_remove(place);
                }
            }
            if !pace.turn(before - self.clients.len(), before)? {
                return Err(socket::wrong("an answer is missing"));
            }
        }
        Ok(())
    }
}

/// Local addresses of the clients, in sequence.
///
/// An orderly close leaves the side that closed first, here the client, in TIME_WAIT for a minute,
/// which keeps its port in use. The ports of one address would last a second, so the clients use
/// all of 127.0.0.0/8.
#[derive(Debug)]
struct Origins {
    ip: Ipv4Addr,
    ports: Range<u16>,
}

impl Origins {
    /// Begins at a random address, so that two runs within a minute do not collide.
    fn somewhere() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let [.., second, third] = now.subsec_micros().to_be_bytes();
        Self { ip: Ipv4Addr::new(127, second.max(1), third, 1), ports: PORTS }
    }

    /// Binds `socket` to the next address.
    fn bind(&mut self, socket: &OwnedFd) -> io::Result<()> {
        let port = match self.ports.next() {
            Some(port) => port,
            None => {
                self.ip = Ipv4Addr::from(u32::from(self.ip).wrapping_add(1));
                // The first octet is fixed, so the others remain.
                self.ports = PORTS.start + 1..PORTS.end;
                PORTS.start
            }
        };
        sockopt::set_socket_reuseaddr(socket, true)?;
        Ok(bind(socket, &SocketAddrV4::new(self.ip, port))?)
    }
}
