//! The `echo` load: each client sends messages, and the next one when an echo or a digest has
//! arrived.

use super::pace::Pace;
use super::pattern::Pattern;
use super::{FINISH, Load, Stretch, no_latencies, socket};
use crate::digest;
use hdrhistogram::Histogram;
use rustix::io::ioctl_fionread;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The number of clients, and what each client does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// How many messages of each client are in flight.
    pub(crate) deep: usize,
    /// What the server answers.
    pub(crate) answer: Answer,
}

impl Shape {
    /// A load in which each message is echoed.
    pub(crate) const fn of_echoes(connections: usize, size: usize, deep: usize) -> Self {
        Self { connections, size, deep, answer: Answer::Itself }
    }

    /// A load in which each message is answered with its digest, with one message of each client in
    /// flight.
    pub(crate) const fn of_digests(connections: usize) -> Self {
        Self { connections, size: digest::SIZE, deep: 1, answer: Answer::Digest }
    }
}

/// The answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Itself,
    /// Its digest, which has a fixed size.
    Digest,
}

/// One message in this many is timed. Prime, so that the timed messages vary between the clients.
const TIMED: usize = 7;

/// One read in this many is compared; the others are only counted.
const COMPARED: usize = 60;

/// Noticing an echo (FIONREAD) is enough to send the next message, and costs a quarter of a read.
/// After this many notices all of it is read at once.
const LOOKS: usize = 7;

/// Longer answers are read as they arrive, so that the receive window stays open.
const SHORT: usize = 4 * 1024;

/// The clients of an echo server.
#[derive(Debug)]
pub(crate) struct Echo {
    shape: Shape,
    pattern: Pattern,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// Reads until the next comparison.
    until_compared: usize,
    /// How many notices precede a read.
    looks: usize,
    /// Writes until the next timed message.
    until_timed: usize,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// Bytes since the start, in both directions.
    sent: u64,
    received: u64,
    /// Bytes that have arrived and not been read, as far as noticed.
    lying: u64,
    /// Notices since the last read.
    looks: usize,
    /// How many whole messages have arrived.
    messages: u64,
    /// The number of bytes after which the timed message has arrived, and when it was sent.
    timed: Option<(u64, Instant)>,
}

impl Echo {
    /// Connects all clients.
    pub(crate) fn connect(shape: Shape, address: SocketAddr) -> io::Result<Self> {
        let at_once = shape.size * shape.deep;
        let looks = if at_once > SHORT { 0 } else { LOOKS };
        let longest = at_once * (looks + 1);
        let client = |_| {
            let socket = socket::connected(address)?;
            Ok(Client {
                socket,
                sent: 0,
                received: 0,
                lying: 0,
                looks: 0,
                messages: 0,
                timed: None,
            })
        };
        Ok(Self {
            shape,
            pattern: Pattern::new(longest)?,
            buffer: vec![0; longest],
            clients: (0..shape.connections).map(client).collect::<io::Result<_>>()?,
            until_compared: COMPARED,
            until_timed: TIMED,
            looks,
        })
    }

    /// Checks what has arrived for a client. Returns the number of new bytes.
    fn receive(&mut self, number: usize) -> io::Result<u64> {
        let client = &mut self.clients[number];
        let new = if client.looks < self.looks {
            let lying = ioctl_fionread(&client.socket)?;
            let new = lying.saturating_sub(client.lying);
            client.lying = lying;
            client.looks += usize::from(new > 0);
            new
        } else {
            self.read(number)?
        };
        let client = &mut self.clients[number];
        client.received += new;
        client.messages = client.received / self.shape.size as u64;
        if client.received > client.sent {
            return Err(socket::wrong("the answer is longer than what was sent"));
        }
        Ok(new)
    }

