//! Datagram sockets: opening them, and requests by id.

use crate::api::close::deregister;
use crate::api::context::{Context, Pending};
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::listener::{Port, cannot_listen};
use crate::api::names::name;
use crate::api::timer::Job;
use crate::source::datagram::{Datagram, closed};
use crate::source::error::{cannot_connect, cannot_connect_unix, cannot_send};
use crate::source::table::Source;
use crate::sys::error::Failure;
use crate::sys::{Backend, DatagramBackend};
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::DATAGRAM;
use crate::values::to_address::ToAddress;
use log::{debug, info};
use std::io;

/// A socket that was opened, and the peer to which it is connected.
pub(super) type Opened = (Box<dyn DatagramBackend>, Option<Address>);

/// # Datagrams
impl DatagramOptions {
    /// Receives and sends UDP datagrams with these options. All else is as for [`Context::listen_udp`].
    ///
    /// ```
    /// # use ropewalk::{Address, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Reactor};
    /// # struct Quiet;
    /// # impl DatagramProtocol for Quiet {
    /// #     fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// DatagramOptions::new().broadcast(true).listen_udp(reactor.context(), "127.0.0.1:0", Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `address` has the name of a host, while the reactor runs: a look-up would block it. The system's: the address
    /// is in use, not local, or needs a privilege; or an option is not supported. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenUDP")]
    #[doc(alias = "listenMulticast")]
    #[doc(alias = "create_datagram_endpoint")]
    pub fn listen_udp(
        &self,
        context: &mut Context,
        address: impl ToAddress,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let (address, what) = context.address(address);
        context.open_datagram(cannot_listen, what, self, protocol, |backend| {
            Ok((backend.bind_datagram(&address?, &self.into())?, None))
        })
    }

    /// Opens a connected UDP socket with these options. All else is as for [`Context::connect_udp`].
    ///
    /// # Errors
    ///
    /// If `address` has the name of a host, while the reactor runs; there is no route to it; or an option is not supported.
    /// In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "create_datagram_endpoint")]
    pub fn connect_udp(
        &self,
        context: &mut Context,
        address: impl ToAddress,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let (address, what) = context.address(address);
        context.open_datagram(cannot_connect, what, self, protocol, |backend| {
            let peer = address?;
            Ok((backend.connect_datagram(&peer, &self.into())?, Some(peer)))
        })
    }
}

