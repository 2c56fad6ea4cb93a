//! Credentials of the peers of Unix sockets.

use crate::api::transport::Transport;
use crate::sys::StreamBackend;
use crate::values::credentials::Credentials;

/// # Unix sockets
impl Transport<'_> {
    /// Returns the peer's credentials when it connected, or began to listen, if this is a Unix socket
    /// (SO_PEERCRED, unix(7)). Linux only; elsewhere it returns `None`. It requires the feature `credentials`.
    #[doc(alias = "SO_PEERCRED")]
    pub fn peer_credentials(&self) -> Option<Credentials> {
        self.context.sources.stream(self.id)?.socket.peer_credentials()?.ok()
    }
}
