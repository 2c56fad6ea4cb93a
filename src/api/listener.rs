//! Listening, and taking in what is accepted.

use crate::api::connector::{no_address, no_room, set_nodelay};
use crate::api::context::{Context, Pending};
use crate::api::protocol::Factory;
use crate::api::timer::Job;
use crate::source::listener::{BACKOFF, Listener};
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::{ListenerSocket, StreamSocket};
use crate::values::address::Address;
use crate::values::error::{Action, Error};
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::{ConnectionOptions, ListenOptions};
use crate::values::to_addresses::ToAddresses;
use log::{info, warn};
use std::io;
use std::net::SocketAddr;

/// A listener, or a socket for datagrams: its [`Id`], and the address that the system gave it.
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

    /// Its id, to [close](Context::close) it by.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Where it listens; if port 0 was asked for, the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// # Listening
impl Context {
    /// Listens on `address` for TCP connections, each of which gets a protocol from `factory`.
    ///
    /// Port 0 lets the system choose one, which [`Port::address`] tells. If a name has several
    /// addresses, the first that can be listened on is taken. `[::]` takes IPv4 clients as well,
    /// where the system does so by itself (Linux does: ipv6(7), IPV6_V6ONLY).
    ///
    /// To stop listening, [close](Self::close) the port's id: the port is free at once, its factory is
    /// dropped when the running callback has returned, and its connections stay.
    ///
    /// If the process or the system runs out of descriptors (EMFILE, ENFILE, accept(2)), nothing is
    /// closed: clients wait in the backlog, and the listener tries again ten times a second. It logs a
    /// warning when that begins.
    ///
    /// # Errors
    ///
    /// What the system answers: the address is in use, not ours, or needs a privilege; and always
    /// once the reactor [is stopping](Self::is_stopping).
    #[doc(alias = "listenTCP")]
    #[doc(alias = "create_server")]
    pub fn listen_tcp(
        &mut self,
        address: impl ToAddresses,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        self.listen_tcp_with(address, &ListenOptions::new(), factory)
    }

    /// [`listen_tcp`](Self::listen_tcp) with other options than the defaults.
    ///
    /// ```
    /// # use ropewalk::{Error, ListenOptions, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// let options = ListenOptions::new().backlog(16);
    /// reactor.context().listen_tcp_with("127.0.0.1:0", &options, || Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    ///
    /// # Errors
    ///
    /// As [`listen_tcp`](Self::listen_tcp).
    pub fn listen_tcp_with(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        let opened = self.open_first_listener(address, options);
        let (port, factory) = self.or_discard(opened, factory)?;
        self.pending.push_back(Pending::Seat(port.id, Box::new(factory)));
        info!(target: TCP, "{} listening on {}", port.id, port.address);
        Ok(port)
    }

    /// Listens on the first of the addresses on which it can.
    fn open_first_listener(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
    ) -> Result<Port, Error> {
        let mut outcome = Err(no_address(Action::Listen));
        for address in self.addresses(Action::Listen, address)? {
            outcome = self
                .open_listener(address, options)
                .map_err(|cause| Error::new(Action::Listen, address.to_string(), cause));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn open_listener(&mut self, address: SocketAddr, options: &ListenOptions) -> io::Result<Port> {
        let socket = self.world.listen(address, options)?;
        self.open_port(socket, options.connections)
    }

    /// Takes in a socket that listens.
    pub(super) fn open_port(
        &mut self,
        socket: ListenerSocket,
        connections: ConnectionOptions,
    ) -> io::Result<Port> {
        let address = socket.local_address()?;
        let listener = Listener::new(socket, address.clone(), connections);
        Ok(Port { id: self.take_in(Source::Listener(listener))?, address })
    }

    /// Takes in a connection that was accepted.
    ///
    /// # Errors
    ///
    /// If the poll cannot take it, or the table is full.
    pub(crate) fn adopt(
        &mut self,
        socket: StreamSocket,
        peer: Address,
        options: ConnectionOptions,
    ) -> io::Result<Id> {
        set_nodelay(&socket, options.nodelay);
        let mut stream = Stream::new(socket, peer, self.now);
        stream.set_slow_reader(options.slow_reader, false, &mut self.spares);
        self.take_in(Source::Stream(stream))
    }

    /// Gives a source a slot, and has the poll watch its socket.
    ///
    /// # Errors
    ///
    /// If the poll cannot take it, or the table is full.
    pub(super) fn take_in(&mut self, mut source: Source) -> io::Result<Id> {
        let mut watched = Ok(());
        let world = &self.world;
        let id = self.sources.insert(|id| {
            watched = source.watched().map_or(Ok(()), |socket| world.watch(socket, id));
            watched.is_ok().then_some(source)
        });
        watched?;
        id.ok_or_else(no_room)
    }

    /// A listener has met the system's limits: it asks again after a while.
    pub(crate) fn begin_backoff(&mut self, id: Id, error: &io::Error) {
        if let Some(Source::Listener(listener)) = self.sources.get_mut(id) {
            if !std::mem::replace(&mut listener.complained, true) {
                let address = &listener.address;
                warn!(
                    target: TCP,
                    "{id} cannot accept on {address}: {error}; clients wait until it can"
                );
            }
            listener.backing_off = true;
            self.schedule(BACKOFF, Job::RestEnd(id));
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

    /// Stops listening now; its factory is dropped after the running callback.
    pub(crate) fn close_listener(&mut self, id: Id) {
        if let Some(Source::Listener(listener)) = self.shut(id) {
            info!(target: TCP, "{id} no longer listening on {}", listener.address);
            self.pending.push_back(Pending::Free(id));
        }
    }
}
