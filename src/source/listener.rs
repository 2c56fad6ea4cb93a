//! Listeners: what accepting can bring. Floor 1: it reports, others act.

use crate::sys::{ListenerSocket, StreamSocket};
use crate::values::address::Address;
use crate::values::logging::TCP;
use crate::values::options::ConnectionOptions;
use log::trace;
use std::io;
use std::time::Duration;

/// How many connections a listener accepts in one turn. More waiting ones have to let those have
/// their turn who are connected already.
pub(crate) const ACCEPTS: usize = 64;

/// How long a listener rests when the system has no more to give. Edge triggering tells of a
/// waiting client once, and asking again at once would spin; ten times a second costs nothing, and
/// the clients wait in the backlog meanwhile.
pub(crate) const BACKOFF: Duration = Duration::from_millis(100);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: ListenerSocket,
    /// Kept, so that it can be told when descriptors have run out.
    pub(crate) address: Address,
    /// What holds for accepted connections.
    pub(crate) connections: ConnectionOptions,
    /// It waits for its rest to end.
    pub(crate) backing_off: bool,
    /// The trouble has been told, and clients have waited ever since: it is not told again.
    pub(crate) complained: bool,
}

/// What one attempt to accept brought.
#[derive(Debug)]
pub(crate) enum Accepted {
    Connection(StreamSocket, Address),
    /// The client at the front has gone wrong; the one behind it may be well.
    Aborted(io::Error),
    /// No client waits.
    WouldBlock,
    /// The system has run out of something. Clients may wait, but asking again at once is useless.
    Exhausted(io::Error),
}

impl Listener {
    pub(crate) fn new(
        socket: ListenerSocket,
        address: Address,
        connections: ConnectionOptions,
    ) -> Self {
        Self { socket, address, connections, backing_off: false, complained: false }
    }

    pub(crate) fn accept(&mut self) -> Accepted {
        use io::ErrorKind::*;
        let result = self.socket.accept();
        trace!(target: TCP, "{} accept: {result:?}", self.address);
        match result {
            Ok((stream, peer)) => Accepted::Connection(stream, peer),
            Err(error) => match error.kind() {
                WouldBlock => {
                    self.complained = false;
                    Accepted::WouldBlock
                }
                // What accept(2) passes on from a connection that failed while it waited.
                ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted
                | NetworkDown | NetworkUnreachable | PermissionDenied | TimedOut => {
                    Accepted::Aborted(error)
                }
                // EMFILE, ENFILE, ENOBUFS, ENOMEM, and whatever else: it must neither spin nor
                // cost the listener.
                _ => Accepted::Exhausted(error),
            },
        }
    }
}
