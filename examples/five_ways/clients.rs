//! The clients of the measurement, in one reactor.

use crate::server::{Server, Use};
use ropewalk::{Context, Error, Id, Protocol, Reactor, Reason, Transport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::Failure;

/// The most clients that connect at a time: fewer than the backlog of a listener.
const AT_A_TIME: u32 = 100;

/// How long all clients may take to connect, and a client to be answered.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was measured.
pub(crate) struct Measured {
    pub(crate) answers: usize,
    /// The time from a line to its answer.
    pub(crate) waits: Vec<Duration>,
    pub(crate) took: Duration,
    pub(crate) use_of: Use,
    /// The number of clients that were refused, or lost their connection.
    pub(crate) lost: u32,
}

#[derive(Default)]
struct State {
    address: String,
    count: u32,
    begun: u32,
    connected: Vec<Id>,
    /// Set when all clients are connected: from then on they send.
    since: Option<Instant>,
    waits: Vec<Duration>,
    lost: u32,
}

type Shared = Rc<RefCell<State>>;

struct Client {
    state: Shared,
    sent: Instant,
}

/// Measures a server for this time, with this number of clients.
pub(crate) fn measure(server: &Server, count: u32, time: Duration) -> Result<Measured, Failure> {
    let mut reactor = Reactor::new()?;
    reactor.set_grace(Duration::ZERO);
    let state = State { address: server.address.clone(), count, ..State::default() };
    let state = Rc::new(RefCell::new(state));
    for _ in 0..AT_A_TIME.min(count) {
        connect(reactor.context(), &state)?;
    }
    let begin = Instant::now();
    while state.borrow().connected.len() as u32 + state.borrow().lost < count {
        if begin.elapsed() > PATIENCE {
            return Err(Failure::Run(format!("{} does not accept its clients", server.name)));
        }
        reactor.turn(Some(Duration::from_millis(100)))?;
    }
    let since = Instant::now();
    state.borrow_mut().since = Some(since);
    let ids = state.borrow().connected.clone();
    // The callbacks that note when a line was sent are those of the connections.
    ids.into_iter().for_each(|id| reactor.context().transport(id).write(LINE));
    while since.elapsed() < time {
        reactor.turn(Some(Duration::from_millis(10)))?;
    }
    let took = since.elapsed();
    let use_of = server.use_now();
    let mut state = state.borrow_mut();
    let waits = std::mem::take(&mut state.waits);
    Ok(Measured { answers: waits.len(), waits, took, use_of, lost: state.lost })
}

const LINE: &[u8] = b"the quick brown fox\n";

/// Begins to connect the next client.
fn connect(context: &mut Context, state: &Shared) -> Result<(), Error> {
    let mut this = state.borrow_mut();
    if this.begun < this.count {
        this.begun += 1;
        let address = this.address.clone();
        drop(this);
        let client = Rc::clone(state);
        context.connect_tcp(address, move || Client {
            state: Rc::clone(&client),
            sent: Instant::now(),
        })?;
    }
    Ok(())
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.state.borrow_mut().connected.push(transport.id());
        if connect(transport.context(), &self.state).is_err() {
            self.state.borrow_mut().lost += 1;
        }
    }

    /// An answer is one segment: it is short.
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if data.last() == Some(&b'\n') {
            let mut state = self.state.borrow_mut();
            let now = transport.context().now();
            let sent = state.since.map_or(self.sent, |since| self.sent.max(since));
            state.waits.push(now.saturating_duration_since(sent));
            self.sent = now;
            drop(state);
            transport.write(LINE);
        }
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        if !matches!(reason, Reason::Stopped) {
            self.state.borrow_mut().lost += 1;
        }
    }
}
