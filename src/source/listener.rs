//! Listeners: the outcomes of accept.

use crate::sys::{ListenerBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::journal::CallOutcome;
use crate::values::logging::TCP;
use crate::values::options::ConnectionOptions;
use log::trace;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

/// The number of connections that a listener accepts in one turn. More waiting clients must not delay the
/// connected ones.
pub(crate) const ACCEPTS: usize = 64;

/// How long a listener backs off when the system has run out of resources. The edge-triggered poll reports a
/// waiting client once, and an immediate retry would spin. Ten attempts a second cost nothing, and clients
/// wait in the backlog meanwhile.
pub(crate) const BACKOFF: Duration = Duration::from_millis(100);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: Box<dyn ListenerBackend>,
    /// The address, kept for the log when descriptors have run out.
    pub(crate) address: Address,
    /// Options of accepted connections.
    pub(crate) connections: ConnectionOptions,
    /// The number of accepted connections that are open.
    pub(crate) open: usize,
    /// How many may be open at a time.
    pub(crate) max_open: usize,
    /// True while it backs off.
    pub(crate) backing_off: bool,
    /// True if the failure has been logged and clients have waited since then: it is not logged again.
    pub(crate) failure_logged: bool,
}

/// The established connections of each listener. A listener that is closed is listed until they have ended.
#[derive(Debug, Default)]
pub(crate) struct Established(BTreeMap<Id, BTreeSet<Id>>);

impl Established {
    pub(crate) fn add(&mut self, listener: Id, connection: Id) {
        self.0.entry(listener).or_default().insert(connection);
    }

    pub(crate) fn remove(&mut self, listener: Id, connection: Id) {
        if let Some(connections) = self.0.get_mut(&listener) {
            connections.remove(&connection);
            if connections.is_empty() {
                self.0.remove(&listener);
            }
        }
    }

    /// Returns the connections of a listener.
    pub(crate) fn list(&self, listener: Id) -> Vec<Id> {
        self.0.get(&listener).into_iter().flatten().copied().collect()
    }

    /// Returns the number of connections of a listener.
    pub(crate) fn count(&self, listener: Id) -> usize {
        self.0.get(&listener).map_or(0, BTreeSet::len)
    }
}

/// The outcome of one accept.
#[derive(Debug)]
pub(crate) enum Accepted {
    Connection(StreamSocket, Address),
    /// The connection at the front of the queue has failed; the next one may be valid.
    Aborted(io::Error),
    /// The queue is empty.
    WouldBlock,
    /// The system has run out of a resource. Clients may be waiting, but another attempt at once is useless.
    Exhausted(io::Error),
}

impl Accepted {
    /// Returns the outcome for the journal.
    pub(crate) fn outcome(&self) -> CallOutcome {
        match self {
            Self::Connection(..) => CallOutcome::Done,
            Self::WouldBlock => CallOutcome::WouldBlock,
            Self::Aborted(error) | Self::Exhausted(error) => CallOutcome::from(error),
        }
    }
}

impl Listener {
    pub(crate) fn new(
        socket: Box<dyn ListenerBackend>,
        address: Address,
        connections: ConnectionOptions,
        max_open: usize,
    ) -> Self {
        Self {
            socket,
            address,
            connections,
            open: 0,
            max_open,
            backing_off: false,
            failure_logged: false,
        }
    }

    /// Returns true if it accepts no more, until a connection has ended.
    pub(crate) fn is_full(&self) -> bool {
        self.open >= self.max_open
    }

    pub(crate) fn accept(&mut self) -> Accepted {
        use io::ErrorKind::*;
        let result = self.socket.accept();
        trace!(target: TCP, "{} accept: {result:?}", self.address);
        match result {
            Ok((stream, peer)) => Accepted::Connection(stream, peer),
            Err(error) => match error.kind() {
                WouldBlock => {
                    self.failure_logged = false;
                    Accepted::WouldBlock
                }
                // accept(2) returns the error of a connection that failed in the queue.
                ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted
                | NetworkDown | NetworkUnreachable | PermissionDenied | TimedOut => {
                    Accepted::Aborted(error)
                }
                // EMFILE, ENFILE, ENOBUFS, ENOMEM and others: they must neither spin nor end the listener.
                _ => Accepted::Exhausted(error),
            },
        }
    }
}