/// # Datagrams
///
/// ```
/// use ropewalk::{Address, DatagramProtocol, DatagramTransport, Error, Reactor};
///
/// struct Echo;
///
/// impl DatagramProtocol for Echo {
///     fn datagram_received(
///         &mut self,
///         transport: &mut DatagramTransport<'_>,
///         data: &[u8],
///         sender: &Address,
///     ) {
///         transport.send_to(data, sender);
/// #       transport.context().stop();
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_udp("127.0.0.1:0", Echo)?;
/// println!("listening on {}", port.address());
/// # let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
/// # client.send_to(b"hello", port.address()).unwrap();
/// reactor.run()?;
/// # assert_eq!(client.recv_from(&mut [0; 9]).unwrap().0, 5);
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Receives UDP datagrams on `address`, and sends them from there. `protocol` receives
    /// [`start_protocol`](DatagramProtocol::start_protocol) after the running callback.
    ///
    /// With port 0 the system chooses a port; [`Port::address`] returns it. `[::]` receives IPv4 datagrams
    /// as well where that is the system's default (see [`DatagramOptions::only_ipv6`]).
    ///
    /// To stop, [close](Self::close) the port's id: the port is free at once.
    ///
    /// # Errors
    ///
    /// If `address` has the name of a host, while the reactor runs: a look-up would block it. The system's: the address
    /// is in use, not local, or needs a privilege. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenUDP")]
    #[doc(alias = "create_datagram_endpoint")]
    pub fn listen_udp(
        &mut self,
        address: impl ToAddress,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().listen_udp(self, address, protocol)
    }

    /// Opens a UDP socket that sends to `address` and receives from that address alone, on a port that the
    /// system chooses. No datagram is sent for that, so it succeeds whether a socket receives there or not. If
    /// the peer's system answers that none does, the protocol receives
    /// [`connection_refused`](DatagramProtocol::connection_refused).
    ///
    /// To choose the local address too, listen there and then [`connect`](crate::DatagramTransport::connect).
    ///
    /// # Errors
    ///
    /// If `address` has the name of a host, while the reactor runs, or there is no route to it. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    ///
    /// ```
    /// # use ropewalk::{Address, DatagramProtocol, DatagramTransport, Error, Reactor};
    /// struct Question;
    ///
    /// impl DatagramProtocol for Question {
    ///     fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
    ///         transport.send(b"how are you?");
    ///     }
    ///
    ///     fn datagram_received(
    ///         &mut self,
    ///         transport: &mut DatagramTransport<'_>,
    ///         data: &[u8],
    ///         _sender: &Address,
    ///     ) {
    ///         println!("{}", String::from_utf8_lossy(data));
    ///     }
    ///
    ///     fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
    ///         println!("the peer refused");
    ///         transport.context().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().connect_udp("127.0.0.1:1", Question)?;
    /// reactor.run()?; // the peer refused
    /// # Ok::<(), Error>(())
    /// ```
    pub fn connect_udp(
        &mut self,
        address: impl ToAddress,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().connect_udp(self, address, protocol)
    }

    /// Opens a socket by `open`, which returns its peer as well; `what` is for the error.
    pub(super) fn open_datagram(
        &mut self,
        cannot: Failure,
        what: String,
        options: &DatagramOptions,
        protocol: impl DatagramProtocol,
        open: impl FnOnce(&dyn Backend) -> io::Result<Opened>,
    ) -> Result<Port, Error> {
        let opened = self.check_may_open().and_then(|()| {
            let (socket, peer) = open(self.backend.as_ref())?;
            let address = socket.local_address()?;
            let datagram = Datagram::new(socket, address.clone(), peer, options);
            let id = self.register(Source::Datagram(Box::new(datagram)))?;
            Ok(Port::new(id, address))
        });
        let opened = opened.map_err(|cause| cannot(what, cause));
        let (port, protocol) = self.or_discard(opened, protocol)?;
        info!(target: DATAGRAM, "{} receiving on {}", port.id(), port.address());
        self.pending.push_back(Pending::Start(port.id(), Box::new(protocol)));
        Ok(port)
    }

    pub(super) fn send_datagram_to(&mut self, id: Id, data: &[u8], address: impl ToAddress) {
        // A host name is never looked up for a datagram: it would be done for each of them.
        let look_up = |host: &str, port: &str| self.look_up_udp(host, port, false);
        match address.to_address(&look_up) {
            Ok(address) => self.send_datagram(id, data, Some(&address)),
            Err(cause) => {
                if let Some(datagram) = self.sources.datagram_mut(id) {
                    let what = format!("{} bytes to {}", data.len(), name(&address));
                    datagram.refuse(cannot_send(what, cause));
                    self.handle_datagram(id);
                } else {
                    self.note_stale(id, "send");
                }
            }
        }
    }

    pub(super) fn send_datagram(&mut self, id: Id, data: &[u8], to: Option<&Address>) {
        if let Some(datagram) = self.sources.datagram_mut(id) {
            datagram.send(data, to);
            self.handle_datagram(id);
        } else {
            self.note_stale(id, "send");
        }
    }

    pub(super) fn connect_datagram(
        &mut self,
        id: Id,
        address: impl ToAddress,
    ) -> Result<(), Error> {
        let (peer, what) = self.address(address);
        let is_path = peer.as_ref().is_ok_and(|peer| peer.ip().is_none());
        let outcome = peer.and_then(|peer| {
            let datagram = self.sources.datagram_mut(id).ok_or_else(closed)?;
            datagram.connect(peer)
        });
        self.handle_datagram(id); // Queued datagrams may now wait for another receiver.
        let cannot = if is_path { cannot_connect_unix } else { cannot_connect };
        outcome.map_err(|cause| cannot(what, cause))
    }

    /// Returns the address, and its text for errors: as it is printed, or as the user wrote it if it is none.
    fn address(&self, address: impl ToAddress) -> (io::Result<Address>, String) {
        let result = self.find_address(&address);
        let shown = result.as_ref().map_or_else(|_| name(&address), Address::to_string);
        (result, shown)
    }

    pub(super) fn find_address(&self, address: &impl ToAddress) -> io::Result<Address> {
        let look_up = |host: &str, port: &str| self.look_up_udp(host, port, self.may_block);
        address.to_address(&look_up)
    }

    pub(super) fn datagram_socket(&self, id: Id) -> io::Result<&dyn DatagramBackend> {
        match self.sources.get(id) {
            Some(Source::Datagram(datagram)) => datagram.socket.as_deref().ok_or_else(closed),
            _ => Err(closed()),
        }
    }

    /// Follows every change of a datagram socket: registers its interest with the poll, and has its protocol
    /// notified of events.
    pub(crate) fn handle_datagram(&mut self, id: Id) {
        let Some(datagram) = self.sources.datagram_mut(id) else {
            return;
        };
        if datagram.watch_changes()
            && let Some(socket) = &mut datagram.socket
        {
            datagram.writable_watched = !datagram.writable_watched;
            if let Err(error) = socket.watch_writable(id, datagram.writable_watched) {
                datagram.report(cannot_send(datagram.address.to_string(), error));
            }
        }
        let stuck = datagram.is_stuck();
        if datagram.has_events() && !std::mem::replace(&mut datagram.callback_pending, true) {
            self.pending.push_back(Pending::Datagram(id));
        }
        if stuck {
            self.back_off_datagram(id);
        }
    }

    /// Sends queued datagrams, within the budget.
    pub(crate) fn flush_datagrams(&mut self, id: Id) {
        if let Some(datagram) = self.sources.datagram_mut(id) {
            if datagram.flush() {
                self.enqueue(id);
            }
            self.handle_datagram(id);
        }
    }

    /// Receiving fails repeatedly, or the socket accepts no datagrams: it is tried again after a pause.
    pub(crate) fn back_off_datagram(&mut self, id: Id) {
        if let Some(datagram) = self.sources.datagram_mut(id)
            && !std::mem::replace(&mut datagram.backing_off, true)
        {
            let delay = datagram.next_delay();
            self.schedule(delay, Job::BackoffEnd(id));
        }
    }

    /// Closes a datagram socket now; its protocol is notified after the running callback.
    pub(crate) fn close_datagram(&mut self, id: Id) {
        let Some(datagram) = self.sources.datagram_mut(id) else {
            return;
        };
        if let Some(mut socket) = datagram.end() {
            deregister(socket.as_mut());
            debug!(target: DATAGRAM, "{id} closed");
            self.handle_datagram(id);
        }
    }
}
