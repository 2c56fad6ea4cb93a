//! The `fan-out` load: some clients send lines, and all other clients receive them.

use super::pace::Pace;
use super::{FINISH, Load, Stretch, no_latencies, socket};
use rustix::net::{SendFlags, send};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The number of clients, and what they send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Clients that only receive. The senders receive each other's lines as well.
    pub(crate) receivers: usize,
    pub(crate) senders: usize,
    /// How many lines each sender sends at once. When every client has received all of them, they
    /// send the next.
    pub(crate) lines: usize,
    /// Clients send their names first, and each line arrives with its sender's name, as in a chat.
    pub(crate) names: bool,
}

/// Bytes of a line, including its end.
const LINE: usize = 64;

/// Bytes before a line where clients have names.
const NAME: usize = 8;

/// How many bytes are discarded at once.
const AT_ONCE: usize = 1024 * 1024;

/// How long all clients have to receive a test line before the next is sent.
const HEARING: Duration = Duration::from_millis(100);
const MEETING: usize = 100;

/// The clients of a broadcast server.
#[derive(Debug)]
pub(crate) struct FanOut {
    shape: Shape,
    /// The senders are last, since the server accepts in the order of connecting.
    clients: Vec<Client>,
    /// Clients that have not received everything.
    lacking: Vec<usize>,
    /// What each sender sends now.
    batches: Vec<Vec<u8>>,
    /// How many rounds have been sent so far.
    rounds: usize,
    buffer: Vec<u8>,
    /// What the client that is checked in this round has received.
    input: Vec<u8>,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// How many bytes of this round have not arrived yet.
    lacks: usize,
}

impl FanOut {
    /// Connects all clients, and waits until the server has accepted them.
    pub(crate) fn connect(shape: Shape, address: SocketAddr) -> io::Result<Self> {
        let count = shape.senders + shape.receivers;
        let client = |_| Ok(Client { socket: socket::connected(address)?, lacks: 0 });
        let mut new = Self {
            shape,
            clients: (0..count).map(client).collect::<io::Result<_>>()?,
            lacking: Vec::new(),
            batches: vec![Vec::new(); shape.senders],
            rounds: 0,
            buffer: vec![0; AT_ONCE],
            input: Vec::new(),
        };
        if shape.names {
            for (number, client) in new.clients.iter().enumerate() {
                send_lines(&client.socket, format!("n{number:04}\n").as_bytes())?;
            }
        }
        new.wait_until_accepted(count - 1)?;
        if shape.names {
            // The sender has not read the names of later clients; its later input follows them.
            new.wait_until_accepted(0)?;
        }
        Ok(new)
    }

    /// A line reaches only clients that the server has accepted. So one sender sends until all
    /// others have received its latest line.
    fn wait_until_accepted(&mut self, sender: usize) -> io::Result<()> {
        let mut input = vec![Vec::new(); self.clients.len()];
        let lacks_line = |(number, input): (usize, &Vec<u8>), test_line: &[u8]| {
            number != sender && !input.ends_with(test_line)
        };
        for number in 0..MEETING {
            let test_line = line(0, number);
            send_lines(&self.clients[sender].socket, &test_line)?;
            let start = Instant::now();
            while start.elapsed() < HEARING {
                for (number, input) in input.iter_mut().enumerate().filter(|&(it, _)| it != sender)
                {
                    let client = &self.clients[number];
                    let count = socket::receive(&client.socket, &mut self.buffer)?;
                    input.extend_from_slice(&self.buffer[..count]);
                }
                if !input.iter().enumerate().any(|input| lacks_line(input, &test_line)) {
                    return Ok(());
                }
            }
        }
        Err(socket::wrong("a line does not reach every client"))
    }

    /// All senders send; each client lacks what the others have sent.
    fn send(&mut self) -> io::Result<()> {
        let Shape { receivers, senders, lines, .. } = self.shape;
        let first = self.rounds * lines;
        for (sender, batch) in self.batches.iter_mut().enumerate() {
            batch.clear();
            (first..first + lines)
                .for_each(|number| batch.extend_from_slice(&line(sender, number)));
            send_lines(&self.clients[receivers + sender].socket, batch)?;
        }
        let batch = lines * self.shape.length();
        for (number, client) in self.clients.iter_mut().enumerate() {
            client.lacks = if number < receivers { senders * batch } else { (senders - 1) * batch };
        }
        self.lacking.clear();
        self.lacking.extend((0..self.clients.len()).filter(|&it| self.clients[it].lacks > 0));
        self.input.clear();
        self.rounds += 1;
        Ok(())
    }

