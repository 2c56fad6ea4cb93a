//! Connections by id: `Context::transport`, closing, and what listeners and datagram sockets share with them.

use crate::api::context::Context;
use crate::api::datagram_transport::DatagramTransport;
use crate::api::transport::Transport;
use crate::source::table::Source;
use crate::sys::SocketBackend;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use crate::values::reason::Reason;
use log::debug;
use std::io;

/// # Connections
///
/// ```
/// use ropewalk::{Context, Id};
///
/// /// Closes all connections but one.
/// fn close_others(context: &mut Context, stays: Id) {
///     for id in context.connections().filter(|&id| id != stays) {
///         let mut transport = context.transport(id);
///         transport.write(b"We are closing.\r\n");
///         transport.close(); // once that is sent
///         assert!(transport.is_closing());
///     }
/// }
/// # use ropewalk::{Error, Protocol, Reactor, Transport};
/// # use std::{io::Read, net::TcpStream};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// # }
/// # let mut reactor = Reactor::new()?;
/// # let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
/// # let mut clients = [0; 3].map(|_| TcpStream::connect(port.address()).unwrap());
/// # while reactor.context().connections().count() < 3 {
/// #     reactor.turn(None)?;
/// # }
/// # let stays = reactor.context().connections().next().unwrap();
/// # close_others(reactor.context(), stays);
/// # while reactor.context().connections().count() > 1 {
/// #     reactor.turn(None)?;
/// # }
/// # assert_eq!(reactor.context().connections().next(), Some(stays));
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Returns the transport of a connection or of a connection attempt.
    ///
    /// What is written through it is sent when the turn ends, together with all other data that is written
    /// to the connection until then. What is asked of a connection attempt takes effect once the
    /// connection is established; closing or aborting the attempt gives it up.
    ///
    /// An id can be kept after its connection is gone. Requests then do nothing: they are counted in
    /// [`Statistics::stale_requests`](crate::Statistics::stale_requests) and logged at debug.
    /// [`is_closing`](Transport::is_closing) returns true, sizes and counts are 0, and
    /// [`peer`](Transport::peer) returns [`Address::Unknown`].
    ///
    /// ```
    /// # fn answer(context: &mut ropewalk::Context, id: ropewalk::Id) {
    /// context.transport(id).write(b"the answer\r\n");
    /// # }
    /// ```
    #[doc(alias = "write")]
    pub fn transport(&mut self, id: Id) -> Transport<'_> {
        Transport::by_id(self, id)
    }

    /// Returns the transport of a datagram socket.
    ///
    /// An id can be kept after its socket is closed: see [`transport`](Self::transport). The local address
    /// is [`Address::Unknown`] then, and what returns a result returns an error.
    ///
    /// ```
    /// # fn answer(context: &mut ropewalk::Context, id: ropewalk::Id) {
    /// context.datagram(id).send_to(b"the answer", "127.0.0.1:7000");
    /// # }
    /// ```
    #[doc(alias = "sendto")]
    pub fn datagram(&mut self, id: Id) -> DatagramTransport<'_> {
        DatagramTransport::new(self, id)
    }

    /// Returns the ids of the connections that are established now, without pipes of processes, in no particular order.
    /// The context can be used while they are iterated over.
    ///
    /// ```
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// # let context = reactor.context();
    /// for id in context.connections() {
    ///     context.transport(id).write(b"The server is closing.\r\n");
    /// }
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    pub fn connections(&self) -> impl Iterator<Item = Id> + use<> {
        let streams = self.sources.iter().filter(
            |(_, source)| matches!(source, Source::Stream(stream) if !stream.in_handshake() && !stream.peer.is_process()),
        );
        let ids: Vec<Id> = streams.map(|(id, _)| id).collect();
        ids.into_iter()
    }

    /// Closes what the id names:
    ///
    /// - A connection ends once all queued data has been sent, as by [`Transport::close`].
    /// - A connection attempt is given up.
    /// - A look-up is cancelled.
    /// - A listener stops listening at once; its connections stay, and handshakes of
    ///   [filters](crate::Filter) continue.
    /// - A datagram socket tries once to send what is queued, and is closed at once.
    /// - A watch ends.
    /// - The pipes of a process are closed, standard input after queued data.
    #[doc(alias = "loseConnection")]
    #[doc(alias = "stopListening")]
    #[doc(alias = "stopConnecting")]
    pub fn close(&mut self, id: Id) {
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                let first = stream.input.peer_was_first();
                let reason = if first { Reason::ClosedByPeer } else { Reason::Closed };
                self.close_because(id, reason);
            }
            Some(Source::Datagram(_)) => self.close_datagram(id),
            Some(Source::Listener(_)) => self.close_listener(id),
            Some(Source::Connector(_)) => self.fail_connector(id, given_up()),
            Some(Source::LookUp(_)) => self.end_look_up(id, Err(cancelled())),
            #[cfg(all(unix, feature = "process"))]
            Some(Source::Process(_)) => self.close_pipes(id),
            #[cfg(unix)]
            Some(Source::Watch(_)) => self.end_watch(id, Reason::Closed),
            Some(Source::DetachedSlot(_) | Source::Gone | Source::Lingering(_)) | None => {
                self.note_stale(id, "close");
            }
        }
    }

    /// Aborts a connection, as [`Transport::abort`] does. A process is killed. Anything else is [closed](Self::close).
    ///
    /// Like all requests it makes no callback: `connection_lost` follows the running callback.
    #[doc(alias = "abortConnection")]
    pub fn abort(&mut self, id: Id) {
        match self.sources.get(id) {
            Some(Source::Stream(_)) => self.end(id, Reason::Aborted),
            #[cfg(all(unix, feature = "process"))]
            Some(Source::Process(_)) => self.kill_process(id),
            _ => self.close(id),
        }
    }

    /// Returns the local address of a connection, a listener or a datagram socket. It is [`Address::Unknown`] if the id
    /// names none of them, or the connection has broken.
    #[doc(alias = "getHost")]
    pub fn local_address(&self, id: Id) -> Address {
        match self.sources.get(id) {
            Some(Source::Datagram(datagram)) => datagram.address.clone(),
            Some(Source::Listener(listener)) => listener.address.clone(),
            Some(Source::Stream(stream)) => {
                stream.socket.local_address().unwrap_or(Address::Unknown)
            }
            _ => Address::Unknown,
        }
    }

    /// Writes behind all that was written before. It is flushed when the turn ends.
    #[inline(never)] // So that `Transport::write` is small enough to be inlined.
    pub(super) fn write_by_id(&mut self, id: Id, data: &[u8]) {
        self.flush_later(id);
        self.push(id, data);
    }

    /// Returns true if there is nothing to close, or it is closing already.
    pub(crate) fn closing(&self, id: Id) -> bool {
        match self.sources.get(id) {
            Some(Source::Stream(stream)) => stream.is_closing(),
            Some(Source::Datagram(datagram)) => datagram.socket.is_none(),
            Some(Source::Connector(_) | Source::Listener(_) | Source::LookUp(_)) => false,
            #[cfg(all(unix, feature = "process"))]
            Some(Source::Process(_)) => false,
            #[cfg(unix)]
            Some(Source::Watch(_)) => false,
            Some(Source::DetachedSlot(_) | Source::Gone | Source::Lingering(_)) | None => true,
        }
    }

    /// The peer of a connection, or of a connected datagram socket.
    pub(crate) fn peer_of(&self, id: Id) -> Option<Address> {
        match self.sources.get(id)? {
            Source::Datagram(datagram) => datagram.peer.clone(),
            Source::DetachedSlot(departed) => Some(departed.peer.clone()),
            Source::Stream(stream) => Some(stream.peer.clone()),
            _ => None,
        }
    }

    /// Counts and logs a request that did nothing, if its id names no socket any more.
    #[cold]
    pub(super) fn note_stale(&mut self, id: Id, request: &str) {
        if let None | Some(Source::Gone | Source::Lingering(_)) = self.sources.get(id) {
            self.totals.stale_requests += 1;
            debug!(target: REACTOR, "{id} {request}: closed socket");
        }
    }
}

fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the look-up was cancelled")
}

/// The cause of the failure of a connection attempt that was closed before it was made.
pub(crate) fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the attempt was cancelled")
}
