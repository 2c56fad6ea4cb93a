//! Filtered connections under every fault: what arrives is a prefix of what was sent, a clean end means that all of it
//! arrived, and every connection ends.

use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, ListenOptions, Protocol, Reactor, Reason,
    Transport,
};
use ropewalk::{Filter, FilterLink};
use ropewalk_simulation::kit::ToyCipher;
use ropewalk_simulation::{Exploration, FaultKind, NodeId, Plan, Random, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const NODES: u32 = 3;

/// The time in which all connections have to end: longer than the system retransmits.
const SETTLED: Duration = Duration::from_secs(1500);

/// The time that a server waits for a client that may have crashed.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a client has sent, by the number of its connection.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    bytes: usize,
    /// True if it has closed, or ended its side, after the last byte.
    ended: bool,
}

/// The counts of a run, shared by its connections.
#[derive(Clone, Default)]
struct Books(Rc<Pages>);

#[derive(Default)]
struct Pages {
    sent: RefCell<BTreeMap<u64, Sent>>,
    next: Cell<u64>,
    calm: Cell<bool>,
    failure: RefCell<Option<String>>,
    /// How many connections have ended completely, how many were truncated, and how many attempts failed in the
    /// handshake.
    clean: Cell<u64>,
    truncated: Cell<u64>,
    refused: Cell<u64>,
}

impl std::ops::Deref for Books {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.0
    }
}

impl Books {
    fn fail(&self, why: String) {
        self.failure.borrow_mut().get_or_insert(why);
    }

    fn check(&self) -> Result<(), String> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }
}

/// The bytes of a connection: its number first.
fn byte(number: u64, place: usize) -> u8 {
    match place {
        0..8 => number.to_be_bytes()[place],
        _ => (number as usize * 31 + place % 251) as u8 ^ (place / 251) as u8,
    }
}

/// Sends pieces at random times, and ends in a random way.
struct Client {
    books: Books,
    number: u64,
    pieces: u64,
    /// True if it ends without a goodbye.
    cut: bool,
    random: Random,
}

impl Client {
    fn go_on(mut self, context: &mut Context, id: Id) {
        if context.transport(id).is_closing() {
            return;
        }
        let books = self.books.clone();
        let mut sent = books.sent.borrow_mut();
        let sent = sent.entry(self.number).or_default();
        if self.pieces == 0 {
            match self.random.below(4) {
                0 => return context.abort(id),
                1 => context.transport(id).write_eof(),
                _ => context.close(id),
            }
            sent.ended = !self.cut;
            return context.transport(id).close_within(PATIENCE);
        }
        self.pieces -= 1;
        let length = match self.random.below(10) {
            0 => self.random.below(200_000) as usize,
            _ => self.random.below(3000) as usize + 8,
        };
        let place = sent.bytes;
        let piece: Vec<u8> = (place..place + length).map(|at| byte(self.number, at)).collect();
        sent.bytes += length;
        context.transport(id).write(&piece);
        let delay = self.random.duration(Duration::ZERO, Duration::from_millis(800));
        context.call_later(delay, move |context| self.go_on(context, id));
    }
}

/// A cipher that sends no goodbye.
struct Cut(ToyCipher);

impl Filter for Cut {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.0.start(link)
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.0.decode(input, link)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        self.0.encode(plaintext, link)
    }

    fn eof(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.0.eof(link)
    }
}

struct Connecting(Option<Client>);

impl Factory for Connecting {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let client = self.0.take()?;
        Some(Box::new(Reading::of(&client.books.clone(), Some(client))))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        if let Some(client) = &self.0 {
            client.books.refused.set(client.books.refused.get() + 1);
        }
    }
}

/// A server, which echoes; or a client, which compares the echo with the bytes that it has sent.
struct Reading {
    books: Books,
    client: Option<Client>,
    number: Option<u64>,
    received: Vec<u8>,
    serves: bool,
    lost: bool,
}

impl Reading {
    fn of(books: &Books, client: Option<Client>) -> Self {
        let number = client.as_ref().map(|client| client.number);
        let serves = client.is_none();
        Self { books: books.clone(), client, number, received: Vec::new(), serves, lost: false }
    }

    fn sent(&self) -> Sent {
        let number = self.number.unwrap_or(u64::MAX);
        self.books.sent.borrow().get(&number).copied().unwrap_or_default()
    }
}

