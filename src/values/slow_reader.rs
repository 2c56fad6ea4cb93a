//! What to do with a peer that reads too slowly. Floor 0.

/// What to do with a peer that reads more slowly than it is written to, or not at all.
///
/// It is chosen for all connections of a listener ([`ListenOptions::slow_reader`]) or for each
/// connection ([`ConnectOptions::slow_reader`], [`Transport::set_slow_reader`]).
///
/// ```
/// use ropewalk::{ListenOptions, SlowReader};
///
/// // Prices: who is behind wants the latest ones, not all that there were.
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
    /// Those who write are asked to pause, and told when to go on:
    /// [`pause_writing`](crate::Protocol::pause_writing), and a push
    /// [`Producer`](crate::Producer)'s `pause_producing`. Who does not heed it ends at the
    /// [write limit](crate::Transport::set_write_limit). This is what happens unless something else is set.
    #[default]
    Pause,
    /// The connection ends, with [`Reason::WriteLimit`](crate::Reason::WriteLimit), by the next write
    /// that finds more than so many bytes waiting, or that would have more than 1,024 descriptors wait.
    /// `pause_writing` is not called before.
    Disconnect(usize),
    /// What has waited longest is dropped, so that no more than so many bytes wait (and the 16 KiB
    /// that are next). For feeds, where what is new counts more than what is whole: `pause_writing`
    /// is not called for bytes, and the connection stays. Descriptors are not dropped, nor are the bytes that
    /// they go with: `pause_writing` is called for them.
    ///
    /// It drops pieces: all that one callback of the protocol has written, whatever the callback does in
    /// between, or one [`Context::write`](crate::Context::write) from elsewhere, also for an attempt to
    /// connect. A piece is sent whole or not at all, so
    /// put no half messages into it. The newest piece is kept however long it is. How many were
    /// dropped, [`Context::connection_counts`](crate::Context::connection_counts) tells.
    DropOldest(usize),
}
