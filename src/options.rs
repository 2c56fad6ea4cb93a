//! How to listen and how to connect, where the defaults do not suit.

use std::time::Duration;

/// How to listen.
///
/// ```
/// use ropewalk::ListenOptions;
///
/// let options = ListenOptions::new().backlog(16).nodelay(false);
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub(crate) backlog: u32,
    pub(crate) nodelay: bool,
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    /// Whether to ask first if the port is somebody else's, which with `reuse_port` would not show.
    pub(crate) claim: bool,
}

impl ListenOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self { backlog: 1024, nodelay: true, reuse_address: true, reuse_port: false, claim: false }
    }

    /// How many connections may wait to be accepted: 1,024 unless set. The system may cut it, Linux
    /// to `net.core.somaxconn` (listen(2)).
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether accepted connections send at once what they are given (TCP_NODELAY, tcp(7)), rather
    /// than wait for more: on unless set. The reactor gathers writes itself.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Whether the port may be had while connections of an earlier listener on it are still in
    /// TIME_WAIT (SO_REUSEADDR, socket(7)): on unless set. Unix only; elsewhere it does nothing.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether the port may be shared with other listeners of the same user that allow it, too, each
    /// of which is given some of the connections (SO_REUSEPORT, socket(7)): off unless set. A
    /// [`ReactorGroup`](crate::ReactorGroup) does this for several reactors; see there for what to
    /// expect of it.
    ///
    /// A port that is in use by one who allows it is no error any more, even if that is another
    /// program which was started twice by mistake.
    ///
    /// Where a port cannot be shared so that all get their part, listening fails with
    /// [`Unsupported`](std::io::ErrorKind::Unsupported): Linux, DragonFly BSD and FreeBSD (as
    /// SO_REUSEPORT_LB) can; macOS and the other BSDs give all connections to one of the listeners.
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How to connect.
///
/// ```
/// use ropewalk::ConnectOptions;
/// use std::time::Duration;
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(crate) nodelay: bool,
    pub(crate) timeout: Duration,
}

impl ConnectOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self { nodelay: true, timeout: Duration::from_secs(30) }
    }

    /// Whether the connection sends at once what it is given (TCP_NODELAY, tcp(7)): on unless set.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// How long to try, over all addresses of a name together: 30 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}
