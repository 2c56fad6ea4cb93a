//! Policies for peers that read too slowly.

/// The policy for a peer that reads more slowly than data is written, or not at all.
///
/// It is set for all connections of a listener ([`ListenOptions::slow_reader`]) or for each
/// connection ([`ConnectOptions::slow_reader`], [`Transport::set_slow_reader`]).
///
/// ```
/// use ropewalk::{ListenOptions, SlowReader};
///
/// // Prices: a slow client needs the latest ones, not all.
/// let options = ListenOptions::new().slow_reader(SlowReader::DropOldest(64 * 1024));
/// ```
///
/// [`ListenOptions::slow_reader`]: crate::ListenOptions::slow_reader
/// [`ConnectOptions::slow_reader`]: crate::ConnectOptions::slow_reader
/// [`Transport::set_slow_reader`]: crate::Transport::set_slow_reader
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "slow consumer")]
#[doc(alias = "client-output-buffer-limit")]
#[doc(alias = "overflow")]
pub enum SlowReader {
    /// Asks the writer to pause and notifies it when it can resume:
    /// [`pause_writing`](crate::Protocol::pause_writing), and `pause_producing` of a push
    /// [`Producer`](crate::Producer). A connection with a writer that ignores this ends at the
    /// [write limit](crate::Transport::set_write_limit). This is the default.
    #[default]
    Pause,
    /// Ends the connection with [`Reason::WriteLimit`](crate::Reason::WriteLimit) at the next write
    /// if more than this number of bytes is queued, or if more than 1,024 descriptors would be queued.
    /// `pause_writing` is not called before.
    Disconnect(usize),
    /// Drops the oldest queued data, so that at most this number of bytes is queued (and the 16 KiB
    /// that are sent next). It is for feeds in which new data matters more than complete data: `pause_writing`
    /// is not called for bytes, and the connection stays open. Descriptors and the bytes that
    /// carry them are not dropped: `pause_writing` is called for them.
    ///
    /// The unit is a chunk: all data that one callback of the protocol writes to its own connection,
    /// or one write by id from elsewhere, also for a connection attempt. A chunk is sent whole or not at all, so
    /// it must contain whole messages. The newest chunk is kept, however long it is. The
    /// [counts](crate::Transport::counts) of the connection tell how many were dropped.
    DropOldest(usize),
}
