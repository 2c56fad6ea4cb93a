//! Listeners, and the connections that they accept.

use crate::api::connector::set_nodelay;
use crate::api::context::{Context, Pending};
use crate::api::factory::Factory;
use crate::api::names::{name, no_address, no_room};
use crate::api::timer::Job;
use crate::source::listener::{BACKOFF, Listener};
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::errno::ACCES;
use crate::sys::error::failed;
use crate::sys::{ListenerBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::{ConnectionOptions, ListenOptions};
use crate::values::to_addresses::ToAddresses;
use log::{info, warn};
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// A listener or a datagram socket: its [`Id`], and its address as the system reports it.
///
/// ```
/// # use ropewalk::{Error, Protocol, Reactor, Transport};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// # }
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
/// println!("listening on {}", port.address());
/// assert_ne!(port.address().port(), Some(0));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Port {
    id: Id,
    address: Address,
}

impl Port {
    pub(super) fn new(id: Id, address: Address) -> Self {
        Self { id, address }
    }

    /// Returns the id. [`Context::close`] closes the socket.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the local address. If port 0 was requested, it has the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the open connections that this listener has accepted, in no particular order. The context can be
    /// used while they are iterated over. See also [`Transport::siblings`](crate::Transport::siblings).
    ///
    /// ```
    /// # use ropewalk::{Error, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
    /// let context = reactor.context();
    /// println!("{} connections", port.connection_count(context));
    /// for id in port.connections(context) {
    ///     context.transport(id).write(b"The server is closing.\r\n");
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "broadcast")]
    #[doc(alias = "ChannelGroup")]
    pub fn connections(&self, context: &Context) -> impl ExactSizeIterator<Item = Id> + use<> {
        context.established.list(self.id).into_iter()
    }

    /// Returns the number of [`connections`](Self::connections), in constant time.
    pub fn connection_count(&self, context: &Context) -> usize {
        context.established.count(self.id)
    }

    /// Returns the limit of [`ListenOptions::max_connections`], or `None` if the listener is closed.
    pub fn max_connections(&self, context: &Context) -> Option<usize> {
        match context.sources.get(self.id)? {
            Source::Listener(listener) => Some(listener.max_open),
            _ => None,
        }
    }

    /// Sets the limit of [`ListenOptions::max_connections`]. A lower limit closes no connection.
    pub fn set_max_connections(&self, context: &mut Context, connections: usize) {
        if let Some(Source::Listener(listener)) = context.sources.get_mut(self.id) {
            listener.max_open = connections;
            context.enqueue(self.id);
        }
    }
}

/// # Listening
impl ListenOptions {
    /// Listens for TCP connections with these options. All else is as for [`Context::listen_tcp`].
    ///
    /// ```
    /// # use ropewalk::{Error, ListenOptions, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// ListenOptions::new().backlog(16).listen_tcp(reactor.context(), "127.0.0.1:0", || Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system's: the address is in use, not local, or needs a privilege; or an option is not supported.
    /// In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenTCP")]
    #[doc(alias = "create_server")]
    pub fn listen_tcp(
        &self,
        context: &mut Context,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        let opened = context.open_first_listener(address, self);
        let (port, factory) = context.or_discard(opened, factory)?;
        context.pending.push_back(Pending::SetFactory(port.id, Box::new(factory)));
        info!(target: TCP, "{} listening on {}", port.id, port.address);
        Ok(port)
    }
}

