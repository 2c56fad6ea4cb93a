//! The receiving half of a connection.

/// What is known of the bytes from the peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Input {
    /// What the protocol wants: see [`Reading`].
    pub(crate) reading: Reading,
    /// How far the ending of the peer's side has come.
    pub(crate) peer_side: PeerSide,
    /// Data has been received since the connection was closed: the peer is still sending.
    pub(crate) received_after_close: bool,
}

/// Whether data is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    #[default]
    On,
    /// The protocol has paused it.
    Paused,
    /// It is on again once the protocol has been notified.
    Resumed,
}

/// How far the ending of the peer's side has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerSide {
    #[default]
    Open,
    /// The poll has reported the end while reading was paused, and the protocol was notified. The end
    /// itself has not been read.
    Noticed,
    /// The end has been read; `first` if our side was open then.
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
