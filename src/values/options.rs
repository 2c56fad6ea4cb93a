//! Options of listeners and of connection attempts.

#[cfg(unix)]
use crate::values::file_options::FileOptions;
use crate::values::filter::{Filter, FilterOptions};
use crate::values::slow_reader::SlowReader;
use crate::values::socket_option::{KeepAlive, SocketOption};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Options of a connection, accepted or outgoing.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionOptions {
    pub(crate) nodelay: bool,
    pub(crate) slow_reader: SlowReader,
    /// True to accept the descriptors that the peer passes over a Unix socket.
    pub(crate) descriptors: bool,
    /// `None` if neither filters nor their timeout were set, so that a copy costs nothing.
    pub(crate) filter_options: Option<Arc<FilterOptions>>,
}

impl ConnectionOptions {
    const fn new() -> Self {
        let slow_reader = SlowReader::Pause;
        Self { nodelay: true, slow_reader, descriptors: false, filter_options: None }
    }

    /// Returns the filters of the connection, if there are any.
    pub(crate) fn filters(&self) -> Option<&Arc<FilterOptions>> {
        self.filter_options.as_ref().filter(|options| !options.makers().is_empty())
    }

    fn filters_mut(&mut self) -> &mut FilterOptions {
        Arc::make_mut(self.filter_options.get_or_insert_default())
    }
}

/// Implements the methods for options of connections, which listeners and connection attempts share.
macro_rules! connection_options {
    ($options:ty) => {
        /// # Options of connections
        impl $options {
            /// Sets whether a connection sends data at once (TCP_NODELAY, tcp(7)) instead of waiting for
            /// more. Default: on. The reactor gathers writes itself.
            #[must_use]
            pub fn nodelay(mut self, nodelay: bool) -> Self {
                self.connection.nodelay = nodelay;
                self
            }

            /// Sets the policy for peers that read too slowly. Default: the writer is asked to pause.
            #[must_use]
            pub fn slow_reader(mut self, slow_reader: SlowReader) -> Self {
                self.connection.slow_reader = slow_reader;
                self
            }

            /// Adds a [`Filter`] to each connection, above those that were added before. `make` makes one
            /// for each connection.
            #[must_use]
            pub fn filter<F: Filter>(
                mut self,
                make: impl Fn() -> F + Send + Sync + 'static,
            ) -> Self {
                self.connection.filters_mut().add(make);
                self
            }

            /// Sets how long the handshakes of all filters of a connection may take together, from the moment
            /// at which the connection is established. Default: 10 seconds. It does not apply to filters that
            /// are [added later](crate::Transport::add_filter).
            #[must_use]
            pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
                self.connection.filters_mut().handshake_timeout = timeout;
                self
            }

            /// Sets whether to accept the descriptors that the peer passes over a Unix socket, and deliver
            /// them to [`descriptors_received`](crate::Protocol::descriptors_received). Default: off; the
            /// system closes them then.
            ///
            /// Do not set SO_PASSPIDFD (unix(7)) by [`Context::descriptor`](crate::Context::descriptor): the
            /// system would add a descriptor to each message, which is never taken and never closed.
            #[cfg(unix)]
            #[must_use]
            pub fn descriptors(mut self, take: bool) -> Self {
                self.connection.descriptors = take;
                self
            }

            /// Sets when a connection probes a silent peer (SO_KEEPALIVE, tcp(7)). Default: never.
            #[must_use]
            pub fn keep_alive(self, keep_alive: KeepAlive) -> Self {
                self.option(SocketOption::KeepAlive(Some(keep_alive)))
            }
        }
    };
}

connection_options!(ListenOptions);
connection_options!(ConnectOptions);

/// The options of a listener, and the action of listening.
///
/// [`nodelay`](Self::nodelay), [`reuse_address`](Self::reuse_address) and [`reuse_port`](Self::reuse_port) have no effect
/// on Unix sockets; `mode`, `keep_file` and `descriptors` have none on TCP. To set a [`SocketOption`] that Unix sockets do
/// not have is an error there.
///
/// ```
/// use ropewalk::ListenOptions;
///
/// let options = ListenOptions::new().backlog(16).nodelay(false);
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub(crate) backlog: u32,
    pub(crate) max_connections: usize,
    pub(crate) connection: ConnectionOptions,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    /// True to check first that no other program uses the port, which `reuse_port` would hide.
    pub(crate) claim: bool,
    /// The options without a field of their own.
    pub(crate) others: Vec<SocketOption>,
    #[cfg(unix)]
    pub(crate) file: FileOptions,
}

