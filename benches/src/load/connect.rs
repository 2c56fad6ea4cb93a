//! Connect: clients that come, have one message echoed, and go.

use super::pace::Pace;
use super::pattern::Pattern;
use super::{FINISH, Load, Stretch, no_latencies, socket};
use rustix::net::{bind, connect, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

/// How many clients are there at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
}

/// Bytes of the one message.
const MESSAGE: usize = 64;

/// Ports that a client may come from: below those that Linux gives to clients by itself (ip(7),
/// `ip_local_port_range`). For a port that somebody has asked for by number it gives to nobody, as
/// long as a trace of that is left, and soon no other program could connect.
const PORTS: Range<u16> = 20_000..32_000;

/// Clients of an echo server, of whom none stays.
#[derive(Debug)]
pub(crate) struct Connect {
    address: SocketAddr,
    pattern: Pattern,
    clients: Vec<Client>,
    origins: Origins,
    /// How many have come so far.
    come: usize,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// The how manieth it is, which decides what it sends.
    number: usize,
    received: usize,
    since: Instant,
}

impl Connect {
    /// Connects the first of them.
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

    /// A client comes and sends its message.
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
            return Err(io::Error::other("a message does not fit into an empty socket"));
        }
        Ok(Client { socket, number, received: 0, since: now })
    }

    /// Reads what has come back to one of them; says whether it is all.
    fn receive(&mut self, place: usize) -> io::Result<bool> {
        let client = &mut self.clients[place];
        // It has room for one byte too many, which would be noticed.
        let mut buffer = [0; MESSAGE + 1];
        let room = &mut buffer[client.received..];
        let count = socket::receive(&client.socket, room)?;
        if room[..count] != *self.pattern.part(client.number, client.received as u64, count) {
            return Err(socket::wrong("other bytes come back than were sent"));
        }
        client.received += count;
        match client.received {
            0..MESSAGE => Ok(false),
            MESSAGE => Ok(true),
            _ => Err(socket::wrong("more bytes come back than were sent")),
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
                    // The one whose place is taken goes.
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
                return Err(socket::wrong("something that was sent does not come back"));
            }
        }
        Ok(())
    }
}

/// Addresses that clients come from, one after the other.
///
/// A connection that ends in order leaves a trace for a minute on the side that ended it, which is
/// ours, and keeps its port from being used again. The ports of one address would last a second; so
/// the clients come from all over the loopback network, 127.0.0.0/8.
#[derive(Debug)]
struct Origins {
    ip: Ipv4Addr,
    ports: Range<u16>,
}

impl Origins {
    /// Begins somewhere, so that two runs in the same minute do not meet.
    fn somewhere() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let [.., second, third] = now.subsec_micros().to_be_bytes();
        Self { ip: Ipv4Addr::new(127, second.max(1), third, 1), ports: PORTS }
    }

    /// Gives `socket` the next address.
    fn bind(&mut self, socket: &OwnedFd) -> io::Result<()> {
        let port = match self.ports.next() {
            Some(port) => port,
            None => {
                self.ip = Ipv4Addr::from(u32::from(self.ip).wrapping_add(1));
                // The first one is given here, so the rest is left.
                self.ports = PORTS.start + 1..PORTS.end;
                PORTS.start
            }
        };
        sockopt::set_socket_reuseaddr(socket, true)?;
        Ok(bind(socket, &SocketAddrV4::new(self.ip, port))?)
    }
}
