//! Datagrams: complete or reported as truncated, once, in order to the own socket, within the budget.

use crate::model::{Model, bytes};
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

/// Longer datagrams are truncated.
const LONGEST: usize = 1000;

/// The maximum number of datagrams received in a turn.
const BUDGET: u32 = 256;

/// The path of each node's Unix socket.
const PATH: &str = "/run/datagrams.sock";

/// A socket that sends to all nodes, or to itself over a Unix socket.
pub(crate) struct RandomSocket {
    model: Model,
    random: Random,
    name: u64,
    started: bool,
    stopped: bool,
    /// The last of `pause_writing` and `resume_writing` was a pause. The sender reads it: a stall delays the queue
    /// and the sender, and both continue in the same turn.
    paused: Rc<Cell<bool>>,
    /// The received numbers, by the sender's name.
    numbers: BTreeMap<u64, BTreeSet<u64>>,
    turn: Option<Instant>,
    received: u32,
}

impl RandomSocket {
    pub(crate) fn start(
        reactor: &mut Reactor,
        model: &Model,
        (node, nodes): (u64, u64),
        random: &mut Random,
    ) -> Result<(), Error> {
        // A burst to itself fits. Datagrams that do not fit are lost.
        let options = DatagramOptions::new()
            .max_datagram_size(LONGEST)
            .option(SocketOption::ReceiveBuffer(1_000_000));
        let context = reactor.context();
        let socket = Self::new(model, random);
        let (name, paused) = (socket.name, socket.paused.clone());
        let port = options.listen_udp(context, "0.0.0.0:7000", socket)?;
        let others = (0..nodes).filter(|other| *other != node);
        let addresses = others.map(|other| format!("10.0.0.{}:7000", other + 1).parse());
        let mut addresses: Vec<Address> = addresses.map(|it| Address::Inet(it.unwrap())).collect();
        addresses.push(Address::Inet("127.0.0.1:7000".parse().unwrap()));
        let sender = (port.id(), name, paused);
        SocketSender::new(model, random, sender, addresses).send_after(context, Duration::ZERO);

        let socket = Self::new(model, random);
        let (name, paused) = (socket.name, socket.paused.clone());
        let port = options.listen_unix_datagram(context, PATH, socket)?;
        let addresses = vec![port.address().clone()];
        let sender = (port.id(), name, paused);
        SocketSender::new(model, random, sender, addresses).send_after(context, Duration::ZERO);
        Ok(())
    }

    fn new(model: &Model, random: &mut Random) -> Self {
        model.alive.set(model.alive.get() + 1);
        Self {
            model: model.clone(),
            name: model.number(),
            random: Random::new(random.below(u64::MAX)),
            started: false,
            stopped: false,
            paused: Rc::default(),
            numbers: BTreeMap::new(),
            turn: None,
            received: 0,
        }
    }

    /// Checks that pauses and resumptions alternate, beginning with a pause.
    fn mark_crossed(&self, paused: bool) {
        if !self.started || self.stopped || self.paused.replace(paused) == paused {
            self.model.fail(format!("a datagram socket: paused: {paused}, out of order"));
        }
    }

    /// Checks a received datagram.
    fn check_datagram(&mut self, now: Instant, data: &[u8], truncated: bool) {
        if !self.started || self.stopped {
            self.model.fail("a datagram was received before the start, or after the stop");
        }
        if self.turn.replace(now) != Some(now) {
            self.received = 0;
        }
        self.received += 1;
        if self.received > BUDGET {
            self.model.fail("too many datagrams were received in one turn");
        }
        let (head, tail) = data.split_at(data.len().min(24));
        let word = |place: usize| u64::from_le_bytes(head[place..place + 8].try_into().unwrap());
        if head.len() < 24 {
            return self.model.fail("a datagram was received incomplete");
        }
        let (name, number, length) = (word(0), word(8), word(16) as usize);
        if truncated != (length > LONGEST) || data.len() != length.min(LONGEST) {
            return self.model.fail(format!(
                "of a datagram of {length} bytes {} were received, truncated: {truncated}",
                data.len()
            ));
        }
        if tail != bytes(name, number, tail.len()) {
            return self.model.fail("a datagram differs from the sent one");
        }
        let numbers = self.numbers.entry(name).or_default();
        if name == self.name {
            self.model.with(|records| records.own_datagrams.entry(name).or_default().received += 1);
            if numbers.last().is_some_and(|last| *last >= number) {
                self.model.fail("datagrams to the own socket were reordered");
            }
        }
        let twice = !numbers.insert(number);
        if twice && self.model.is_without(&[FaultKind::Duplication]) {
            self.model.fail("a datagram was received twice");
        }
        if self.random.chance(0.02) {
            resume_unwind(Box::new("on purpose"));
        }
    }
}