impl ListenOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            backlog: 1024,
            max_connections: usize::MAX,
            connection: ConnectionOptions::new(),
            reuse_address: true,
            reuse_port: false,
            claim: false,
            others: Vec::new(),
            #[cfg(unix)]
            file: FileOptions::new(),
        }
    }

    /// Sets the number of connections that can wait to be accepted. Default: 1,024. The system may limit it,
    /// Linux to `net.core.somaxconn` (listen(2)).
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Sets how many accepted connections may be open at a time. Default: no limit. At the limit the listener
    /// accepts no more until a connection has ended; other clients wait in the [backlog](Self::backlog), where the
    /// system has established their connections already. Connections in the handshake of a filter count. Each
    /// reactor of a [`ReactorGroup`](crate::ReactorGroup) has this limit.
    ///
    /// ```
    /// use ropewalk::ListenOptions;
    ///
    /// let options = ListenOptions::new().max_connections(1000).backlog(50);
    /// ```
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets whether the port can be bound while connections of an earlier listener on it are still in TIME_WAIT
    /// (SO_REUSEADDR, socket(7)). Default: on. Unix only; elsewhere it does nothing.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Sets whether the port can be shared with other listeners of the same user that allow it, each of which
    /// accepts some of the connections (SO_REUSEPORT, socket(7)). Default: off. A
    /// [`ReactorGroup`](crate::ReactorGroup) does this for several reactors, and describes the effects.
    ///
    /// A port in use by a listener that allows sharing is then no error, even if it belongs to another program,
    /// or to the same program, started twice by mistake.
    ///
    /// Linux, DragonFly BSD and FreeBSD (as SO_REUSEPORT_LB) distribute the connections. macOS and the other
    /// BSDs give all connections to one of the listeners; there listening fails with
    /// [`Unsupported`](std::io::ErrorKind::Unsupported).
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Sets whether a listener on an IPv6 address accepts IPv6 only (IPV6_V6ONLY, ipv6(7)). Default: as the
    /// system; on Linux `[::]` accepts IPv4 clients as well.
    #[must_use]
    pub fn only_ipv6(self, only: bool) -> Self {
        self.option(SocketOption::OnlyIpv6(only))
    }

    /// Sets the permissions of a Unix socket's file, such as `0o660`. Default: `0o777` without the bits of the
    /// process's umask (unix(7)). On Linux a client needs write permission for the file. No client can
    /// connect before the file has its mode. Abstract names have no permissions.
    #[cfg(unix)]
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode & 0o7777);
        self
    }

    /// Sets whether a Unix socket's file stays when this listener closes: for a listener that another process
    /// has taken over. Default: off.
    #[cfg(unix)]
    #[must_use]
    pub fn keep_file(mut self, keep: bool) -> Self {
        self.file.keep = keep;
        self
    }

    /// Sets an option of the listening socket before it is bound; options with a method of their own are
    /// accepted as well. The accepted connections have the option too: see [`SocketOption`]. If an option is set
    /// twice, the later value applies.
    ///
    /// ```
    /// use ropewalk::{ListenOptions, SocketOption};
    ///
    /// let options = ListenOptions::new().option(SocketOption::Device("lo".to_owned()));
    /// ```
    #[must_use]
    pub fn option(mut self, option: SocketOption) -> Self {
        match option {
            SocketOption::Nodelay(nodelay) => self.connection.nodelay = nodelay,
            SocketOption::ReuseAddress(reuse) => self.reuse_address = reuse,
            SocketOption::ReusePort(reuse) => self.reuse_port = reuse,
            other => self.others.push(other),
        }
        self
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The options of a connection attempt, and the action of connecting.
///
/// [`nodelay`](Self::nodelay), [`local_address`](Self::local_address) and [`attempt_delay`](Self::attempt_delay) have no
/// effect on Unix sockets; `descriptors` has none on TCP. To set a [`SocketOption`] that Unix sockets do not have is an
/// error there.
///
/// ```
/// use ropewalk::ConnectOptions;
/// use std::time::Duration;
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(crate) connection: ConnectionOptions,
    pub(crate) timeout: Duration,
    pub(crate) attempt_delay: Duration,
    pub(crate) local_address: Option<SocketAddr>,
    /// The options without a field of their own.
    pub(crate) others: Vec<SocketOption>,
}

impl ConnectOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            connection: ConnectionOptions::new(),
            timeout: Duration::from_secs(30),
            attempt_delay: Duration::from_millis(250),
            local_address: None,
            others: Vec::new(),
        }
    }

    /// Sets the time limit of the attempt, for all addresses together. Default: 30 seconds. The handshakes of filters
    /// come after it, and have a time limit of their own ([`handshake_timeout`](Self::handshake_timeout)).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long an address has before the next one is tried as well (the Connection Attempt Delay of RFC 8305,
    /// section 5). Default: 250 ms, at least 10 ms. The delay is shorter if the [timeout](Self::timeout) would
    /// otherwise pass before each address is tried.
    ///
    /// ```
    /// use ropewalk::ConnectOptions;
    /// use std::time::Duration;
    ///
    /// let options = ConnectOptions::new().attempt_delay(Duration::from_millis(100));
    /// ```
    #[doc(alias = "happy_eyeballs_delay")]
    #[doc(alias = "attemptDelay")]
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay;
        self
    }

    /// Sets the local address (bind(2)). Default: the system chooses it. For port 0 the system chooses the port.
    /// Attempts with addresses of the other family, IPv4 or IPv6, then fail.
    ///
    /// ```
    /// use ropewalk::ConnectOptions;
    ///
    /// let options = ConnectOptions::new().local_address(([127, 0, 0, 1], 0).into());
    /// ```
    #[doc(alias = "bindAddress")]
    #[doc(alias = "local_addr")]
    #[must_use]
    pub fn local_address(mut self, address: SocketAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Sets an option of the socket before it begins to connect. If an option is set twice, the later value
    /// applies.
    #[must_use]
    pub fn option(mut self, option: SocketOption) -> Self {
        self.add(option);
        self
    }

    pub(crate) fn add(&mut self, option: SocketOption) {
        match option {
            SocketOption::Nodelay(nodelay) => self.connection.nodelay = nodelay,
            other => self.others.push(other),
        }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}
