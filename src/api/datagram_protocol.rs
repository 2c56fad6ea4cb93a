//! The trait `DatagramProtocol`, which users implement.

use crate::api::datagram_transport::DatagramTransport;
use crate::source::timer::TimerId;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::logging::DATAGRAM;
use log::warn;
use std::any::type_name;

/// The behaviour of one datagram socket: an object with a method for each event. There is one object for the
/// socket, not one for each peer: datagrams arrive from any address.
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
/// - [`stop_protocol`](Self::stop_protocol) is called for every protocol that was started, whatever ends it: a
///   close, the stop or the drop of the reactor.
/// - After a [`close`](DatagramTransport::close) no more datagrams are delivered.
/// - No callback runs inside another one. Requests take effect after the callback has returned, except
///   sending, which takes effect at once.
/// - A panic loses the datagram or the event of the callback, and the socket stays open. Otherwise one
///   datagram of one peer could end the service for all peers. Only a panic in
///   [`start_protocol`](Self::start_protocol) closes the socket.
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
    /// The socket is open: datagrams can be sent.
    #[doc(alias = "startProtocol")]
    #[doc(alias = "connection_made")]
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// `sender` has sent the datagram `data`, which may be empty. `data` is valid during the call.
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
    /// the rest is lost. Default: logs a warning.
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
    /// [connected](crate::Context::connect_udp): its machine has answered an earlier datagram with ICMP port
    /// unreachable. The socket stays open; a later attempt may succeed.
    ///
    /// It is never called for a socket that is not connected.
    #[doc(alias = "connectionRefused")]
    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// Sending or receiving has failed; `error` names the datagram and the cause. The socket stays open.
    /// Default: logs a warning.
    ///
    /// - A datagram was dropped because it is too long, or because the system refused it.
    /// - A datagram was dropped because the [queue](crate::DatagramOptions::queue_limits) is full. This is
    ///   reported once, until the queue is empty again.
    /// - The network has answered that the destination of an earlier datagram cannot be reached; only
    ///   connected sockets receive this.
    ///
    /// Dropped datagrams are also [counted](DatagramTransport::counts).
    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        warn!(target: DATAGRAM, "{} {error}", transport.id());
    }

    /// The socket would block. Datagrams that are sent now are queued, up to a
    /// [limit](crate::DatagramOptions::queue_limits).
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// Called after [`pause_writing`](Self::pause_writing), when all queued datagrams have been sent.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {}

    /// A timer of this protocol, which [`DatagramTransport::set_timer`] has set, has fired.
    fn timer_fired(&mut self, transport: &mut DatagramTransport<'_>, timer: TimerId) {}

    /// The socket is closed. `transport` still has its id, address and counts; datagrams that are sent now
    /// are dropped.
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

    fn timer_fired(&mut self, transport: &mut DatagramTransport<'_>, timer: TimerId) {
        (**self).timer_fired(transport, timer);
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        (**self).stop_protocol(transport);
    }

    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
}
