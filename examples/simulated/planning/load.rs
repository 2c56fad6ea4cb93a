//! A load for one server: clients in one room, some of which send lines. The same code runs on real and on simulated
//! sockets. The clients count bytes only, so that their own cost is small.

use ropewalk::{Context, Id, Protocol, Transport};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// The room of all clients.
const ROOM: u32 = 0;

/// A line of common length.
const LINE: &str = "0 0 has anybody seen the end of the rope that I have left here?\n";

/// A load. In a round, all senders send their lines at once. The next round begins when all clients have received all
/// lines.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// The number of clients in the room.
    pub(crate) clients: u32,
    /// The number of clients that send, and the lines of each in a round.
    pub(crate) senders: u32,
    pub(crate) lines: u32,
    pub(crate) rounds: u32,
}

impl Load {
    /// Returns the number of received lines of all rounds.
    pub(crate) fn deliveries(&self) -> u64 {
        let sent = u64::from(self.senders) * u64::from(self.lines);
        sent * u64::from(self.clients) * u64::from(self.rounds)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, senders, lines, .. } = self;
        write!(f, "{lines:>6} | {senders:>8} | {clients:>7}")
    }
}

/// All clients of a load.
pub(crate) struct Clients {
    load: Load,
    /// The server's address.
    address: String,
    /// The lines of a sender in a round.
    batch: Vec<u8>,
    ids: RefCell<Vec<Id>>,
    rounds_left: Cell<u32>,
    /// The number of bytes that the clients have to receive, and have received.
    due: Cell<u64>,
    received: Cell<u64>,
}

impl Clients {
    pub(crate) fn new(load: Load, address: String) -> Rc<Self> {
        Rc::new(Self {
            load,
            address,
            batch: LINE.repeat(load.lines as usize).into_bytes(),
            ids: RefCell::default(),
            rounds_left: Cell::new(0),
            due: Cell::new(0),
            received: Cell::new(0),
        })
    }

    /// Starts `rounds` rounds, after connecting the clients.
    pub(crate) fn start(self: &Rc<Self>, context: &mut Context, rounds: u32) {
        self.rounds_left.set(rounds);
        self.advance(context);
    }

    /// Returns true if all rounds have ended and all bytes were received.
    pub(crate) fn is_complete(&self) -> bool {
        self.rounds_left.get() == 0 && self.due == self.received
    }

    /// Returns a message with the number of received bytes.
    pub(crate) fn progress(&self) -> String {
        format!("{} of {} bytes were received", self.received.get(), self.due.get())
    }

    /// Starts the next step after all bytes were received: the next client's connection, or the next round. The clients
    /// connect one after the other, so that no backlog is exceeded.
    fn advance(self: &Rc<Self>, context: &mut Context) {
        if self.ids.borrow().len() < self.load.clients as usize {
            let clients = self.clone();
            let connected = context.connect_tcp(&*self.address, move || Client(clients.clone()));
            connected.expect("the reactor runs, and the address is valid");
        } else if self.rounds_left.get() > 0 {
            self.rounds_left.set(self.rounds_left.get() - 1);
            let senders = &self.ids.borrow()[..self.load.senders as usize];
            for sender in senders {
                context.transport(*sender).write(&self.batch);
                self.expect(self.batch.len() * self.load.clients as usize);
            }
        }
    }

    fn expect(&self, bytes: usize) {
        self.due.set(self.due.get() + bytes as u64);
    }
}

/// The protocol of a client.
struct Client(Rc<Clients>);

impl Protocol for Client {
    /// Joins the room of all clients, and a room of its own. The echo of a line in its own room shows that it has joined
    /// both.
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let mut ids = self.0.ids.borrow_mut();
        ids.push(transport.id());
        let own = ROOM as usize + ids.len();
        let greeting = format!("{own} 0 hello\n");
        transport.write(format!("join {ROOM}\njoin {own}\n{greeting}").as_bytes());
        self.0.expect(greeting.len());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.received.set(self.0.received.get() + data.len() as u64);
        if self.0.received == self.0.due {
            self.0.advance(transport.context());
        }
    }
}
