//! Credentials of the peer of a Unix socket.

/// The process, user and group of the peer of a Unix socket, recorded by the system when the peer connected or
/// began to listen (SO_PEERCRED, unix(7)). They cannot be forged, and they stay the same when the
/// process changes its own.
///
/// ```
/// use ropewalk::{Protocol, Transport};
///
/// /// Serves one user only.
/// struct Private {
///     owner: u32,
/// }
///
/// impl Protocol for Private {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         if transport.peer_credentials().is_none_or(|peer| peer.uid != self.owner) {
///             transport.abort();
///         }
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "ucred")]
#[non_exhaustive]
pub struct Credentials {
    /// The process; `None` if it is in another namespace and has no number in ours (pid_namespaces(7)). The
    /// number of an ended process is reused, so acting on it is a race.
    pub pid: Option<i32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}
