//! Crowds and floods: each connection has a budget, and continues in later turns.

use crate::model::{Model, PendingTask, SEVERING, SLOWING, bytes};
use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, KeepAlive, ListenOptions, Protocol,
    Reactor, Reason, SocketOption, Transport,
};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The maximum number of accepted connections in a turn.
const ACCEPTS: u64 = 64;

/// The maximum number of bytes received in a turn, and sent in one flush.
const READ_BUDGET: u64 = 1024 * 1024;
const WRITE_BUDGET: u64 = 256 * 1024;

/// The size of a flood, and of the sockets' buffers for it.
const FLOOD: u64 = 4_200_000;
const BUFFER: usize = 2_500_000;

/// Detects lost peers.
const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(5), count: 3 };

/// Listens for crowds and floods, and sometimes starts one.
pub(crate) fn start(
    reactor: &mut Reactor,
    model: &Model,
    nodes: u64,
    mut random: Random,
) -> Result<(), Error> {
    let options = ListenOptions::new()
        .backlog(200)
        .keep_alive(KEEP_ALIVE)
        .option(SocketOption::ReceiveBuffer(BUFFER));
    options.listen_tcp(reactor.context(), "0.0.0.0:7002", CrowdFactory::new(model, false))?;
    let node = random.below(nodes);
    let (crowd, flood) = (random.chance(0.05), random.chance(0.1));
    let delay = random.duration(Duration::ZERO, Duration::from_secs(8));
    let model = model.clone();
    reactor.context().call_later(delay, move |context| {
        for _ in 0..if crowd { 150 } else { 0 } {
            connect(context, &model, node, CrowdFactory::new(&model, true));
        }
        if flood {
            connect(
                context,
                &model,
                node,
                CrowdFactory { floods: true, ..CrowdFactory::new(&model, true) },
            );
        }
    });
    Ok(())
}

fn connect(context: &mut Context, model: &Model, node: u64, factory: CrowdFactory) {
    let options =
        ConnectOptions::new().keep_alive(KEEP_ALIVE).option(SocketOption::SendBuffer(BUFFER));
    if options.connect_tcp(context, format!("node{node}:7002"), factory).is_ok() {
        model.begin("connection attempts");
    }
}

/// A factory of connecting and of accepted protocols.
struct CrowdFactory {
    model: Model,
    connects: bool,
    floods: bool,
    /// The turn of the last connection, and the number of connections in it.
    turn: Rc<RefCell<(Option<Instant>, u64)>>,
}

impl CrowdFactory {
    fn new(model: &Model, connects: bool) -> Self {
        Self { model: model.clone(), connects, floods: false, turn: Rc::default() }
    }
}

impl Factory for CrowdFactory {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.model.alive.set(self.model.alive.get() + 1);
        Some(Box::new(CrowdProtocol {
            model: self.model.clone(),
            connects: self.connects,
            floods: self.floods,
            factory: Rc::clone(&self.turn),
            turn: None,
            in_turn: 0,
            received: 0,
            _task: self.model.task("crowd connections"),
        }))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        self.model.done("connection attempts");
    }
}

/// A protocol that connects, or that was accepted. The accepted protocol sends a greeting, and the other one then
/// sends its data.
struct CrowdProtocol {
    model: Model,
    connects: bool,
    floods: bool,
    factory: Rc<RefCell<(Option<Instant>, u64)>>,
    turn: Option<Instant>,
    in_turn: u64,
    received: u64,
    /// Each connection ends.
    _task: PendingTask,
}

impl CrowdProtocol {
    /// Checks the number of bytes sent in each of the next turns.
    fn watch_sent(context: &mut Context, id: Id, model: Model, before: u64, turns: u32) {
        if context.transport(id).peer() == Address::Unknown {
            return; // It is gone.
        }
        let counts = context.transport(id).counts();
        // There may be two flushes: the socket was writable, and data written by id was sent at the end.
        if counts.sent > before + 2 * WRITE_BUDGET {
            model.fail(format!("{} bytes were sent in one turn", counts.sent - before));
        }
        if counts.queued > 0 && turns > 0 {
            context.call_later(Duration::ZERO, move |context| {
                Self::watch_sent(context, id, model, counts.sent, turns - 1);
            });
        }
    }
}

impl Protocol for CrowdProtocol {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        if self.connects {
            return;
        }
        let now = transport.context().now();
        let mut turn = self.factory.borrow_mut();
        let count = if turn.0 == Some(now) { turn.1 + 1 } else { 1 };
        *turn = (Some(now), count);
        if count > ACCEPTS {
            self.model.fail("too many connections were accepted in one turn");
        }
        transport.write(b"!");
        // The data received until reading is resumed exceeds the read budget.
        let id = transport.id();
        transport.pause();
        let delay = Duration::from_millis(50);
        transport.context().call_later(delay, move |context| context.transport(id).resume());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let now = transport.context().now();
        if self.turn.replace(now) != Some(now) {
            self.in_turn = 0;
        }
        self.in_turn += data.len() as u64;
        if self.in_turn > READ_BUDGET {
            self.model.fail(format!("{} bytes were received in one turn", self.in_turn));
        }
        if !self.connects && data != bytes(0, self.received, data.len()) {
            self.model.fail("a flood differs from the written data");
        }
        self.received += data.len() as u64;
        if !self.connects {
            return;
        }
        if self.floods {
            // Not in this callback: its data would be written directly, regardless of its size.
            let (id, model) = (transport.id(), self.model.clone());
            for piece in 0..FLOOD / 60_000 {
                transport.write(bytes(0, piece * 60_000, 60_000));
            }
            let sent = transport.counts().sent;
            Self::watch_sent(transport.context(), id, model, sent, 500);
        }
        transport.close();
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        let punctual = self.model.is_without(SEVERING) && self.model.is_without(SLOWING);
        if matches!(reason, Reason::CloseTimeout) && punctual {
            self.model.fail("a flood is stalled");
        }
        if self.connects {
            self.model.done("connection attempts");
        } else if matches!(reason, Reason::ClosedByPeer) && ![0, FLOOD].contains(&self.received) {
            self.model.fail(format!("a flood ended after {} bytes", self.received));
        }
    }
}

impl Drop for CrowdProtocol {
    fn drop(&mut self) {
        self.model.alive.set(self.model.alive.get() - 1);
    }
}
