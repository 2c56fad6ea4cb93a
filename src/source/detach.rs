//! Connections that were let go. Floor 1.

#[cfg(unix)]
use crate::source::stream::Stream;
#[cfg(unix)]
use crate::sys::OwnedFd;
use crate::values::address::Address;
use crate::values::statistics::ConnectionCounts;
use std::time::Instant;

/// A connection that was let go, by [`Context::detach`](crate::Context::detach): all that whoever
/// goes on with it needs.
///
/// What had been read has been delivered, so the rest of a message that is not complete is with the
/// protocol that was given it.
#[cfg(unix)]
#[derive(Debug)]
#[non_exhaustive]
pub struct Detached {
    /// The socket, connected and not watched by anybody. It does not block (O_NONBLOCK, fcntl(2)),
    /// and closes when a program is executed (FD_CLOEXEC).
    pub socket: OwnedFd,
    /// The address of the peer's end.
    pub peer: Address,
    /// What was written and the system has not taken: it comes before all else that is to be sent.
    pub unsent: Vec<u8>,
    /// Whether our side was ended, by [`write_eof`](crate::Transport::write_eof): once `unsent` has
    /// been sent, that is to be done, if it has not been done yet. To do it again is no harm.
    pub write_eof: bool,
}

/// What is left of it here, until its protocol has been told.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct DetachedSlot {
    pub(crate) peer: Address,
    pub(crate) since: Instant,
    pub(crate) counts: ConnectionCounts,
}

impl DetachedSlot {
    #[cfg(unix)]
    pub(crate) fn new(stream: &Stream) -> Self {
        // What waits goes along.
        let counts = ConnectionCounts { waiting: 0, ..stream.counts() };
        Self { peer: stream.peer.clone(), since: stream.traffic.since, counts }
    }
}
