//! Datagrams: whole or told as truncated, each once, those to oneself in order, within the budget.

use crate::books::{Books, bytes};
use ropewalk::{
    Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Id, Reactor,
    SocketOption,
};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Longer ones are truncated.
const LONGEST: usize = 1000;

/// How many a socket may receive in a turn.
const BUDGET: u32 = 256;

/// The path at which each node has a socket of its own.
const PATH: &str = "/run/gull.sock";

/// A socket that sends to all nodes, or over Unix sockets to itself.
pub(crate) struct Gull {
    books: Books,
    random: Random,
    name: u64,
    started: bool,
    stopped: bool,
    /// The last of `pause_writing` and `resume_writing` was a pause. The sender reads it: a stall holds up
    /// the queue and the sender alike, and both continue in the same turn.
    paused: Rc<Cell<bool>>,
    /// The numbers that have come, by the sender's name.
    heard: BTreeMap<u64, BTreeSet<u64>>,
    turn: Option<Instant>,
    received: u32,
}

impl Gull {
    pub(crate) fn start(
        reactor: &mut Reactor,
        books: &Books,
        (node, nodes): (u64, u64),
        random: &mut Random,
    ) -> Result<(), Error> {
        // A burst to itself fits: what does not is lost.
        let options = DatagramOptions::new()
            .max_datagram_size(LONGEST)
            .option(SocketOption::ReceiveBuffer(1_000_000));
        let context = reactor.context();
        let gull = Self::new(books, random);
        let (name, paused) = (gull.name, gull.paused.clone());
        let port = context.listen_udp_with("0.0.0.0:7000", &options, gull)?;
        let others = (0..nodes).filter(|other| *other != node);
        let addresses = others.map(|other| format!("10.0.0.{}:7000", other + 1).parse());
        let mut addresses: Vec<Address> = addresses.map(|it| Address::Inet(it.unwrap())).collect();
        addresses.push(Address::Inet("127.0.0.1:7000".parse().unwrap()));
        let sender = (port.id(), name, paused);
        Flock::new(books, random, sender, addresses).rest(context, Duration::ZERO);

        let gull = Self::new(books, random);
        let (name, paused) = (gull.name, gull.paused.clone());
        let port = context.listen_unix_datagram_with(PATH, &options, gull)?;
        let addresses = vec![port.address().clone()];
        let sender = (port.id(), name, paused);
        Flock::new(books, random, sender, addresses).rest(context, Duration::ZERO);
        Ok(())
    }

    fn new(books: &Books, random: &mut Random) -> Self {
        books.alive.set(books.alive.get() + 1);
        Self {
            books: books.clone(),
            name: books.number(),
            random: Random::new(random.below(u64::MAX)),
            started: false,
            stopped: false,
            paused: Rc::default(),
            heard: BTreeMap::new(),
            turn: None,
            received: 0,
        }
    }

    /// A mark was crossed: pauses and resumptions alternate, beginning with a pause.
    fn cross(&self, paused: bool) {
        if !self.started || self.stopped || self.paused.replace(paused) == paused {
            self.books.fail(format!("a datagram socket: paused: {paused}, out of order"));
        }
    }

    /// A datagram has come, with so many of its bytes.
    fn hear(&mut self, now: Instant, data: &[u8], truncated: bool) {
        if !self.started || self.stopped {
            self.books.fail("a datagram came before the start, or after the stop");
        }
        if self.turn.replace(now) != Some(now) {
            self.received = 0;
        }
        self.received += 1;
        if self.received > BUDGET {
            self.books.fail("too many datagrams were received in one turn");
        }
        let (head, tail) = data.split_at(data.len().min(24));
        let word = |place: usize| u64::from_le_bytes(head[place..place + 8].try_into().unwrap());
        if head.len() < 24 {
            return self.books.fail("a datagram came cut short");
        }
        let (name, number, length) = (word(0), word(8), word(16) as usize);
        if truncated != (length > LONGEST) || data.len() != length.min(LONGEST) {
            return self.books.fail(format!(
                "of a datagram of {length} bytes {} came, truncated: {truncated}",
                data.len()
            ));
        }
        if tail != bytes(name, number, tail.len()) {
            return self.books.fail("a datagram came that is not the one that was sent");
        }
        let heard = self.heard.entry(name).or_default();
        if name == self.name {
            self.books.with(|ledger| ledger.echoes.entry(name).or_default().heard += 1);
            if heard.last().is_some_and(|last| *last >= number) {
                self.books.fail("datagrams to oneself came in another order");
            }
        }
        let twice = !heard.insert(number);
        if twice && self.books.is_without(&[FaultKind::Duplication]) {
            self.books.fail("a datagram came twice");
        }
        if self.random.chance(0.02) {
            resume_unwind(Box::new("on purpose"));
        }
    }
}

