//! The receiving half of a connection.

/// The state of the receiving half.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Input {
    /// Whether the protocol wants data: see [`Reading`].
    pub(crate) reading: Reading,
    /// The progress of the peer's end: see [`PeerSide`].
    pub(crate) peer_side: PeerSide,
    /// True if data was received after the close: the peer is still sending.
    pub(crate) received_after_close: bool,
}

/// Whether data is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    #[default]
    On,
    /// The protocol has paused reading.
    Paused,
    /// It changes to `On` once the protocol has been notified.
    Resumed,
}

/// The progress of the end of the peer's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerSide {
    #[default]
    Open,
    /// The poll has reported the end while reading was paused, and the protocol was notified. The end itself
    /// has not been read.
    Noticed,
    /// The end has been read. `first` is true if our side was open then.
    Ended { first: bool },
}

impl Input {
    /// Returns true if the end of the peer's data has been read.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.peer_side, PeerSide::Ended { .. })
    }

    /// Returns true if the peer ended its side while ours was open.
    pub(crate) fn peer_was_first(&self) -> bool {
        self.peer_side == PeerSide::Ended { first: true }
    }
}
