//! The primary: numbers requests, sends them to the backup, and answers them.

use super::wire::{Request, Side, connect, connect_later, protocol};
use super::{Bug, Shared, Values, backup};
use ropewalk::{Context, Error, Id, Reactor, Transport};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(super) const ADDRESS: &str = "primary:7001";

/// The time without an acknowledgement after which a link is closed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The contents of its disk, and the state of its connections.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) values: Values,
    /// The log. Positions are counted from 1.
    log: Vec<Request>,
    /// The positions of requests in the log, by client and number.
    positions: BTreeMap<(u32, u64), usize>,
    /// The last position that the backup has acknowledged.
    acknowledged: usize,
    /// The last position that was written to a link.
    sent: usize,
    link: Option<Link>,
    /// The unanswered requests: their positions, numbers and connections.
    unanswered: Vec<(usize, u64, Id)>,
}

/// The connection to the backup.
#[derive(Debug)]
struct Link {
    id: Id,
    /// The time of the last acknowledgement, or when none was due.
    alive: Instant,
}

pub(super) fn serve(reactor: &mut Reactor, shared: &Shared, bug: Option<Bug>) -> Result<(), Error> {
    let primary = Primary { state: Rc::clone(&shared.primary), bug };
    let mut state = primary.state.borrow_mut();
    (state.link, state.unanswered) = (None, Vec::new());
    drop(state);
    let clients = primary.clone();
    reactor.listen_tcp("0.0.0.0:7001", move || protocol(clients.clone(), bug))?;
    primary.watch(reactor.context());
    connect(reactor.context(), backup::ADDRESS, ToBackup(primary));
    Ok(())
}

/// The primary's side of a client's connection.
#[derive(Clone)]
struct Primary {
    state: Rc<RefCell<State>>,
    bug: Option<Bug>,
}

impl Side for Primary {
    fn line_received(&self, transport: &mut Transport<'_>, line: &str) {
        let Some(request) = Request::parse(line) else { return transport.abort() };
        let state = &mut *self.state.borrow_mut();
        let key = (request.client, request.number);
        let known = state.positions.get(&key).copied();
        let number = request.number;
        let position = match known {
            Some(position) if self.bug != Some(Bug::RepeatedRequest) => position,
            _ => state.append(transport.context(), request),
        };
        if position <= state.acknowledged || self.bug == Some(Bug::EarlyAnswer) {
            transport.write(format!("{number} ok\n").as_bytes());
        } else {
            state.unanswered.push((position, number, transport.id()));
        }
    }

    fn connection_lost(&self, _context: &mut Context, id: Id) {
        self.state.borrow_mut().unanswered.retain(|(_, _, connection)| *connection != id);
    }
}

impl Primary {
    /// Checks the link every half second.
    fn watch(&self, context: &mut Context) {
        let primary = self.clone();
        context.call_later(Duration::from_millis(500), move |context| {
            primary.replace_dead_link(context);
            primary.watch(context);
        });
    }

    fn replace_dead_link(&self, context: &mut Context) {
        let mut state = self.state.borrow_mut();
        let missing = state.acknowledged < state.log.len();
        let now = context.now();
        let Some(link) = &mut state.link else { return };
        if !missing {
            link.alive = now;
        } else if now.duration_since(link.alive) > TIMEOUT {
            let id = link.id;
            state.link = None;
            drop(state);
            // A graceful close: data in flight can still be delivered.
            context.close(id);
            connect_later(context, backup::ADDRESS, ToBackup(self.clone()));
        }
    }
}

impl State {
    fn append(&mut self, context: &mut Context, request: Request) -> usize {
        request.apply(&mut self.values);
        let position = self.log.len() + 1;
        self.positions.insert((request.client, request.number), position);
        if let Some(link) = &self.link {
            context.transport(link.id).write(format!("{position} {request}\n").as_bytes());
            self.sent = position;
        }
        self.log.push(request);
        position
    }

    /// Handles an acknowledgement of the log up to `position`.
    fn acknowledge(&mut self, context: &mut Context, position: usize) {
        self.acknowledged = self.acknowledged.max(position);
        let acknowledged = self.acknowledged;
        self.unanswered.retain(|(position, number, id)| {
            let safe = *position <= acknowledged;
            if safe {
                context.transport(*id).write(format!("{number} ok\n").as_bytes());
            }
            !safe
        });
    }
}

/// The primary's side of the link.
#[derive(Clone)]
struct ToBackup(Primary);

impl Side for ToBackup {
    fn connection_made(&self, transport: &mut Transport<'_>) {
        let alive = transport.context().now();
        let mut state = self.0.state.borrow_mut();
        state.link = Some(Link { id: transport.id(), alive });
        let missing = match self.0.bug {
            Some(Bug::NoResend) => state.sent,
            _ => state.acknowledged,
        };
        for (index, request) in state.log.iter().enumerate().skip(missing) {
            transport.write(format!("{} {request}\n", index + 1).as_bytes());
        }
        state.sent = state.log.len();
    }

    fn line_received(&self, transport: &mut Transport<'_>, line: &str) {
        let Some(position) = line.strip_suffix(" ok").and_then(|position| position.parse().ok())
        else {
            return transport.abort();
        };
        let mut state = self.0.state.borrow_mut();
        let (id, now) = (transport.id(), transport.context().now());
        if let Some(link) = state.link.as_mut().filter(|link| link.id == id) {
            link.alive = now;
            state.acknowledge(transport.context(), position);
        }
    }

    fn connection_lost(&self, context: &mut Context, id: Id) {
        let mut state = self.0.state.borrow_mut();
        if state.link.as_ref().is_some_and(|link| link.id == id) {
            state.link = None;
            connect_later(context, backup::ADDRESS, self.clone());
        }
    }
}
