//! Detached connections.

#[cfg(unix)]
use crate::source::stream::Stream;
#[cfg(unix)]
use crate::sys::OwnedFd;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::statistics::ConnectionCounts;
use std::time::Instant;

/// A connection that left the reactor by [`Transport::detach`](crate::Transport::detach), with everything that is
/// needed to continue it.
///
/// Data that was read has been delivered, so the beginning of an incomplete message is with the protocol that
/// received it.
#[cfg(unix)]
#[derive(Debug)]
#[non_exhaustive]
pub struct Detached {
    /// The socket, connected and no longer polled. It is non-blocking (O_NONBLOCK, fcntl(2)) and is closed when
    /// a program is executed (FD_CLOEXEC).
    pub socket: OwnedFd,
    /// The address of the peer.
    pub peer: Address,
    /// Written data that the system has not taken. Send it first.
    pub unsent: Vec<u8>,
    /// True if our side was ended by [`write_eof`](crate::Transport::write_eof). After `unsent` has been sent,
    /// end it; if it has ended already, that does no harm.
    pub write_eof: bool,
}

/// The rest of a detached connection, until its protocol has received `connection_lost`.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct DetachedSlot {
    pub(crate) peer: Address,
    pub(crate) listener: Id,
    pub(crate) since: Instant,
    pub(crate) counts: ConnectionCounts,
}

impl DetachedSlot {
    #[cfg(unix)]
    pub(crate) fn new(stream: &Stream) -> Self {
        // Queued data moves as well.
        let counts = ConnectionCounts { queued: 0, ..stream.counts() };
        let (peer, listener) = (stream.peer.clone(), stream.listener);
        Self { peer, listener, since: stream.traffic.since, counts }
    }
}
