//! One datagram socket's face on the context. Floor 2.

use crate::api::context::Context;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::interface::Interface;
use crate::values::socket_option::SocketOption;
use crate::values::statistics::DatagramCounts;
use crate::values::to_address::ToAddress;
use std::net::IpAddr;

/// A datagram socket, as its own protocol sees it during a callback.
///
/// Sending never fails and returns nothing; what goes wrong comes as
/// [`error_received`](crate::DatagramProtocol::error_received). Everything beyond its own socket a
/// protocol reaches through [`context`](Self::context).
///
/// ```
/// use ropewalk::{Address, DatagramProtocol, DatagramTransport};
///
/// /// Says how much it has got, to whoever asks.
/// struct Counter;
///
/// impl DatagramProtocol for Counter {
///     fn datagram_received(
///         &mut self,
///         transport: &mut DatagramTransport<'_>,
///         _data: &[u8],
///         sender: &Address,
///     ) {
///         let count = transport.counts().received;
///         transport.send_to(count.to_string().as_bytes(), sender);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DatagramTransport<'a> {
    context: &'a mut Context,
    id: Id,
}

impl<'a> DatagramTransport<'a> {
    pub(crate) fn new(context: &'a mut Context, id: Id) -> Self {
        Self { context, id }
    }

    /// The same transport for a shorter time: for protocols that hand it on to others, inside a
    /// type of their own.
    pub fn reborrow(&mut self) -> DatagramTransport<'_> {
        DatagramTransport { context: self.context, id: self.id }
    }

    /// The whole reactor, as far as callbacks may use it.
    pub fn context(&mut self) -> &mut Context {
        self.context
    }

    /// The name of this socket, by which others can reach it.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Where it is bound. It is known in
    /// [`stop_protocol`](crate::DatagramProtocol::stop_protocol) too.
    ///
    /// # Panics
    ///
    /// Never in a callback of this socket, and nowhere else can a transport be had.
    #[doc(alias = "getHost")]
    pub fn local_address(&self) -> Address {
        self.context
            .local_address(self.id)
            .expect("a socket's slot is there until its last callback has returned")
    }

    /// The address with which it is connected.
    #[doc(alias = "getPeer")]
    pub fn peer(&self) -> Option<Address> {
        self.context.peer(self.id)
    }

    /// Sends a datagram to the peer with which this socket is connected: see
    /// [`Context::send_to`].
    #[doc(alias = "write")]
    pub fn send(&mut self, data: &[u8]) {
        self.context.send(self.id, data);
    }

    /// Sends a datagram, which may be empty, to `address`: see [`Context::send_to`].
    #[doc(alias = "sendto")]
    pub fn send_to(&mut self, data: &[u8], address: impl ToAddress) {
        self.context.send_to(self.id, data, address);
    }

    /// Connects this socket: see [`Context::connect`].
    ///
    /// # Errors
    ///
    /// If `address` is a name, or there is no way there.
    pub fn connect(&mut self, address: impl ToAddress) -> Result<(), Error> {
        self.context.connect(self.id, address)
    }

    /// Hears what is sent to `group`: see [`Context::join_group`].
    ///
    /// # Errors
    ///
    /// As there.
    #[doc(alias = "joinGroup")]
    pub fn join_group(
        &mut self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.context.join_group(self.id, group, interface)
    }

    /// Hears `group` no longer: see [`Context::leave_group`].
    ///
    /// # Errors
    ///
    /// As there.
    #[doc(alias = "leaveGroup")]
    pub fn leave_group(
        &mut self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.context.leave_group(self.id, group, interface)
    }

    /// Hears what `source` sends to `group`: see [`Context::join_source`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn join_source(
        &mut self,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.context.join_source(self.id, group, source, interface)
    }

    /// Hears `source` in `group` no longer: see [`Context::leave_source`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn leave_source(
        &mut self,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.context.leave_source(self.id, group, source, interface)
    }

    /// Sets an option of the socket: see [`Context::set_option`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), Error> {
        self.context.set_option(self.id, option)
    }

    /// Sets how far multicast goes: see [`Context::set_multicast_ttl`].
    ///
    /// # Errors
    ///
    /// None that are known.
    #[doc(alias = "setTTL")]
    pub fn set_multicast_ttl(&mut self, ttl: u8) -> Result<(), Error> {
        self.context.set_multicast_ttl(self.id, ttl)
    }

    /// Sets whether this machine hears what is sent to groups: see
    /// [`Context::set_multicast_loopback`].
    ///
    /// # Errors
    ///
    /// None that are known.
    #[doc(alias = "setLoopbackMode")]
    pub fn set_multicast_loopback(&mut self, on: bool) -> Result<(), Error> {
        self.context.set_multicast_loopback(self.id, on)
    }

    /// Sets where multicast goes out: see [`Context::set_multicast_interface`].
    ///
    /// # Errors
    ///
    /// If the interface is not there.
    #[doc(alias = "setOutgoingInterface")]
    pub fn set_multicast_interface(
        &mut self,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        self.context.set_multicast_interface(self.id, interface)
    }

    /// Closes this socket. What waits to be sent gets a last try, and no more datagrams are
    /// delivered.
    #[doc(alias = "stopListening")]
    pub fn close(&mut self) {
        self.context.close(self.id);
    }

    /// Whether this socket is closed.
    pub fn is_closing(&self) -> bool {
        self.context.is_closing(self.id)
    }

    /// What has become of this socket's datagrams.
    pub fn counts(&self) -> DatagramCounts {
        self.context.datagram_counts(self.id).unwrap_or_default()
    }
}
