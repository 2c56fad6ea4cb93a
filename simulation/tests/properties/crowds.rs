//! Crowds and floods: everybody has a budget, and who is not done with it goes on.

use crate::books::{Books, Errand, SEVERING, SLOWING, bytes};
use ropewalk::{
    Address, ConnectOptions, Context, Error, Factory, Id, KeepAlive, ListenOptions, Protocol,
    Reactor, Reason, SocketOption, Transport,
};
use ropewalk_simulation::Random;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many a listener may accept in a turn.
const ACCEPTS: u64 = 64;

/// How many bytes a connection may receive in a turn, and how many it may send with one flush.
const READ_BUDGET: u64 = 1024 * 1024;
const WRITE_BUDGET: u64 = 256 * 1024;

/// How much a flood is, and how much of it the sockets hold.
const FLOOD: u64 = 4_200_000;
const HELD: usize = 2_500_000;

/// Whoever has lost its peer without a word is to hear of it in time.
const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(5), count: 3 };

/// Listens for crowds and floods, and sees to it that there are some.
pub(crate) fn start(
    reactor: &mut Reactor,
    books: &Books,
    nodes: u64,
    mut random: Random,
) -> Result<(), Error> {
    let options = ListenOptions::new()
        .backlog(200)
        .keep_alive(KEEP_ALIVE)
        .option(SocketOption::ReceiveBuffer(HELD));
    reactor.context().listen_tcp_with("0.0.0.0:7002", &options, Door::new(books, false))?;
    let node = random.below(nodes);
    let (crowd, flood) = (random.chance(0.05), random.chance(0.1));
    let delay = random.duration(Duration::ZERO, Duration::from_secs(8));
    let books = books.clone();
    reactor.context().call_later(delay, move |context| {
        for _ in 0..if crowd { 150 } else { 0 } {
            connect(context, &books, node, Door::new(&books, true));
        }
        if flood {
            connect(context, &books, node, Door { floods: true, ..Door::new(&books, true) });
        }
    });
    Ok(())
}

fn connect(context: &mut Context, books: &Books, node: u64, door: Door) {
    let options =
        ConnectOptions::new().keep_alive(KEEP_ALIVE).option(SocketOption::SendBuffer(HELD));
    if context.connect_tcp_with(format!("node{node}:7002"), &options, door).is_ok() {
        books.begin("visits");
    }
}

/// Makes those who come, and those who let them in.
struct Door {
    books: Books,
    connects: bool,
    floods: bool,
    /// How many have come in the turn at this instant.
    turn: Rc<RefCell<(Option<Instant>, u64)>>,
}

impl Door {
    fn new(books: &Books, connects: bool) -> Self {
        Self { books: books.clone(), connects, floods: false, turn: Rc::default() }
    }
}

impl Factory for Door {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.books.alive.set(self.books.alive.get() + 1);
        Some(Box::new(Visitor {
            books: self.books.clone(),
            connects: self.connects,
            floods: self.floods,
            door: Rc::clone(&self.turn),
            turn: None,
            in_turn: 0,
            received: 0,
            _errand: self.books.errand("visitors"),
        }))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, _error: Error) {
        self.books.done("visits");
    }
}

/// One that comes, or the one who lets it in and greets it. Who comes says its piece after that.
struct Visitor {
    books: Books,
    connects: bool,
    floods: bool,
    door: Rc<RefCell<(Option<Instant>, u64)>>,
    turn: Option<Instant>,
    in_turn: u64,
    received: u64,
    /// Sooner or later everybody leaves.
    _errand: Errand,
}

impl Visitor {
    /// Looks for so many turns how much has been sent in the last one.
    fn look(context: &mut Context, id: Id, books: Books, before: u64, turns: u32) {
        let Some(counts) = context.connection_counts(id) else { return };
        // In two flushes: the socket had room, and what others wrote was sent at the end.
        if counts.sent > before + 2 * WRITE_BUDGET {
            books.fail(format!("{} bytes were sent in one turn", counts.sent - before));
        }
        if counts.waiting > 0 && turns > 0 {
            context.call_later(Duration::ZERO, move |context| {
                Self::look(context, id, books, counts.sent, turns - 1);
            });
        }
    }
}

impl Protocol for Visitor {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        if self.connects {
            return;
        }
        let now = transport.context().now();
        let mut turn = self.door.borrow_mut();
        let count = if turn.0 == Some(now) { turn.1 + 1 } else { 1 };
        *turn = (Some(now), count);
        if count > ACCEPTS {
            self.books.fail("too many were accepted in one turn");
        }
        transport.write(b"!");
        // What comes until it reads on is more than it may read at once.
        let id = transport.id();
        transport.pause();
        let delay = Duration::from_millis(50);
        transport.context().call_later(delay, move |context| context.resume(id));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let now = transport.context().now();
        if self.turn.replace(now) != Some(now) {
            self.in_turn = 0;
        }
        self.in_turn += data.len() as u64;
        if self.in_turn > READ_BUDGET {
            self.books.fail(format!("{} bytes were received in one turn", self.in_turn));
        }
        if !self.connects && data != bytes(0, self.received, data.len()) {
            self.books.fail("a flood is not what was written");
        }
        self.received += data.len() as u64;
        if !self.connects {
            return;
        }
        if self.floods {
            // Not at once: then it would go straight to the socket, however much it is.
            let (id, books) = (transport.id(), self.books.clone());
            for piece in 0..FLOOD / 60_000 {
                transport.write(bytes(0, piece * 60_000, 60_000));
            }
            let sent = transport.counts().sent;
            Self::look(transport.context(), id, books, sent, 500);
        }
        transport.close();
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        let punctual = self.books.is_without(SEVERING) && self.books.is_without(SLOWING);
        if matches!(reason, Reason::CloseTimeout) && punctual {
            self.books.fail("a flood has come to a standstill");
        }
        if self.connects {
            self.books.done("visits");
        } else if matches!(reason, Reason::ClosedByPeer) && ![0, FLOOD].contains(&self.received) {
            self.books.fail(format!("a flood ended after {} bytes", self.received));
        }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.books.alive.set(self.books.alive.get() - 1);
    }
}
