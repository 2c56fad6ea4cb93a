//! Adopted sockets: sockets from elsewhere.

use crate::api::context::{Context, Pending};
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::factory::Factory;
use crate::api::listener::Port;
use crate::api::protocol::Protocol;
use crate::sys::backend::AdoptRequest;
use crate::sys::error::failed_plainly;
use crate::sys::{OwnedFd, SocketBackend};
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::{ConnectOptions, ListenOptions};
use log::info;
use std::io;
use std::sync::Arc;

/// # Sockets from elsewhere, and to elsewhere
///
/// A socket that another library or another process has made, or that was inherited when the program
/// began, can be adopted; and a connection or a listener can be detached, to be used by another reactor, a
/// thread or another process.
///
/// ```
/// use ropewalk::{Error, Protocol, Reactor, Transport};
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// /// Returns what it receives.
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let (mut one, mut other) = (Reactor::new()?, Reactor::new()?);
/// let port = one.listen_tcp("127.0.0.1:0", || Echo)?;
/// let mut client = TcpStream::connect(port.address()).unwrap();
/// while one.context().connections().next().is_none() {
///     one.turn(None)?;
/// }
///
/// let id = one.context().connections().next().unwrap();
/// let detached = one.context().transport(id).detach()?;
///
/// let context = other.context();
/// let id = context.adopt_connection(detached.socket, Echo)?;
/// context.transport(id).write(&detached.unsent);
/// if detached.write_eof {
///     context.transport(id).write_eof();
/// }
///
/// client.write_all(b"hello").unwrap();
/// other.turn(None)?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer).unwrap();
/// assert_eq!(&answer, b"hello");
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Accepts connections on a socket that is listening already, for example one from systemd, from another
    /// process, or from `std::net::TcpListener::bind`. `factory` builds a protocol for each connection, as with
    /// [`listen_tcp`](Self::listen_tcp).
    ///
    /// The reactor owns the socket from now on. It becomes non-blocking, and close-on-exec. It becomes
    /// non-blocking for other holders too, such as a process with a copy of the descriptor. If a holder
    /// clears O_NONBLOCK, it is set again before each accept(2), which is called only if a client is waiting.
    /// If the flag is cleared between the two calls and another holder accepts that client, accept(2) blocks
    /// until the next client connects.
    ///
    /// Some options of the socket and of the connections that it accepts
    /// [are turned off](Self::adopt_connection); the others stay. Other holders can continue to use the
    /// socket after it is [closed](Self::close). Therefore the file of a Unix socket stays. The next socket
    /// that [listens](Self::listen_unix) there replaces it.
    ///
    /// The example program `hot_restart` shows how a new process takes over the listeners of an old one
    /// without refusing a client.
    ///
    /// ```
    /// # use ropewalk::{Error, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// let mut reactor = Reactor::new()?;
    /// let port = reactor.context().adopt_listener(listener, || Quiet)?;
    /// println!("listening on {}", port.address());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket, or the socket is not a stream socket, is not listening, or has an
    /// address family that is not supported. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The
    /// descriptor is closed then.
    #[doc(alias = "adoptStreamPort")]
    #[doc(alias = "create_server")]
    pub fn adopt_listener(
        &mut self,
        socket: impl Into<OwnedFd>,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        ListenOptions::new().adopt_listener(self, socket, factory)
    }

    /// Serves a connection that is established already. `protocol` receives
    /// [`connection_made`](Protocol::connection_made) after the running callback, and then all other callbacks.
    /// Data can be written to the connection at once. [`ConnectOptions::adopt_connection`] does the same with other
    /// options than the defaults.
    ///
    /// The reactor owns the socket from now on. It becomes non-blocking, and close-on-exec.
    /// All holders of the socket share O_NONBLOCK, and another holder may clear it. Reads and writes do not
    /// depend on it (MSG_DONTWAIT, recv(2), send(2)). sendfile(2) does, so a [file](crate::FileSender) is
    /// read and written instead.
    ///
    /// # Options
    ///
    /// These options of the socket are turned off, where the system has them, for all holders:
    ///
    /// - SO_LINGER (socket(7)): close(2) would wait.
    /// - TCP_CORK (tcp(7)): writes would be held back.
    /// - SO_PASSCRED (unix(7)): messages of different senders would not be read together.
    /// - With the feature `foreign_sockets`, IP_RECVERR, IPV6_RECVERR (ip(7), ipv6(7)) and SO_TIMESTAMPING: reports would
    ///   fill the receive buffer, and nothing would read them.
    ///
    /// With this feature TCP_REPAIR is refused, since written data would not be sent. Without it these four must be off.
    /// A socket has them only if a program has set them.
    ///
    /// TCP_NODELAY (tcp(7)) is turned on, since the reactor gathers writes itself. All other options stay as they
    /// are. These change what the protocol receives: SO_KEEPALIVE and
    /// TCP_USER_TIMEOUT end a silent connection, SO_OOBINLINE puts urgent bytes among the others,
    /// TCP_DEFER_ACCEPT delays a connection until data has arrived, and a kTLS connection (TCP_ULP) encrypts
    /// written data. SO_RCVLOWAT must be at most 1, and is not reset here: with a higher value, data is held
    /// back until more has arrived. An option that another holder sets later stays set.
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket, or the socket is not a stream socket, is not connected, or has an
    /// address family that is not supported. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The
    /// descriptor is closed then, and the protocol is dropped.
    #[doc(alias = "adoptStreamConnection")]
    #[doc(alias = "connect_accepted_socket")]
    pub fn adopt_connection(
        &mut self,
        socket: impl Into<OwnedFd>,
        protocol: impl Protocol,
    ) -> Result<Id, Error> {
        ConnectOptions::new().adopt_connection(self, socket, protocol)
    }

    fn take_over_connection(
        &mut self,
        socket: OwnedFd,
        options: &ConnectOptions,
    ) -> io::Result<Id> {
        self.check_may_open()?;
        let takes_descriptors = options.connection.descriptors;
        let request = AdoptRequest { descriptor: socket, takes_descriptors };
        let (socket, peer) = self.backend.adopt_connection(request)?;
        options.others.iter().try_for_each(|option| socket.set_option(option))?;
        self.register_connection(socket, peer, &options.connection, true)
    }

    /// Receives and sends datagrams on an existing socket, such as UDP or raw. It behaves like a socket of
    /// [`listen_udp`](Self::listen_udp), or of [`connect_udp`](Self::connect_udp) if it is connected.
    /// [`DatagramOptions::adopt_datagram`] does the same with other options than the defaults.
    ///
    /// The reactor owns the socket from now on. It becomes non-blocking, and close-on-exec. The same options
    /// are turned off as for a [connection](Self::adopt_connection), and also, with the feature `foreign_sockets`, UDP_GRO and
    /// UDP_SEGMENT (udp(7)), which join several datagrams or split one. The others stay. UDP_CORK joins sent datagrams;
    /// it must be off, and is not turned off here. With IP_HDRINCL (raw(7)) each datagram begins with its
    /// header, as with [`DatagramOptions::header_included`].
    ///
    /// ```
    /// # use ropewalk::{Address, DatagramProtocol, DatagramTransport, Error, Reactor};
    /// # struct Quiet;
    /// # impl DatagramProtocol for Quiet {
    /// #     fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
    /// # }
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    /// let mut reactor = Reactor::new()?;
    /// let port = reactor.context().adopt_datagram(socket, Quiet)?;
    /// println!("receiving on {}", port.address());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket, or the socket is not a datagram socket or has an address family that
    /// is not supported. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The descriptor is closed then.
    #[doc(alias = "adoptDatagramPort")]
    pub fn adopt_datagram(
        &mut self,
        socket: impl Into<OwnedFd>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().adopt_datagram(self, socket, protocol)
    }
}

