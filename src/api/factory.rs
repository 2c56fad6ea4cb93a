//! The trait `Factory`, which users implement.

use crate::api::context::Context;
use crate::api::protocol::Protocol;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use std::any::type_name;

/// A factory of protocols: one protocol for each accepted connection, or one for a connection attempt.
///
/// Every closure that returns a protocol is a factory, for example `|| Echo`. Implement the trait to use
/// the peer's address, to refuse clients, or to handle failed connection attempts.
///
/// ```
/// use ropewalk::{Address, Factory, Protocol, Transport};
///
/// struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
///
/// /// An echo for this machine only.
/// struct LocalEcho;
///
/// impl Factory for LocalEcho {
///     fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
///         peer.ip()?.is_loopback().then(|| Box::new(Echo) as Box<dyn Protocol>)
///     }
/// }
/// ```
#[allow(unused_variables)] // The names are the documentation.
pub trait Factory: 'static {
    /// Returns a protocol for a new connection with `peer`. `None` refuses the connection, which is closed.
    ///
    /// A panic resets the new connection and leaves the listener unchanged. The factory of a connection
    /// attempt is dropped after a refusal or a panic; [`connection_failed`](Self::connection_failed) is not
    /// called, since the connection was established.
    #[doc(alias = "buildProtocol")]
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>>;

    /// Decides whether the [filters](crate::Filter) of a connection with `peer` begin their handshakes. If
    /// it returns false, the connection is closed. It is called only for connections with filters, before
    /// [`build`](Self::build), which receives the address that the filters report.
    fn accepts(&mut self, peer: &Address) -> bool {
        true
    }

    /// The handshake of the [filters](crate::Filter) of an accepted connection has failed; no protocol is
    /// built. It is called for each failed handshake, also after the listener was closed, and at a stop, which
    /// ends all handshakes. Default: logs `error`, which names the address and the cause.
    fn handshake_failed(&mut self, context: &mut Context, peer: &Address, error: Error) {
        log::info!(target: TCP, "{error}");
    }

    /// The connection attempt `id`, which [`connect_tcp`](Context::connect_tcp) began, has failed. `error`
    /// names the address and the cause.
    #[doc(alias = "clientConnectionFailed")]
    fn connection_failed(&mut self, context: &mut Context, id: Id, error: Error) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

impl<F, P> Factory for F
where
    F: FnMut() -> P + 'static,
    P: Protocol,
{
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self()))
    }
}