/// # Listening
impl Context {
    /// Listens on `address` for TCP connections; `factory` builds a protocol for each.
    /// [`ListenOptions::listen_tcp`] does the same with other options than the defaults.
    ///
    /// With port 0 the system chooses a port; [`Port::address`] returns it. If a name has several
    /// addresses, the first that can be listened on is used. `[::]` accepts IPv4 clients as well where
    /// that is the system's default, as on Linux (ipv6(7), IPV6_V6ONLY).
    ///
    /// A name is looked up before a run only, since that blocks: a callback uses an address, or
    /// [resolves](Self::resolve) the name first.
    ///
    /// To stop listening, [close](Self::close) the port's id: the port is free at once, and the
    /// connections stay. Handshakes of [filters](crate::Filter) continue. The factory is dropped when
    /// the running callback has returned and no handshake is left.
    ///
    /// If the process or the system has no descriptors left (EMFILE, ENFILE, accept(2)), nothing is
    /// closed: clients wait in the backlog, and the listener tries again ten times a second. It logs a
    /// warning when that begins.
    ///
    /// # Errors
    ///
    /// The system's: the address is in use, not local, or needs a privilege. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenTCP")]
    #[doc(alias = "create_server")]
    pub fn listen_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        ListenOptions::new().listen_tcp(self, address, factory)
    }

    /// Listens on the first address that can be listened on.
    fn open_first_listener(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
    ) -> Result<Port, Error> {
        self.check_may_open().map_err(|cause| cannot_listen(name(&address), cause))?;
        let mut outcome = Err(no_address(cannot_listen));
        for address in self.addresses(cannot_listen, address)? {
            outcome = self
                .open_listener(address, options)
                .map_err(|cause| cannot_listen(address.to_string(), cause));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn open_listener(&mut self, address: SocketAddr, options: &ListenOptions) -> io::Result<Port> {
        let socket = self.backend.listen(&address.into(), &options.into())?;
        self.open_port(socket, options.connection.clone(), options.max_connections)
    }

    /// Registers a listening socket.
    pub(super) fn open_port(
        &mut self,
        socket: Box<dyn ListenerBackend>,
        connections: ConnectionOptions,
        max_connections: usize,
    ) -> io::Result<Port> {
        let address = socket.local_address()?;
        let listener = Listener::new(socket, address.clone(), connections, max_connections);
        Ok(Port { id: self.register(Source::Listener(listener))?, address })
    }

    /// Registers an accepted or adopted connection. `made` is true if it has a protocol before the handshakes of its
    /// filters.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered, or the table is full.
    pub(crate) fn register_connection(
        &mut self,
        socket: StreamSocket,
        peer: Address,
        options: &ConnectionOptions,
        made: bool,
    ) -> io::Result<Id> {
        set_nodelay(&socket, options.nodelay);
        let mut stream = Stream::new(socket, peer, self.now);
        if options.filters().is_some() {
            stream.output.filter(made);
        }
        stream.set_slow_reader(options.slow_reader, false, &mut self.spares);
        let id = self.register(Source::Stream(stream))?;
        if let Some(filters) = options.filters() {
            self.begin_handshake(id, filters.handshake_timeout);
        }
        Ok(id)
    }

    /// Gives a source a slot, and registers its socket with the poll.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered, or the table is full.
    pub(super) fn register(&mut self, mut source: Source) -> io::Result<Id> {
        let mut registered = Ok(());
        let id = self.sources.insert(|id| {
            registered = source.socket().map_or(Ok(()), |socket| socket.register(id));
            registered.is_ok().then_some(source)
        });
        registered?;
        id.ok_or_else(no_room)
    }

    /// Returns the established connections that the listener of a connection has accepted.
    pub(super) fn accepted_with(&self, id: Id) -> impl ExactSizeIterator<Item = Id> + use<> {
        let listener = self.sources.stream(id).map_or(Id::NONE, |stream| stream.listener);
        self.established.list(listener).into_iter()
    }

    /// Lists a connection that is established, if a listener has accepted it.
    pub(crate) fn note_established(&mut self, id: Id) {
        let stream = self.sources.stream(id).filter(|stream| stream.listener != Id::NONE);
        if let Some(stream) = stream {
            self.established.add(stream.listener, id);
        }
    }

    /// Counts an accepted connection.
    pub(crate) fn join_listener(&mut self, id: Id, listener: Id) {
        if let Some(stream) = self.sources.stream_mut(id) {
            stream.listener = listener;
        }
        if let Some(Source::Listener(listener)) = self.sources.get_mut(listener) {
            listener.open += 1;
        }
    }

    /// Stops counting a connection. Its listener accepts again, if it was full.
    pub(super) fn leave_listener(&mut self, id: Id) {
        let listener = match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.listener,
            Some(Source::DetachedSlot(slot)) => slot.listener,
            _ => return,
        };
        self.established.remove(listener, id);
        if let Some(Source::Listener(state)) = self.sources.get_mut(listener) {
            let was_full = state.is_full();
            state.open -= 1;
            if was_full {
                self.enqueue(listener);
            }
        }
    }

    /// Pauses a listener that has reached a limit of the system. It tries again after a while.
    pub(crate) fn begin_backoff(&mut self, id: Id, error: &io::Error) {
        if let Some(Source::Listener(listener)) = self.sources.get_mut(id) {
            if !std::mem::replace(&mut listener.failure_logged, true) {
                let address = &listener.address;
                warn!(
                    target: TCP,
                    "{id} cannot accept on {address}: {error}; trying again later"
                );
            }
            listener.backing_off = true;
            self.schedule(BACKOFF, Job::BackoffEnd(id));
        }
    }

    pub(crate) fn end_backoff(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Listener(listener)) => listener.backing_off = false,
            Some(Source::Datagram(datagram)) => datagram.end_backoff(),
            #[cfg(unix)]
            Some(Source::Stream(stream)) => stream.end_backoff(),
            _ => {}
        }
        self.enqueue(id);
    }

    /// Stops listening now; its factory is dropped after the running callback and the last handshake.
    pub(crate) fn close_listener(&mut self, id: Id) {
        if let Some(Source::Listener(listener)) = self.shut(id) {
            info!(target: TCP, "{id} no longer listening on {}", listener.address);
            self.pending.push_back(Pending::Free(id));
        }
    }
}

/// Makes the error of a request to listen, or to receive datagrams.
pub(crate) fn cannot_listen(on: String, cause: io::Error) -> Error {
    failed("listen on", on, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (_, ErrorKind::AddrInUse) => {
                "a socket of this or another program uses this port; choose another port, or port \
                 0 to let the system choose one"
            }
            (_, ErrorKind::AddrNotAvailable) => {
                "this machine does not have this address; use 127.0.0.1 or [::1], or 0.0.0.0 or \
                 [::] for all addresses"
            }
            (Some(ACCES), _) if cause.port().is_some_and(|port| (1..1024).contains(&port)) => {
                "ports below 1024 require a privilege; choose a higher port"
            }
            (Some(_), _) => return cause.on_address(),
            (None, _) => return cause.on_name(),
        })
    })
}
