//! Reasons for the end of a connection.

use std::fmt;
use std::io;

/// Why a connection ended: an argument of
/// [`Protocol::connection_lost`](crate::Protocol::connection_lost).
///
/// Only after [`Closed`](Self::Closed) and [`ClosedByPeer`](Self::ClosedByPeer) the system has taken every
/// written byte, except those that were
/// [dropped on request](crate::SlowReader::DropOldest).
///
/// ```
/// use ropewalk::Reason;
///
/// fn try_again(reason: &Reason) -> bool {
///     match reason {
///         Reason::Closed | Reason::Aborted | Reason::Stopped => false, // our own doing
///         Reason::ClosedByPeer => false,
///         _ => true,
///     }
/// }
/// assert!(try_again(&Reason::Reset));
/// assert_eq!(Reason::Reset.to_string(), "reset by the peer");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The connection was aborted: queued data was dropped, and a reset was sent.
    #[doc(alias = "ConnectionAborted")]
    Aborted,
    /// The connection was closed, and the system has taken all data that was written before.
    #[doc(alias = "ConnectionDone")]
    Closed,
    /// The connection or our side of it was closed, and made no progress within the deadline (see
    /// [`Transport::close`](crate::Transport::close)): the peer took no queued data, or the
    /// producer wrote none. The rest was dropped.
    CloseTimeout,
    /// The peer ended its side first; the system has taken all data that was written before.
    #[doc(alias = "ConnectionDone")]
    ClosedByPeer,
    /// The socket was [detached](crate::Transport::detach) and stays open. The caller received the unsent
    /// data as well.
    Detached,
    /// The system or a [filter](crate::Filter) reported another error.
    #[doc(alias = "ConnectionLost")]
    Failed(io::Error),
    /// A callback of its protocol, its producer or a filter panicked. Queued data was dropped and a reset was
    /// sent, whatever the callback requested before. Only a
    /// [detached](crate::Transport::detach) socket has left the reactor by then: that stays `Detached`.
    Panicked,
    /// The peer reset it: its program died, or closed with our data unread. Or nothing reads the pipe any more.
    #[doc(alias = "ConnectionLost")]
    Reset,
    /// The reactor stopped. Queued data was sent if the peer took it within the
    /// [grace period](crate::Reactor::set_grace); the rest was dropped.
    Stopped,
    /// The peer stopped answering, and the system closed the connection.
    TimedOut,
    /// The bytes from the peer ended, and a [filter](crate::Filter) of the connection has not received the peer's
    /// goodbye: data may have been cut off. Queued data was dropped.
    Truncated,
    /// More data was queued than the
    /// [limit](crate::Transport::set_write_limit) allows: the peer reads too slowly, or not at all.
    WriteLimit,
}

impl Reason {
    /// Returns true if written bytes may have been dropped. A reset then tells the peer that
    /// the data is incomplete.
    pub(crate) fn is_abrupt(&self) -> bool {
        !matches!(self, Self::Closed | Self::ClosedByPeer | Self::Detached | Self::Stopped)
    }

    pub(crate) const COUNT: usize = Self::NAMES.len();

    /// The kinds of reasons, named as in `Debug`, in the order of [`index`](Self::index).
    pub(crate) const NAMES: [&'static str; 12] = [
        "Aborted",
        "Closed",
        "CloseTimeout",
        "ClosedByPeer",
        "Detached",
        "Failed",
        "Panicked",
        "Reset",
        "Stopped",
        "TimedOut",
        "Truncated",
        "WriteLimit",
    ];

    /// Returns the position of this kind in `NAMES`.
    pub(crate) fn index(&self) -> usize {
        match self {
            Self::Aborted => 0,
            Self::Closed => 1,
            Self::CloseTimeout => 2,
            Self::ClosedByPeer => 3,
            Self::Detached => 4,
            Self::Failed(_) => 5,
            Self::Panicked => 6,
            Self::Reset => 7,
            Self::Stopped => 8,
            Self::TimedOut => 9,
            Self::Truncated => 10,
            Self::WriteLimit => 11,
        }
    }

    /// Takes the reason and leaves `Closed`, which allocates nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A write after the reset of the peer was reported fails with EPIPE: the reason is still the reset.
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Failed(error),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => f.write_str("aborted by us"),
            Self::Closed => f.write_str("closed by us"),
            Self::CloseTimeout => {
                f.write_str("closed by us; the peer did not read the queued data in time")
            }
            Self::ClosedByPeer => f.write_str("closed by the peer"),
            Self::Detached => f.write_str("detached"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked => f.write_str("a callback panicked"),
            Self::Reset => f.write_str("reset by the peer"),
            Self::Stopped => f.write_str("the reactor stopped"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Truncated => f.write_str("cut off by the peer"),
            Self::WriteLimit => f.write_str("too much queued data"),
        }
    }
}
