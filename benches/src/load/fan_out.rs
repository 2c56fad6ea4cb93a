//! Fan-out: some clients send lines, and all others get them.

use super::pace::Pace;
use super::{FINISH, Load, Stretch, no_latencies, socket};
use rustix::net::{SendFlags, send};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How many clients, and what they send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Those that only listen. The senders hear each other, too.
    pub(crate) receivers: usize,
    pub(crate) senders: usize,
    /// How many lines each sender sends at once. When everybody has everybody's, they send the next.
    pub(crate) lines: usize,
    /// Whether clients say their names first, and each line comes behind its speaker's, as in a chat.
    pub(crate) names: bool,
}

/// Bytes of a line, with its end.
const LINE: usize = 64;

/// Bytes of what stands before it where clients have names.
const NAME: usize = 8;

/// So many bytes at once are thrown away.
const AT_ONCE: usize = 1024 * 1024;

/// How long everybody has to hear a line of the meeting, and how many lines are tried.
const HEARING: Duration = Duration::from_millis(100);
const MEETING: usize = 100;

/// The clients of a broadcast server.
#[derive(Debug)]
pub(crate) struct FanOut {
    shape: Shape,
    /// The senders last: who connects late is accepted late.
    clients: Vec<Client>,
    /// Those that have not got everything yet.
    lacking: Vec<usize>,
    /// What each sender sends now.
    batches: Vec<Vec<u8>>,
    /// How many times all have sent so far.
    rounds: usize,
    buffer: Vec<u8>,
    /// What the client that is listened to in this round has got.
    heard: Vec<u8>,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// How many bytes of this round have not come yet.
    lacks: usize,
}

impl FanOut {
    /// Connects them all, and makes sure that the server knows them.
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
            heard: Vec::new(),
        };
        if shape.names {
            for (number, client) in new.clients.iter().enumerate() {
                say(&client.socket, format!("n{number:04}\n").as_bytes())?;
            }
        }
        new.meet(count - 1)?;
        if shape.names {
            // The speaker has not read the names of those that joined; what it hears now comes after that.
            new.meet(0)?;
        }
        Ok(new)
    }

    /// A line reaches only those whom the server has accepted by then. So one sender says something
    /// until all others have heard its latest line.
    fn meet(&mut self, speaker: usize) -> io::Result<()> {
        let mut heard = vec![Vec::new(); self.clients.len()];
        let is_lacking = |(number, heard): (usize, &Vec<u8>), said: &[u8]| {
            number != speaker && !heard.ends_with(said)
        };
        for number in 0..MEETING {
            let said = line(0, number);
            say(&self.clients[speaker].socket, &said)?;
            let start = Instant::now();
            while start.elapsed() < HEARING {
                for (number, heard) in heard.iter_mut().enumerate().filter(|&(it, _)| it != speaker)
                {
                    let client = &self.clients[number];
                    let count = socket::receive(&client.socket, &mut self.buffer)?;
                    heard.extend_from_slice(&self.buffer[..count]);
                }
                if !heard.iter().enumerate().any(|heard| is_lacking(heard, &said)) {
                    return Ok(());
                }
            }
        }
        Err(socket::wrong("a line does not reach everybody"))
    }

    /// Everybody sends; everybody lacks what the others have sent.
    fn send(&mut self) -> io::Result<()> {
        let Shape { receivers, senders, lines, .. } = self.shape;
        let first = self.rounds * lines;
        for (sender, batch) in self.batches.iter_mut().enumerate() {
            batch.clear();
            (first..first + lines)
                .for_each(|number| batch.extend_from_slice(&line(sender, number)));
            say(&self.clients[receivers + sender].socket, batch)?;
        }
        let batch = lines * self.shape.length();
        for (number, client) in self.clients.iter_mut().enumerate() {
            client.lacks = if number < receivers { senders * batch } else { (senders - 1) * batch };
        }
        self.lacking.clear();
        self.lacking.extend((0..self.clients.len()).filter(|&it| self.clients[it].lacks > 0));
        self.heard.clear();
        self.rounds += 1;
        Ok(())
    }

    /// Reads what all those have got who lack something. How many had got something.
    fn receive(&mut self) -> io::Result<usize> {
        let listened_to = self.rounds % self.clients.len();
        let mut had = 0;
        let mut kept = 0;
        for place in 0..self.lacking.len() {
            let number = self.lacking[place];
            let client = &mut self.clients[number];
            let count = if number == listened_to {
                let count = socket::receive(&client.socket, &mut self.buffer)?;
                self.heard.extend_from_slice(&self.buffer[..count]);
                count
            } else {
                socket::discard(&client.socket, &mut self.buffer)?
            };
            had += usize::from(count > 0);
            let Some(lacks) = client.lacks.checked_sub(count) else {
                return Err(socket::wrong("somebody gets more than was sent"));
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
                // When all have all there is nothing to wait for.
                let asked = if self.lacking.is_empty() { 0 } else { asked };
                going = pace.turn(had, asked)?;
            }
            self.shape.check(&self.heard, &self.batches)?;
            latencies.saturating_record((pace.now() - start).as_nanos() as u64);
            count += self.shape.deliveries();
            if !going {
                let bytes = count * self.shape.length() as u64;
                return Ok(pace.end(count, bytes, latencies));
            }
        }
    }
    /// Everybody sends once more, and what each client gets of that is compared.
    fn finish(&mut self) -> io::Result<()> {
        let mut pace = Pace::start(FINISH);
        self.send()?;
        for client in &mut self.clients {
            while client.lacks > 0 {
                let count = socket::receive(&client.socket, &mut self.buffer)?;
                self.heard.extend_from_slice(&self.buffer[..count]);
                client.lacks = client.lacks.saturating_sub(count);
                if !pace.turn(usize::from(count > 0), 1)? {
                    return Err(socket::wrong("something that was sent does not come back"));
                }
            }
            self.shape.check(&self.heard, &self.batches)?;
            self.heard.clear();
        }
        Ok(())
    }
}

