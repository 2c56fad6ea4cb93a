//! What users implement for datagrams.

use crate::api::datagram_transport::DatagramTransport;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::logging::DATAGRAM;
use log::warn;
use std::any::type_name;

/// The behaviour of one datagram socket: an object with a method for each event. There is one for the socket, not one for each peer: datagrams arrive from any address.
///
/// # The order of callbacks
///
/// ```text
/// start_protocol                             first, once
///   datagram_received, datagram_truncated    any number of times
///   connection_refused, error_received       any number of times
///   pause_writing, resume_writing            in turns, beginning with a pause
/// stop_protocol                              last, once
/// ```
///
/// - [`stop_protocol`](Self::stop_protocol) comes for every one that was started, whatever ends it: a
///   close, the reactor's stop or its being dropped.
/// - After a [`close`](DatagramTransport::close) no datagram is delivered any more.
/// - No callback runs inside another one. What a callback asks for happens after it has returned;
///   only sending does not wait for that.
/// - A panic costs the datagram or the news that the callback was for, and the socket stays open:
///   else one datagram of one peer could end the service for all. Only a panic in
///   [`start_protocol`](Self::start_protocol) closes it.
///
/// ```
/// use ropewalk::{Address, DatagramProtocol, DatagramTransport};
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
///     }
/// }
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait DatagramProtocol: 'static {
    /// The socket is there: datagrams can be sent.
    #[doc(alias = "startProtocol")]
    #[doc(alias = "connection_made")]
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// `sender` has sent `data`, whole and as one; it may be empty. It is lent for this call.
    ///
    /// Datagrams may be lost, reordered or duplicated, and a sender's address can be forged.
    #[doc(alias = "datagramReceived")]
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    );

    /// `sender` has sent a datagram that is longer than
    /// [`max_datagram_size`](crate::DatagramOptions::max_datagram_size); `data` is its beginning, and
    /// the rest is lost. Unless overridden this logs a warning.
    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        warn!(
            target: DATAGRAM,
            "{} dropped a datagram from {sender}: it is longer than {} bytes",
            transport.id(),
            data.len(),
        );
    }

    /// No socket receives at the port of the peer with which this socket is
    /// [connected](crate::Context::connect_udp): its machine answered so (ICMP port unreachable) to an earlier datagram. The socket stays open; a later attempt may succeed.
    ///
    /// A socket that is not connected is never told.
    #[doc(alias = "connectionRefused")]
    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// Something could not be sent or received, and `error` says what. The socket goes on. Unless
    /// overridden this logs a warning.
    ///
    /// - A datagram that is too long, or that the system refuses otherwise, was dropped.
    /// - More was sent than may [wait](crate::DatagramOptions::queue_limits) (told once, until
    ///   all that waited has been sent): that was dropped.
    /// - The network has answered to an earlier datagram that its destination cannot be reached; only
    ///   connected sockets receive this.
    ///
    /// What was dropped is [counted](DatagramTransport::counts), too.
    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        warn!(target: DATAGRAM, "{} {error}", transport.id());
    }

    /// The socket takes no more for now. What is sent nevertheless waits, up to a
    /// [limit](crate::DatagramOptions::queue_limits).
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// After [`pause_writing`](Self::pause_writing): all that waited has been sent.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// The socket is closed. `transport` still tells its id, its address and its counts; what is sent
    /// is dropped.
    #[doc(alias = "stopProtocol")]
    #[doc(alias = "connection_lost")]
    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<P: DatagramProtocol + ?Sized> DatagramProtocol for Box<P> {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).start_protocol(transport);
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        (**self).datagram_received(transport, data, sender);
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        (**self).datagram_truncated(transport, data, sender);
    }

    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).connection_refused(transport);
    }

    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        (**self).error_received(transport, error);
    }

    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).pause_writing(transport);
    }

    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).resume_writing(transport);
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).stop_protocol(transport);
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
}