impl DatagramProtocol for RandomSocket {
    fn start_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        if std::mem::replace(&mut self.started, true) {
            self.model.fail("start_protocol was called twice");
        }
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.check_datagram(transport.context().now(), data, false);
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        _sender: &Address,
    ) {
        self.check_datagram(transport.context().now(), data, true);
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.model.fail(format!("a datagram socket has an error: {error}"));
    }

    fn pause_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.mark_crossed(true);
    }

    fn resume_writing(&mut self, _transport: &mut DatagramTransport<'_>) {
        self.mark_crossed(false);
    }

    fn stop_protocol(&mut self, _transport: &mut DatagramTransport<'_>) {
        if !self.started || std::mem::replace(&mut self.stopped, true) {
            self.model.fail("stop_protocol was called twice, or before the start");
        }
    }
}

impl Drop for RandomSocket {
    fn drop(&mut self) {
        self.model.alive.set(self.model.alive.get() - 1);
        // Datagrams in flight to itself are lost.
        self.model.with(|records| records.own_datagrams.remove(&self.name));
    }
}

/// The sender of a socket, and its destinations.
struct SocketSender {
    model: Model,
    random: Random,
    id: Id,
    name: u64,
    paused: Rc<Cell<bool>>,
    number: u64,
    /// The last one is its own, on which no datagram is lost.
    addresses: Vec<Address>,
}

impl SocketSender {
    fn new(
        model: &Model,
        random: &mut Random,
        (id, name, paused): (Id, u64, Rc<Cell<bool>>),
        addresses: Vec<Address>,
    ) -> Self {
        let random = Random::new(random.below(u64::MAX));
        Self { model: model.clone(), random, id, name, paused, number: 0, addresses }
    }

    /// Sends some datagrams, and schedules the next ones.
    fn send(mut self, context: &mut Context) {
        if self.model.is_ending.get() || context.local_address(self.id) == Address::Unknown {
            return;
        }
        self.check();
        let waiting = context.datagram(self.id).counts().queued;
        if self.paused.get() != (waiting > 0) {
            self.model
                .fail(format!("paused: {}, and {waiting} datagrams are queued", self.paused.get()));
        }
        if self.paused.get() {
            return self.send_after(context, Duration::ZERO);
        }
        // Rarely, more than the budget of two turns.
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
                self.model.with(|records| records.own_datagrams.entry(name).or_default().sent += 1);
            }
            context.datagram(self.id).send_to(&data, to.clone());
        }
        self.send_after(context, if many { Duration::from_millis(500) } else { Duration::ZERO });
    }

    /// Checks that all datagrams to itself have been received, in absence of faults that delay them.
    fn check(&self) {
        let in_the_way = [FaultKind::Jump, FaultKind::Stall, FaultKind::WouldBlock];
        if !self.model.is_without(&in_the_way) {
            return;
        }
        let all = self.model.with(|records| {
            let own_datagrams = records.own_datagrams.get(&self.name);
            own_datagrams.is_none_or(|own_datagrams| own_datagrams.sent == own_datagrams.received)
        });
        if !all {
            self.model.fail("datagrams to the own socket are delayed without a fault");
        }
    }

    /// Schedules the next datagrams, after at least this delay.
    fn send_after(mut self, context: &mut Context, least: Duration) {
        let delay =
            least + self.random.duration(Duration::from_millis(10), Duration::from_millis(800));
        context.call_later(delay, move |context| self.send(context));
    }
}
