//! Statistics of connections, sockets and reactors.

use crate::values::reason::Reason;
use std::time::Duration;

/// The counts of one connection: see [`Transport::counts`](crate::Transport::counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Bytes received.
    pub received: u64,
    /// Bytes that the system has taken.
    pub sent: u64,
    /// System calls that read data.
    pub reads: u64,
    /// System calls that wrote data.
    pub writes: u64,
    /// Bytes queued.
    pub queued: usize,
    /// Chunks dropped to make room for newer ones:
    /// see [`SlowReader::DropOldest`](crate::SlowReader::DropOldest).
    pub dropped: u64,
    /// The bytes of those chunks.
    pub dropped_bytes: u64,
}

/// The counts of a reactor since it was made: see [`Context::statistics`](crate::Context::statistics).
///
/// ```
/// # use ropewalk::{Error, Protocol, Reactor, Reason, Transport};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// # }
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
/// let client = std::net::TcpStream::connect(port.address()).unwrap();
/// while reactor.context().statistics().made == 0 {
///     reactor.turn(None)?;
/// }
/// drop(client);
/// while reactor.context().statistics().lost() == 0 {
///     reactor.turn(None)?;
/// }
/// let statistics = reactor.context().statistics();
/// assert_eq!(statistics.lost_by(&Reason::ClosedByPeer), 1);
/// for (reason, count) in statistics.reasons() {
///     println!("{count} lost: {reason}");
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Turns of the reactor.
    pub turns: u64,
    /// Connections that were made: [`connection_made`](crate::Protocol::connection_made) was called.
    pub made: u64,
    /// Connections lost, by [`Reason::index`].
    pub(crate) lost: [u64; Reason::COUNT],
    /// Bytes received, over all open and closed connections.
    pub received: u64,
    /// Bytes that the system has taken, over all connections.
    pub sent: u64,
    /// Chunks dropped for [slow readers](crate::SlowReader::DropOldest), over all connections.
    pub dropped: u64,
    /// Bytes queued now, over all connections.
    pub queued: usize,
    /// Datagrams received, over all sockets.
    pub datagrams_received: u64,
    /// Datagrams that the system has taken, over all sockets.
    pub datagrams_sent: u64,
    /// Outgoing datagrams that were dropped, over all sockets.
    pub datagrams_dropped: u64,
    /// Requests by the id of a closed connection or socket: they did nothing. See
    /// [`Context::transport`](crate::Context::transport).
    pub stale_requests: u64,
    /// Panics in callbacks, including timers, calls from other threads, and drops of users' values.
    pub panics: u64,
    /// The longest duration of a callback. While callbacks are quick they are timed in groups of up
    /// to 32, so the value may be the duration of a group; no
    /// single callback took longer.
    pub longest_callback: Duration,
}

impl Statistics {
    /// Returns the number of lost connections.
    pub fn lost(&self) -> u64 {
        self.lost.iter().sum()
    }

    /// Returns the number of connections lost for a reason of this kind.
    pub fn lost_by(&self, reason: &Reason) -> u64 {
        self.lost[reason.index()]
    }

    /// Returns the reasons that occurred, by name, with the number of lost connections.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::NAMES.into_iter().zip(self.lost).filter(|(_, count)| *count > 0)
    }

    /// Adds the counts of a connection.
    pub(crate) fn add(&mut self, counts: &ConnectionCounts) {
        self.received += counts.received;
        self.sent += counts.sent;
        self.dropped += counts.dropped;
        self.queued += counts.queued;
    }

    /// Adds the counts of a datagram socket.
    pub(crate) fn add_datagrams(&mut self, counts: &DatagramCounts) {
        self.datagrams_received += counts.received;
        self.datagrams_sent += counts.sent;
        self.datagrams_dropped += counts.dropped;
    }
}

/// The counts of one datagram socket: see [`DatagramTransport::counts`](crate::DatagramTransport::counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramCounts {
    /// Datagrams received, including truncated ones. Datagrams that the system dropped because its buffer was full
    /// are not counted: it does not report them.
    pub received: u64,
    /// Datagrams received that were longer than
    /// [`max_datagram_size`](crate::DatagramOptions::max_datagram_size).
    pub truncated: u64,
    /// Datagrams that the system has taken.
    pub sent: u64,
    /// Outgoing datagrams that were dropped: too long, refused by the system, beyond the
    /// [queue limits](crate::DatagramOptions::queue_limits), or still queued at the end.
    pub dropped: u64,
    /// Datagrams queued.
    pub queued: usize,
}