/// # Sockets from elsewhere
impl ListenOptions {
    /// Accepts connections on a socket that is listening already. All else is as for
    /// [`Context::adopt_listener`]. Only the options of connections apply, such as [`filter`](Self::filter),
    /// [`descriptors`](Self::descriptors) and [`slow_reader`](Self::slow_reader), and the limit of connections.
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket, or the socket is not a stream socket, is not listening, or has an
    /// address family that is not supported. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The
    /// descriptor is closed then.
    #[doc(alias = "adoptStreamPort")]
    pub fn adopt_listener(
        &self,
        context: &mut Context,
        socket: impl Into<OwnedFd>,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        let takes_descriptors = self.connection.descriptors;
        let request = AdoptRequest { descriptor: socket.into(), takes_descriptors };
        let opened = context.check_may_open().and_then(|()| {
            let socket = context.backend.adopt_listener(request)?;
            context.open_port(socket, self.connection.clone(), self.max_connections)
        });
        let error = |cause| failed_plainly("adopt", "a listener", cause);
        let (port, factory) = context.or_discard(opened.map_err(error), factory)?;
        context.pending.push_back(Pending::SetFactory(port.id(), Box::new(factory)));
        info!(target: TCP, "{} listening on {}, adopted", port.id(), port.address());
        Ok(port)
    }
}

