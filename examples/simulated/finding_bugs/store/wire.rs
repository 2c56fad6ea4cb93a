//! The protocol: requests as lines, and connections.

use super::{Bug, Values};
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::fmt;
use std::time::Duration;

/// A request to change a value. A client numbers its requests from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) client: u32,
    pub(super) number: u64,
    pub(super) change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Put { key: String, value: i64 },
    Add { key: String, amount: i64 },
}

impl Request {
    pub(super) fn apply(&self, values: &mut Values) {
        match &self.change {
            Change::Put { key, value } => _ = values.insert(key.clone(), *value),
            Change::Add { key, amount } => *values.entry(key.clone()).or_default() += amount,
        }
    }

    /// Parses a line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let client = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let verb = words.next()?;
        let key = words.next()?.to_owned();
        let value = words.next()?.parse().ok()?;
        let change = match verb {
            "put" => Change::Put { key, value },
            "add" => Change::Add { key, amount: value },
            _ => return None,
        };
        words.next().is_none().then_some(Self { client, number, change })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, number, change } = self;
        match change {
            Change::Put { key, value } => write!(f, "{client} {number} put {key} {value}"),
            Change::Add { key, amount } => write!(f, "{client} {number} add {key} {amount}"),
        }
    }
}

/// The behaviour of one side of a connection.
pub(super) trait Side: Clone + 'static {
    fn connection_made(&self, _transport: &mut Transport<'_>) {}
    fn line_received(&self, transport: &mut Transport<'_>, line: &str);
    /// Called when the connection was lost.
    fn connection_lost(&self, _context: &mut Context, _id: Id) {}
}

/// Returns the protocol for a side.
pub(super) fn protocol(side: impl Side, bug: Option<Bug>) -> Box<dyn Protocol> {
    match bug {
        Some(Bug::Framing) => Box::new(Reads(side)),
        _ => Box::new(LineReceiver::new(Lines(side))),
    }
}

struct Lines<S>(S);

impl<S: Side> LineHandler for Lines<S> {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.0.connection_made(lines);
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        self.0.line_received(lines, line);
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        let id = lines.id();
        self.0.connection_lost(lines.context(), id);
    }
}

/// The planted bug: each read is treated as whole lines.
struct Reads<S>(S);

impl<S: Side> Protocol for Reads<S> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.connection_made(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        for line in String::from_utf8_lossy(data).lines() {
            self.0.line_received(transport, line);
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        let id = transport.id();
        self.0.connection_lost(transport.context(), id);
    }
}

/// Connects. A failed attempt is repeated later.
pub(super) fn connect(context: &mut Context, address: &'static str, side: impl Side) {
    if context.connect_tcp(address, Connecting { address, side: side.clone() }).is_err() {
        connect_later(context, address, side); // The name is unknown as yet.
    }
}

/// The delay before a side connects again.
const DELAY: Duration = Duration::from_millis(200);

pub(super) fn connect_later(context: &mut Context, address: &'static str, side: impl Side) {
    context.call_later(DELAY, move |context| connect(context, address, side));
}

struct Connecting<S> {
    address: &'static str,
    side: S,
}

impl<S: Side> Factory for Connecting<S> {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(protocol(self.side.clone(), None))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        connect_later(context, self.address, self.side.clone());
    }
}