impl DatagramProtocol for Gull {
    fn start_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        if std::mem::replace(&mut self.started, true) {
            self.books.fail("start_protocol came twice");
        }
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.hear(transport.context().now(), data, false);
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.hear(transport.context().now(), data, true);
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.books.fail(format!("a datagram socket has an error: {error}"));
    }

    fn pause_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.cross(true);
    }

    fn resume_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.cross(false);
    }

    fn stop_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        if !self.started || std::mem::replace(&mut self.stopped, true) {
            self.books.fail("stop_protocol came twice, or before the start");
        }
    }
}

impl Drop for Gull {
    fn drop(&mut self) {
        self.books.alive.set(self.books.alive.get() - 1);
        // What was still on its way to itself has nowhere to go.
        self.books.with(|ledger| ledger.echoes.remove(&self.name));
    }
}

/// What a socket sends, and to whom.
struct Flock {
    books: Books,
    random: Random,
    id: Id,
    name: u64,
    paused: Rc<Cell<bool>>,
    number: u64,
    /// The last is its own, at which nothing gets lost.
    addresses: Vec<Address>,
}

impl Flock {
    fn new(
        books: &Books,
        random: &mut Random,
        (id, name, paused): (Id, u64, Rc<Cell<bool>>),
        addresses: Vec<Address>,
    ) -> Self {
        let random = Random::new(random.below(u64::MAX));
        Self { books: books.clone(), random, id, name, paused, number: 0, addresses }
    }

    /// Sends some, and again in a while.
    fn send(mut self, context: &mut Context) {
        if self.books.calm.get() || context.local_address(self.id).is_none() {
            return;
        }
        self.check();
        let waiting = context.datagram_counts(self.id).map_or(0, |counts| counts.waiting);
        if self.paused.get() != (waiting > 0) {
            self.books.fail(format!("paused: {}, and {waiting} datagrams wait", self.paused.get()));
        }
        if self.paused.get() {
            return self.rest(context, Duration::ZERO);
        }
        // Rarely so many that they come to more than may be received in two turns.
        let many = self.random.chance(0.01);
        let (count, longest) = if many { (700, 50) } else { (self.random.below(6), 1200) };
        let place = self.random.below(self.addresses.len() as u64) as usize;
        let to = self.addresses[place].clone();
        for _ in 0..count {
            let length = self.random.between(24, longest);
            let mut data = Vec::with_capacity(length as usize);
            for word in [self.name, self.number, length] {
                data.extend(word.to_le_bytes());
            }
            data.extend(bytes(self.name, self.number, length as usize - 24));
            self.number += 1;
            if place + 1 == self.addresses.len() {
                let name = self.name;
                self.books.with(|ledger| ledger.echoes.entry(name).or_default().sent += 1);
            }
            context.send_to(self.id, &data, to.clone());
        }
        self.rest(context, if many { Duration::from_millis(500) } else { Duration::ZERO });
    }

    /// By now it has heard all that it has sent to itself, unless something was in the way.
    fn check(&self) {
        let in_the_way = [FaultKind::Jump, FaultKind::Stall, FaultKind::WouldBlock];
        if !self.books.is_without(&in_the_way) {
            return;
        }
        let all = self.books.with(|ledger| {
            let echoes = ledger.echoes.get(&self.name);
            echoes.is_none_or(|echoes| echoes.sent == echoes.heard)
        });
        if !all {
            self.books.fail("datagrams to oneself wait though nothing is in the way");
        }
    }

    /// For so long at least.
    fn rest(mut self, context: &mut Context, least: Duration) {
        let delay =
            least + self.random.duration(Duration::from_millis(10), Duration::from_millis(800));
        context.call_later(delay, move |context| self.send(context));
    }
}
