//! What has been counted. Floor 0.

use crate::values::reason::Reason;
use std::time::Duration;

/// What became of the bytes of one connection: see
/// [`Context::connection_counts`](crate::Context::connection_counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Bytes that have come.
    pub received: u64,
    /// Bytes that were handed to the system.
    pub sent: u64,
    /// Reads that brought something: system calls.
    pub reads: u64,
    /// Writes that took something: system calls.
    pub writes: u64,
    /// Bytes that wait to be sent.
    pub waiting: usize,
    /// Pieces that were dropped, since newer ones came:
    /// see [`SlowReader::DropOldest`](crate::SlowReader::DropOldest).
    pub dropped: u64,
    /// The bytes of those pieces.
    pub dropped_bytes: u64,
}

/// What a reactor has done since it began: see [`Context::statistics`](crate::Context::statistics).
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
    /// Those that were lost, by [`Reason::index`].
    pub(crate) lost: [u64; Reason::COUNT],
    /// Bytes that have come, over all connections: those that are there and those that were.
    pub received: u64,
    /// Bytes that were handed to the system, over all connections.
    pub sent: u64,
    /// Pieces that were dropped for [slow readers](crate::SlowReader::DropOldest), over all connections.
    pub dropped: u64,
    /// Bytes that wait to be sent now, over all connections.
    pub waiting: usize,
    /// Datagrams that have come, over all sockets.
    pub datagrams_received: u64,
    /// Datagrams that were handed to the system, over all sockets.
    pub datagrams_sent: u64,
    /// Datagrams that were to be sent and dropped, over all sockets.
    pub datagrams_dropped: u64,
    /// Callbacks that have panicked, timers and calls from other threads among them, and drops of what
    /// users gave.
    pub panics: u64,
    /// The longest that a callback has kept everybody waiting. Callbacks are timed in stretches of up
    /// to 32 as long as they are quick, so what is told here may be what several took together; no
    /// single one took longer.
    pub longest_callback: Duration,
}

impl Statistics {
    /// How many connections were lost, for whatever reason.
    pub fn lost(&self) -> u64 {
        self.lost.iter().sum()
    }

    /// How many were lost for a reason of this kind.
    pub fn lost_by(&self, reason: &Reason) -> u64 {
        self.lost[reason.index()]
    }

    /// All reasons for which some were lost, by their names, and how many that were.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::NAMES.into_iter().zip(self.lost).filter(|(_, count)| *count > 0)
    }

    /// Adds what a connection has done.
    pub(crate) fn add(&mut self, counts: &ConnectionCounts) {
        self.received += counts.received;
        self.sent += counts.sent;
        self.dropped += counts.dropped;
        self.waiting += counts.waiting;
    }

    /// Adds what a socket for datagrams has done.
    pub(crate) fn add_datagrams(&mut self, counts: &DatagramCounts) {
        self.datagrams_received += counts.received;
        self.datagrams_sent += counts.sent;
        self.datagrams_dropped += counts.dropped;
    }
}

/// What became of the datagrams of one socket: see [`Context::datagram_counts`](crate::Context::datagram_counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramCounts {
    /// Received, those that were truncated among them. What the system has lost, since nobody read
    /// it in time, is not: it does not tell.
    pub received: u64,
    /// Received, and longer than
    /// [`max_datagram_size`](crate::DatagramOptions::max_datagram_size).
    pub truncated: u64,
    /// Handed to the system.
    pub sent: u64,
    /// Sent, and dropped here: too long, refused by the system, beyond what may
    /// [wait](crate::DatagramOptions::queue_limits), or still waiting at the end.
    pub dropped: u64,
    /// Waiting to be sent.
    pub waiting: usize,
}