impl Shape {
    /// How many lines a listener receives when all have sent once.
    fn deliveries(self) -> u64 {
        let hearers = self.receivers + self.senders - 1;
        (self.senders * self.lines * hearers) as u64
    }

    /// Bytes of a line as it comes.
    fn length(self) -> usize {
        self.before_line() + LINE
    }

    fn before_line(self) -> usize {
        if self.names { NAME } else { 0 }
    }

    /// Whether what a listener has `heard` are the lines of the others, whole, and each sender's in order.
    /// That it is as much as it must be has been counted.
    fn check(self, heard: &[u8], batches: &[Vec<u8>]) -> io::Result<()> {
        let mut expected: Vec<_> = batches.iter().map(|batch| batch.chunks(LINE)).collect();
        for heard in heard.chunks(self.length()) {
            let (name, line) = heard.split_at(self.before_line().min(heard.len()));
            let sender = line.get(..4).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
            let next = sender.and_then(|it: usize| Some((it, expected.get_mut(it)?.next()?)));
            let Some((sender, _)) = next.filter(|&(_, next)| next == line) else {
                return Err(socket::wrong("a line is not as it was sent, or not in its order"));
            };
            if self.names && name != format!("<n{:04}> ", self.receivers + sender).as_bytes() {
                return Err(socket::wrong("a line comes behind another's name"));
            }
        }
        Ok(())
    }
}

/// A line of a sender: it tells who sent it, and which it is.
fn line(sender: usize, number: usize) -> [u8; LINE] {
    let mut line = [b'.'; LINE];
    line[LINE - 1] = b'\n';
    // It has room for all digits that there can be.
    let _ = write!(&mut line[..LINE - 1], "{sender:04} {number:010} ");
    line
}

/// Sends all of it: it is little, and the other side has read what came before.
fn say(socket: &OwnedFd, lines: &[u8]) -> io::Result<()> {
    match send(socket, lines, SendFlags::NOSIGNAL)? {
        sent if sent == lines.len() => Ok(()),
        _ => Err(io::Error::other("the lines of one sender do not fit into its socket")),
    }
}
