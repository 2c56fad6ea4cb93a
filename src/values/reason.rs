//! Why a connection ended.

use std::fmt;
use std::io;

/// Why a connection ended, as told to
/// [`Protocol::connection_lost`](crate::Protocol::connection_lost).
///
/// Only [`Closed`](Self::Closed) and [`ClosedByPeer`](Self::ClosedByPeer) promise that every byte
/// which was written has been handed to the system, but for what was
/// [dropped on purpose](crate::SlowReader::DropOldest).
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
    /// We aborted it: what waited to be sent was dropped, and the peer was sent a reset.
    Aborted,
    /// We closed it, and all that was written before has been handed to the system.
    Closed,
    /// We closed it, or ended our side, and there was no progress in the time that is given for it (see
    /// [`Transport::close`](crate::Transport::close)): the peer took nothing of the queued data, or the
    /// producer brought nothing. The rest was dropped.
    CloseTimeout,
    /// The peer ended its side first; what we had written before has been handed to the system.
    ClosedByPeer,
    /// It was [let go](crate::Context::detach): it goes on, in other hands, and so does what had been
    /// written and not sent.
    Detached,
    /// The system reported an error that has no reason of its own here.
    Failed(io::Error),
    /// A callback of its protocol or of its producer panicked. What waited to be sent was dropped, and the
    /// peer was sent a reset, whatever the callback asked for before. Only a
    /// [detached](crate::Context::detach) socket has left the reactor by then: that stays `Detached`.
    Panicked,
    /// The peer reset it: its program died, or closed with our data unread.
    Reset,
    /// The reactor stopped. What was written was sent if the peer took it within the
    /// [grace](crate::Reactor::set_grace); the rest was dropped.
    Stopped,
    /// The peer stopped answering, and the system gave up.
    TimedOut,
    /// More waited to be sent than the
    /// [limit](crate::Transport::set_write_limit) allows: the peer reads too slowly, or not at all.
    WriteLimit,
}

impl Reason {
    /// Whether bytes that were written may have been dropped, so that the peer must be told by a
    /// reset that what it got is not the whole.
    pub(crate) fn is_abrupt(&self) -> bool {
        !matches!(self, Self::Closed | Self::ClosedByPeer | Self::Detached | Self::Stopped)
    }

    pub(crate) const COUNT: usize = Self::NAMES.len();

    /// The kinds of reasons, as `Debug` prints them, in the order of [`index`](Self::index).
    pub(crate) const NAMES: [&'static str; 11] = [
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
        "WriteLimit",
    ];

    /// The place of this kind among all.
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
            Self::WriteLimit => 10,
        }
    }

    /// Gives the reason away. Something has to stay behind, and this costs nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Closed)
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A write after the peer's reset has been reported says EPIPE: it is still the reset.
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
                f.write_str("closed by us, and the peer did not take what waited in time")
            }
            Self::ClosedByPeer => f.write_str("closed by the peer"),
            Self::Detached => f.write_str("let go"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked => f.write_str("a callback panicked"),
            Self::Reset => f.write_str("reset by the peer"),
            Self::Stopped => f.write_str("the reactor stopped"),
            Self::TimedOut => f.write_str("timed out"),
            Self::WriteLimit => f.write_str("too much waited to be sent"),
        }
    }
}