    /// Reads for all clients that lack something. Returns how many had received something.
    fn receive(&mut self) -> io::Result<usize> {
        let listened_to = self.rounds % self.clients.len();
        let mut had = 0;
        let mut kept = 0;
        for place in 0..self.lacking.len() {
            let number = self.lacking[place];
            let client = &mut self.clients[number];
            let count = if number == listened_to {
                let count = socket::receive(&client.socket, &mut self.buffer)?;
                self.input.extend_from_slice(&self.buffer[..count]);
                count
            } else {
                socket::discard(&client.socket, &mut self.buffer)?
            };
            had += usize::from(count > 0);
            let Some(lacks) = client.lacks.checked_sub(count) else {
                return Err(socket::wrong("a client receives more than was sent"));
            };
            client.lacks = lacks;
            if lacks > 0 {
                self.lacking[kept] = number;
                kept += 1;
            }
        }
        self.lacking.truncate(kept);
        Ok(had)
    }
}

impl Load for FanOut {
    fn run(&mut self, duration: Duration) -> io::Result<Stretch> {
        let mut latencies = no_latencies()?;
        let mut count = 0;
        let mut pace = Pace::start(duration);
        loop {
            let start = pace.now();
            self.send()?;
            let mut going = true;
            while !self.lacking.is_empty() {
                let asked = self.lacking.len();
                let had = self.receive()?;
                // When all clients have everything, there is nothing to wait for.
                let asked = if self.lacking.is_empty() { 0 } else { asked };
                going = pace.turn(had, asked)?;
            }
            self.shape.check(&self.input, &self.batches)?;
            latencies.saturating_record((pace.now() - start).as_nanos() as u64);
            count += self.shape.deliveries();
            if !going {
                let bytes = count * self.shape.length() as u64;
                return Ok(pace.end(count, bytes, latencies));
            }
        }
    }
    /// All senders send once more, and the output to each client is compared.
    fn finish(&mut self) -> io::Result<()> {
        let mut pace = Pace::start(FINISH);
        self.send()?;
        for client in &mut self.clients {
            while client.lacks > 0 {
                let count = socket::receive(&client.socket, &mut self.buffer)?;
                self.input.extend_from_slice(&self.buffer[..count]);
                client.lacks = client.lacks.saturating_sub(count);
                if !pace.turn(usize::from(count > 0), 1)? {
                    return Err(socket::wrong("an answer is missing"));
                }
            }
            self.shape.check(&self.input, &self.batches)?;
            self.input.clear();
        }
        Ok(())
    }
}

impl Shape {
    /// Returns how many lines the receivers get in one round.
    fn deliveries(self) -> u64 {
        let hearers = self.receivers + self.senders - 1;
        (self.senders * self.lines * hearers) as u64
    }

    /// Returns the bytes of a line as it arrives.
    fn length(self) -> usize {
        self.before_line() + LINE
    }

    fn before_line(self) -> usize {
        if self.names { NAME } else { 0 }
    }

    /// Asserts that `input` consists of whole lines of the other clients, each sender's in order.
    /// Its length has been checked before.
    fn check(self, input: &[u8], batches: &[Vec<u8>]) -> io::Result<()> {
        let mut expected: Vec<_> = batches.iter().map(|batch| batch.chunks(LINE)).collect();
        for input in input.chunks(self.length()) {
            let (name, line) = input.split_at(self.before_line().min(input.len()));
            let sender = line.get(..4).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
            let next = sender.and_then(|it: usize| Some((it, expected.get_mut(it)?.next()?)));
            let Some((sender, _)) = next.filter(|&(_, next)| next == line) else {
                return Err(socket::wrong("a line was changed or reordered"));
            };
            if self.names && name != format!("<n{:04}> ", self.receivers + sender).as_bytes() {
                return Err(socket::wrong("a line has another client's name"));
            }
        }
        Ok(())
    }
}

/// Returns a line with its sender and its number.
fn line(sender: usize, number: usize) -> [u8; LINE] {
    let mut line = [b'.'; LINE];
    line[LINE - 1] = b'\n';
    // It has space for all digits.
    let _ = write!(&mut line[..LINE - 1], "{sender:04} {number:010} ");
    line
}

/// Sends all lines. They are few, and the other side has read what preceded them.
fn send_lines(socket: &OwnedFd, lines: &[u8]) -> io::Result<()> {
    match send(socket, lines, SendFlags::NOSIGNAL)? {
        sent if sent == lines.len() => Ok(()),
        _ => Err(io::Error::other("a socket does not accept one sender's lines")),
    }
}
