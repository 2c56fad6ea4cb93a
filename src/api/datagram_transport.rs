//! The datagram transport: a datagram socket, as protocols and the holders of its id use it.

use crate::api::context::Context;
use crate::source::table::Source;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use crate::values::statistics::DatagramCounts;
use crate::values::to_address::ToAddress;

/// A datagram socket.
///
/// A protocol's callback receives the transport of its own socket. [`Context::datagram`] returns that of any
/// other one.
///
/// Sending returns no error; errors arrive as
/// [`error_received`](crate::DatagramProtocol::error_received). Through [`context`](Self::context) a
/// protocol reaches everything else.
///
/// ```
/// use ropewalk::{Address, DatagramProtocol, DatagramTransport};
///
/// /// Answers each datagram with the number of datagrams received.
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
    pub(super) context: &'a mut Context,
    pub(super) id: Id,
}

impl<'a> DatagramTransport<'a> {
    pub(crate) fn new(context: &'a mut Context, id: Id) -> Self {
        Self { context, id }
    }

    /// Returns the same transport with a shorter lifetime, for protocols that pass it on inside a type of
    /// their own.
    pub fn reborrow(&mut self) -> DatagramTransport<'_> {
        DatagramTransport { context: self.context, id: self.id }
    }

    /// Returns the context, which gives access to the rest of the reactor.
    pub fn context(&mut self) -> &mut Context {
        self.context
    }

    /// Returns the id of this socket. It can be kept, and used later with [`Context::datagram`].
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the local address. It is known in
    /// [`stop_protocol`](crate::DatagramProtocol::stop_protocol) too. It is [`Address::Unknown`] after
    /// that.
    #[doc(alias = "getHost")]
    pub fn local_address(&self) -> Address {
        self.context.local_address(self.id)
    }

    /// Returns the address with which the socket is connected. It is [`Address::Unknown`] if the socket is not
    /// connected, or no longer exists.
    #[doc(alias = "getPeer")]
    pub fn peer(&self) -> Address {
        self.context.peer_of(self.id).unwrap_or(Address::Unknown)
    }

    /// Sends a datagram, which may be empty, to the peer with which the socket is connected. See
    /// [`send_to`](Self::send_to).
    #[doc(alias = "write")]
    pub fn send(&mut self, data: &[u8]) {
        self.context.send_datagram(self.id, data, None);
    }

    /// Sends a datagram, which may be empty, to `address`. It is passed to the system at once, or queued
    /// while the socket accepts no more, up to a [limit](crate::DatagramOptions::queue_limits).
    ///
    /// A socket that is connected sends to other addresses as well (sendto(2) on Linux; some systems
    /// answer with EISCONN), but it does not receive their answers.
    ///
    /// It returns no error: if the datagram is too long, `address` has the name of a host, or the queue is full, the
    /// protocol receives [`error_received`](crate::DatagramProtocol::error_received) after the running
    /// callback. A datagram that was sent may be lost on the way.
    #[doc(alias = "sendto")]
    pub fn send_to(&mut self, data: &[u8], address: impl ToAddress) {
        self.context.send_datagram_to(self.id, data, address);
    }

    /// Connects the socket: from now on [`send`](Self::send) sends to `address`, datagrams of other senders
    /// are not received any more, and
    /// [`connection_refused`](crate::DatagramProtocol::connection_refused) is called.
    ///
    /// What was sent before and is still queued goes to the peer that the socket had (some systems answer
    /// with EISCONN). What others sent before, and was not received yet, is dropped.
    ///
    /// # Errors
    ///
    /// If `address` has the name of a host, while the reactor runs; there is no route to it; or the socket is closed.
    pub fn connect(&mut self, address: impl ToAddress) -> Result<(), Error> {
        self.context.connect_datagram(self.id, address)
    }

    /// Sets an option of the socket: see [`Context::set_option`].
    ///
    /// # Errors
    ///
    /// If the system does not support the option, or not for this kind or state of socket; if the value is
    /// out of range, or a privilege is missing; if the socket is closed.
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), Error> {
        self.context.set_option(self.id, option)
    }

    /// Closes the socket. It tries once to send what is queued, and delivers no more datagrams.
    #[doc(alias = "stopListening")]
    pub fn close(&mut self) {
        self.context.close(self.id);
    }

    /// Returns true if the socket is closed.
    pub fn is_closing(&self) -> bool {
        self.context.closing(self.id)
    }

    /// Returns the counts of this socket's datagrams so far. They are all 0 once the
    /// socket no longer exists.
    pub fn counts(&self) -> DatagramCounts {
        match self.context.sources.get(self.id) {
            Some(Source::Datagram(datagram)) => datagram.counts(),
            _ => DatagramCounts::default(),
        }
    }
}