impl Protocol for Reading {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let id = transport.id();
        match self.client.take() {
            Some(client) => client.go_on(transport.context(), id),
            None => {
                transport.context().call_later(PATIENCE, move |context| context.abort(id));
            }
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let start = self.received.len();
        self.received.extend_from_slice(data);
        if self.number.is_none() {
            let first = self.received.first_chunk::<8>();
            self.number = first.map(|bytes| u64::from_be_bytes(*bytes));
        }
        if self.serves {
            transport.write(data);
        }
        if let Some(number) = self.number {
            let differs =
                (start..self.received.len()).find(|&at| self.received[at] != byte(number, at));
            if let Some(at) = differs {
                self.books.fail(format!("byte {at} of connection {number} differs"));
            }
        }
        if self.received.len() > self.sent().bytes && self.number.is_some() {
            self.books.fail(format!("{:?} received more than was sent", self.number));
        }
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        let sent = self.sent();
        // A client closes without waiting for all that comes back.
        if self.serves
            && self.number.is_some()
            && (!sent.ended || self.received.len() != sent.bytes)
        {
            let received = self.received.len();
            self.books
                .fail(format!("a clean end of {:?} after {received} of {sent:?}", self.number));
        }
        self.books.clean.set(self.books.clean.get() + 1);
        transport.close();
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        if self.lost {
            self.books.fail("lost twice".to_owned());
        }
        self.lost = true;
        if let Reason::Truncated = reason {
            self.books.truncated.set(self.books.truncated.get() + 1);
        }
        if let Reason::Failed(error) = reason
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.books.fail(format!("the cipher failed: {error}"));
        }
    }
}

struct Serving(Books);

impl Factory for Serving {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Reading::of(&self.0, None)))
    }

    fn handshake_failed(&mut self, _context: &mut Context, _peer: &Address, _error: Error) {
        self.0.refused.set(self.0.refused.get() + 1);
    }
}

fn roam(context: &mut Context, books: &Books, mut random: Random) {
    if books.calm.get() {
        return;
    }
    let number = books.next.replace(books.next.get() + 1);
    let pieces = random.below(12);
    let drawn = Random::new(random.below(u64::MAX));
    let kind = random.below(10);
    let cut = matches!(kind, 2 | 3);
    let client = Client { books: books.clone(), number, pieces, cut, random: drawn };
    let node = format!("node{}:7000", random.below(u64::from(NODES)));
    // One in ten has another key, one in ten never begins the handshake, and one in five ends without a goodbye.
    let options = match kind {
        0 => ConnectOptions::new().filter(|| ToyCipher::client(8)),
        1 => ConnectOptions::new().filter(|| ToyCipher::server(7)),
        2 | 3 => ConnectOptions::new().filter(|| Cut(ToyCipher::client(7))),
        _ => ConnectOptions::new().filter(|| ToyCipher::client(7)),
    };
    let _ = options.connect_tcp(context, node, Connecting(Some(client)));
    let delay = random.duration(Duration::from_millis(50), Duration::from_millis(2000));
    let books = books.clone();
    context.call_later(delay, move |context| roam(context, &books, random));
}

fn program(reactor: &mut Reactor, books: &Books, seed: u64) -> Result<(), Error> {
    let options = ListenOptions::new().filter(|| ToyCipher::server(7));
    options.listen_tcp(reactor.context(), "0.0.0.0:7000", Serving(books.clone()))?;
    roam(reactor.context(), books, Random::new(seed ^ books.next.get() << 8));
    Ok(())
}

fn play(world: &mut World, plan: &Plan, length: Duration, total: &Books) -> Result<(), String> {
    let books = Books::default();
    let seed = world.seed();
    let nodes: Vec<NodeId> = (0..NODES)
        .map(|node| {
            let books = books.clone();
            world.add_node(&format!("node{node}"), move |reactor| {
                program(reactor, &books, seed ^ u64::from(node) << 32)
            })
        })
        .collect();
    world.add_faults(plan);
    world.run_until(length, |_| books.failure.borrow().is_some());
    books.check()?;
    books.calm.set(true);
    world.run_until(SETTLED, |_| books.failure.borrow().is_some());
    books.check()?;
    for node in nodes {
        if let Some(reactor) = world.reactor(node) {
            let context = reactor.context();
            let left = context.connections().count();
            if left > 0 {
                return Err(format!("{left} connections are left"));
            }
            context.stop();
        }
    }
    world.run_until(SETTLED, |_| false);
    total.clean.set(total.clean.get() + books.clean.get());
    total.truncated.set(total.truncated.get() + books.truncated.get());
    total.refused.set(total.refused.get() + books.refused.get());
    match world.connections() {
        0 => Ok(()),
        left => Err(format!("{left} connections are left in the network")),
    }
}

#[test]
fn filtered_connections_lose_nothing_unnoticed() {
    let total = Books::default();
    let exploration = Exploration::new(0..12).faults(FaultKind::ALL, 8);
    exploration
        .length(Duration::from_secs(6))
        .run(NODES, |world, plan, length| play(world, plan, length, &total));
    let (clean, truncated, refused) =
        (total.clean.get(), total.truncated.get(), total.refused.get());
    println!("{clean} clean ends, {truncated} truncated, {refused} refused");
    assert!(clean > 0 && truncated > 0 && refused > 0);
}
