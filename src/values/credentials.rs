//! Who is at the other end of a Unix socket. Floor 0.

/// Who the peer of a Unix socket was when it connected, or when it began to listen, as the system has
/// noted it (SO_PEERCRED, unix(7)). Nobody can forge it, and it does not change when the
/// process does.
///
/// ```
/// use ropewalk::{Protocol, Transport};
///
/// /// For the user whom it runs for, and nobody else.
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
    /// The process; `None` where it has no number that means anything to us, being in another
    /// namespace (pid_namespaces(7)). A process that has ended gives its number to others: to act on
    /// this is a race.
    pub pid: Option<i32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}