/// # Sockets from elsewhere
impl ConnectOptions {
    /// Serves a connection that is established already, with these options: its [filters](Self::filter),
    /// [`descriptors`](Self::descriptors), [`nodelay`](Self::nodelay) (if off, it stays as it is),
    /// [`slow_reader`](Self::slow_reader) and each [option of the socket](Self::option). The timeout, the delay between
    /// attempts and the local address do not apply. All else is as for [`Context::adopt_connection`].
    ///
    /// There is a protocol before the handshakes of the filters: it receives `connection_made`, what it writes is
    /// queued until the filters are established, and if a handshake fails it receives `connection_lost`, as with
    /// [`add_filter`](crate::Transport::add_filter).
    ///
    /// ```
    /// use ropewalk::{ConnectOptions, Error, Protocol, Reactor, SlowReader, Transport};
    ///
    /// struct Quiet;
    ///
    /// impl Protocol for Quiet {
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    ///
    /// let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    /// let mut reactor = Reactor::new()?;
    /// ConnectOptions::new()
    ///     .slow_reader(SlowReader::Disconnect(1_000_000)) // bytes
    ///     .adopt_connection(reactor.context(), ours, Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket; if the socket is not a stream socket, is not connected, or has an address
    /// family that is not supported; if an option cannot be set. In the [shutdown](crate::RunPhase::DuringShutdown) it always
    /// fails. The descriptor is closed then, and the protocol is dropped.
    #[doc(alias = "adoptStreamConnection")]
    pub fn adopt_connection(
        &self,
        context: &mut Context,
        socket: impl Into<OwnedFd>,
        protocol: impl Protocol,
    ) -> Result<Id, Error> {
        let id = context.take_over_connection(socket.into(), self);
        let id = id.map_err(|cause| failed_plainly("adopt", "a connection", cause));
        let (id, protocol) = context.or_discard(id, protocol)?;
        if let Some(filters) = self.connection.filters() {
            context.pending.push_back(Pending::MakeFilters(id, Arc::clone(filters)));
        }
        context.pending.push_back(Pending::Made(id, Box::new(protocol)));
        Ok(id)
    }
}

/// # Sockets from elsewhere
impl DatagramOptions {
    /// Receives and sends datagrams on an existing socket. All else is as for
    /// [`Context::adopt_datagram`]. Only [`max_datagram_size`](Self::max_datagram_size) and
    /// [`queue_limits`](Self::queue_limits) apply.
    ///
    /// # Errors
    ///
    /// If the descriptor is not a socket, or the socket is not a datagram socket or has an address family that
    /// is not supported. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The descriptor is closed then.
    #[doc(alias = "adoptDatagramPort")]
    pub fn adopt_datagram(
        &self,
        context: &mut Context,
        socket: impl Into<OwnedFd>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let (socket, what) = (socket.into(), "a socket for datagrams".to_owned());
        let cannot = |what, cause| failed_plainly("adopt", what, cause);
        context
            .open_datagram(cannot, what, self, protocol, |backend| backend.adopt_datagram(socket))
    }
}