    /// Reads what has arrived for a client, and compares a sample. Returns the number of new bytes.
    fn read(&mut self, number: usize) -> io::Result<u64> {
        let client = &self.clients[number];
        let count = if self.until_compared == 0 {
            let count = socket::receive(&client.socket, &mut self.buffer)?;
            let offset = client.received - client.lying;
            let right = match self.shape.answer {
                Answer::Itself => self.buffer[..count] == *self.pattern.part(number, offset, count),
                Answer::Digest => self.are_digests(number, offset, count),
            };
            if !right {
                return Err(socket::wrong("the answer differs from what was sent"));
            }
            self.until_compared = COMPARED;
            count as u64
        } else {
            self.until_compared -= 1;
            socket::discard(&client.socket, &mut self.buffer)? as u64
        };
        let client = &mut self.clients[number];
        let new = count.saturating_sub(client.lying);
        client.lying = client.lying.saturating_sub(count);
        client.looks = 0;
        Ok(new)
    }

    /// Returns true if the first `count` bytes of the buffer are the client's digests from
    /// `offset`.
    fn are_digests(&self, number: usize, offset: u64, count: usize) -> bool {
        let size = digest::SIZE as u64;
        let before = (offset % size) as usize;
        let answers = (offset / size..(offset + count as u64).div_ceil(size)).flat_map(|place| {
            let (messages, _) = self.pattern.part(number, place * size, digest::SIZE).as_chunks();
            messages.iter().flat_map(digest::digest)
        });
        answers.skip(before).take(count).eq(self.buffer[..count].iter().copied())
    }

    /// Sends what a client may send now.
    fn send(&mut self, number: usize) -> io::Result<()> {
        let client = &mut self.clients[number];
        let size = self.shape.size as u64;
        let allowed = (client.messages + self.shape.deep as u64) * size;
        let length = (allowed - client.sent) as usize;
        if length == 0 {
            return Ok(());
        }
        self.until_timed = self.until_timed.saturating_sub(1);
        if self.until_timed == 0 && client.timed.is_none() {
            self.until_timed = TIMED;
            client.timed = Some((allowed, Instant::now()));
        }
        client.sent += self.pattern.send(&client.socket, number, client.sent, length)? as u64;
        Ok(())
    }

    /// Records the latency of a client's message, if it is a timed message.
    fn note_time(&mut self, number: usize, latencies: &mut Histogram<u64>) {
        let client = &mut self.clients[number];
        if let Some((end, start)) = client.timed
            && client.received >= end
        {
            latencies.saturating_record(start.elapsed().as_nanos() as u64);
            client.timed = None;
        }
    }
}

impl Load for Echo {
    fn run(&mut self, duration: Duration) -> io::Result<Stretch> {
        let mut latencies = no_latencies()?;
        let (mut count, mut bytes) = (0, 0);
        let mut pace = Pace::start(duration);
        loop {
            let mut had = 0;
            for number in 0..self.clients.len() {
                let before = self.clients[number].messages;
                let received = self.receive(number)?;
                if received > 0 {
                    had += 1;
                    bytes += received;
                    count += self.clients[number].messages - before;
                    self.note_time(number, &mut latencies);
                }
                self.send(number)?;
            }
            if had == 0 {
                // FIONREAD does not show that the server has closed, so read.
                let looks = self.looks;
                self.clients.iter_mut().for_each(|client| client.looks = looks);
            }
            if !pace.turn(had, self.clients.len())? {
                return Ok(pace.end(count, bytes, latencies));
            }
        }
    }

    /// Compares the last bytes of every client as well.
    fn finish(&mut self) -> io::Result<()> {
        let mut pace = Pace::start(FINISH);
        let mut waiting = true;
        while waiting {
            waiting = false;
            let mut had = 0;
            for number in 0..self.clients.len() {
                // Reads and compares the rest.
                self.clients[number].looks = self.looks;
                self.until_compared = 0;
                had += usize::from(self.receive(number)? > 0);
                let client = &self.clients[number];
                waiting |= client.received < client.sent || client.lying > 0;
            }
            if waiting && !pace.turn(had, self.clients.len())? {
                return Err(socket::wrong("an answer is missing"));
            }
        }
        Ok(())
    }
}
