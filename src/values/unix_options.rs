//! How to listen on Unix sockets and how to connect to them, where the defaults do not suit. Floor 0.

use crate::values::file_options::FileOptions;
use crate::values::options::{ConnectOptions, ListenOptions};
use crate::values::slow_reader::SlowReader;
use std::time::Duration;

/// How to listen on a Unix socket.
///
/// ```
/// use ropewalk::UnixListenOptions;
///
/// // For the user and the group alone, and descriptors are welcome.
/// let options = UnixListenOptions::new().mode(0o660).descriptors(true);
/// ```
#[derive(Clone, Debug)]
pub struct UnixListenOptions {
    pub(crate) backlog: u32,
    pub(crate) file: FileOptions,
    pub(crate) descriptors: bool,
    pub(crate) slow_reader: SlowReader,
}

impl UnixListenOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            backlog: 1024,
            file: FileOptions::new(),
            descriptors: false,
            slow_reader: SlowReader::Pause,
        }
    }

    /// How many connections may wait to be accepted: 1,024 unless set. The system may cut it, Linux
    /// to `net.core.somaxconn` (listen(2)). A client that finds no room waits if its `connect`
    /// may; else it is told to try again.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// The permissions of the socket's file, such as `0o660`: what the process's umask leaves of
    /// `0o777` unless set (unix(7)). On Linux it takes the permission to write to the file to
    /// connect. Before the file has its mode nobody can connect, so there is no moment at which it
    /// is open to more than those. Abstract names have no permissions.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode & 0o7777);
        self
    }

    /// Whether the socket's file stays when this listener stops: off unless set. For a listener that
    /// another process has taken over and goes on with.
    #[must_use]
    pub fn keep_file(mut self, keep: bool) -> Self {
        self.file.keep = keep;
        self
    }

    /// Whether to take the descriptors that clients pass, and deliver them to
    /// [`descriptors_received`](crate::Protocol::descriptors_received): off unless set, and then
    /// the system closes them before they are ours.
    ///
    /// With SO_PASSPIDFD (unix(7)), set by means of [`Context::descriptor`](crate::Context::descriptor),
    /// the system would add a descriptor to each message, which is never taken and never closed. Do not set it.
    #[must_use]
    pub fn descriptors(mut self, take: bool) -> Self {
        self.descriptors = take;
        self
    }

    /// What to do with accepted connections whose peers read too slowly: ask those who write to pause, unless
    /// set.
    #[must_use]
    pub fn slow_reader(mut self, slow_reader: SlowReader) -> Self {
        self.slow_reader = slow_reader;
        self
    }
}

impl Default for UnixListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How to connect to a Unix socket.
///
/// ```
/// use ropewalk::UnixConnectOptions;
/// use std::time::Duration;
///
/// let options = UnixConnectOptions::new().timeout(Duration::from_secs(3)).descriptors(true);
/// ```
#[derive(Clone, Debug)]
pub struct UnixConnectOptions {
    pub(crate) timeout: Duration,
    pub(crate) descriptors: bool,
    pub(crate) slow_reader: SlowReader,
}

impl UnixConnectOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            descriptors: false,
            slow_reader: SlowReader::Pause,
        }
    }

    /// How long to try while the listener's queue is full: 30 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether to take the descriptors that the server passes, and deliver them to
    /// [`descriptors_received`](crate::Protocol::descriptors_received): off unless set, and then
    /// the system closes them before they are ours.
    #[must_use]
    pub fn descriptors(mut self, take: bool) -> Self {
        self.descriptors = take;
        self
    }

    /// What to do if the peer reads too slowly: ask those who write to pause, unless
    /// set.
    #[must_use]
    pub fn slow_reader(mut self, slow_reader: SlowReader) -> Self {
        self.slow_reader = slow_reader;
        self
    }
}

impl Default for UnixConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&UnixListenOptions> for ListenOptions {
    fn from(options: &UnixListenOptions) -> Self {
        let mut general = Self::new().backlog(options.backlog).descriptors(options.descriptors);
        general.file = options.file;
        general.slow_reader(options.slow_reader)
    }
}

impl From<&UnixConnectOptions> for ConnectOptions {
    fn from(options: &UnixConnectOptions) -> Self {
        let general = Self::new().timeout(options.timeout).descriptors(options.descriptors);
        general.slow_reader(options.slow_reader)
    }
}
