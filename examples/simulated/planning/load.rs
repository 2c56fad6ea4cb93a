//! A load for one server: clients in one room, of which some speak. They are the same on real sockets and
//! on simulated ones, and cheap: they count bytes, and look at none.

use ropewalk::{Context, Id, Protocol, Transport};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// The room of all.
const ROOM: u32 = 0;

/// A line of common length.
const LINE: &str = "0 0 has anybody seen the end of the rope that I have left here?\n";

/// What the clients do in a round. They say it at once, and the next round begins when all of them have
/// received all of it.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// How many are in the room.
    pub(crate) clients: u32,
    /// How many of them speak, and how many lines each of those says.
    pub(crate) speakers: u32,
    pub(crate) lines: u32,
    pub(crate) rounds: u32,
}

impl Load {
    /// How many lines are received in all rounds.
    pub(crate) fn deliveries(&self) -> u64 {
        let said = u64::from(self.speakers) * u64::from(self.lines);
        said * u64::from(self.clients) * u64::from(self.rounds)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, speakers, lines, .. } = self;
        write!(f, "{lines:>6} | {speakers:>8} | {clients:>7}")
    }
}

/// All clients of a load.
pub(crate) struct Audience {
    load: Load,
    /// Where the server is.
    address: String,
    /// What a speaker says in a round.
    speech: Vec<u8>,
    clients: RefCell<Vec<Id>>,
    rounds_left: Cell<u32>,
    /// How many bytes the clients are to receive, and have received.
    due: Cell<u64>,
    received: Cell<u64>,
}

impl Audience {
    pub(crate) fn new(load: Load, address: String) -> Rc<Self> {
        Rc::new(Self {
            load,
            address,
            speech: LINE.repeat(load.lines as usize).into_bytes(),
            clients: RefCell::default(),
            rounds_left: Cell::new(0),
            due: Cell::new(0),
            received: Cell::new(0),
        })
    }

    /// Begins to play so many rounds. The clients come first, if they are not there yet.
    pub(crate) fn play(self: &Rc<Self>, context: &mut Context, rounds: u32) {
        self.rounds_left.set(rounds);
        self.go_on(context);
    }

    /// Whether all rounds have been played, and everything was received.
    pub(crate) fn is_done(&self) -> bool {
        self.rounds_left.get() == 0 && self.due == self.received
    }

    /// How many bytes have been received, and how many are due.
    pub(crate) fn progress(&self) -> String {
        format!("{} of {} bytes were received", self.received.get(), self.due.get())
    }

    /// Everything that was said was received: what comes next. The clients come one after the other, so no
    /// queue of the system is too short for them.
    fn go_on(self: &Rc<Self>, context: &mut Context) {
        if self.clients.borrow().len() < self.load.clients as usize {
            let audience = self.clone();
            let connected = context.connect_tcp(&*self.address, move || Client(audience.clone()));
            connected.expect("the reactor is not stopping, and the address is one");
        } else if self.rounds_left.get() > 0 {
            self.rounds_left.set(self.rounds_left.get() - 1);
            let speakers = &self.clients.borrow()[..self.load.speakers as usize];
            for speaker in speakers {
                context.write(*speaker, &self.speech);
                self.expect(self.speech.len() * self.load.clients as usize);
            }
        }
    }

    fn expect(&self, bytes: usize) {
        self.due.set(self.due.get() + bytes as u64);
    }
}

/// One of them.
struct Client(Rc<Audience>);

impl Protocol for Client {
    /// Enters the room of all, and one of its own. A line that it says in the latter comes back when
    /// it is in both.
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let mut clients = self.0.clients.borrow_mut();
        clients.push(transport.id());
        let own = ROOM as usize + clients.len();
        let greeting = format!("{own} 0 hello\n");
        transport.write(format!("join {ROOM}\njoin {own}\n{greeting}").as_bytes());
        self.0.expect(greeting.len());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.received.set(self.0.received.get() + data.len() as u64);
        if self.0.received == self.0.due {
            self.0.go_on(transport.context());
        }
    }
}
