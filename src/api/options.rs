//! Options of open sockets.

use crate::api::context::Context;
use crate::api::transport::Transport;
use crate::source::table::Source;
#[cfg(unix)]
use crate::sys::BorrowedFd;
use crate::sys::SocketBackend;
use crate::sys::errno::NODEV;
use crate::sys::error::{NO_INTERFACE, failed};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use std::io;

/// # Options
impl Transport<'_> {
    /// Sets an option of the socket: see [`Context::set_option`].
    ///
    /// # Errors
    ///
    /// If the system does not support the option, or not for this kind or state of socket; if the value is
    /// out of range, or a privilege is missing; if the socket is closed.
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), Error> {
        let (context, id) = self.parts();
        context.set_option(id, option)
    }
}

/// # Options
impl Context {
    /// Sets an option of a socket: of a connection, a listener, a datagram socket, or a connection attempt,
    /// which sets it for each address that it tries.
    ///
    /// The option takes effect at once. To set one before there is a connection, see
    /// [`ListenOptions::option`](crate::ListenOptions::option),
    /// [`ConnectOptions::option`](crate::ConnectOptions::option) and
    /// [`DatagramOptions::option`](crate::DatagramOptions::option).
    ///
    /// ```
    /// use ropewalk::{Protocol, SocketOption, Transport};
    ///
    /// struct Bulk;
    ///
    /// impl Protocol for Bulk {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         // Lower effort (RFC 8622): routers may send other packets first.
    ///         if let Err(error) = transport.set_option(SocketOption::TrafficClass(1 << 2)) {
    ///             println!("{error}");
    ///         }
    ///     }
    ///
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    /// # use ropewalk::{Error, Reactor};
    /// # let mut reactor = Reactor::new()?;
    /// # let port = reactor.listen_tcp("127.0.0.1:0", || Bulk)?;
    /// # reactor.context().set_option(port.id(), SocketOption::TrafficClass(1 << 2))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system does not support the option, or not for this kind or state of socket; if the value is
    /// out of range, or a privilege is missing; if the socket is closed.
    #[doc(alias = "setsockopt")]
    #[doc(alias = "setTcpNoDelay")]
    #[doc(alias = "setTcpKeepAlive")]
    pub fn set_option(&mut self, id: Id, option: SocketOption) -> Result<(), Error> {
        let source = self.sources.get_mut(id).ok_or_else(gone);
        source
            .and_then(|source| set_option_of(source, option))
            .map_err(|cause| self.option_error(id, cause))
    }

    /// Makes the error of an option of this socket that could not be set.
    pub(super) fn option_error(&self, id: Id, cause: io::Error) -> Error {
        let on = match self.local_address(id) {
            Address::Unknown => id.to_string(),
            address => address.to_string(),
        };
        cannot_set_option(on, cause)
    }

    /// Returns the descriptor of a socket, for system calls that this crate does not offer.
    ///
    /// Do not read from it, write to it or shut it down: that takes bytes from the protocol, or puts bytes
    /// between those that are queued.
    ///
    /// From then on there may be copies of the descriptor, so the socket is treated like an
    /// [adopted](Self::adopt_connection) one: the reactor does not rely on O_NONBLOCK, which all copies share.
    ///
    /// ```
    /// # use ropewalk::{Error, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// let mut reactor = Reactor::new()?;
    /// let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
    /// let socket = reactor.context().descriptor(port.id()).unwrap();
    /// assert!(socket2::SockRef::from(&socket).reuse_address().unwrap());
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(unix)]
    #[doc(alias = "getHandle")]
    #[doc(alias = "fileno")]
    pub fn descriptor(&mut self, id: Id) -> Option<BorrowedFd<'_>> {
        let socket = self.sources.get_mut(id)?.socket()?;
        socket.share();
        socket.descriptor()
    }
}

fn set_option_of(source: &mut Source, option: SocketOption) -> io::Result<()> {
    if let Source::Connector(connector) = source {
        connector.racing.iter().try_for_each(|racer| racer.socket.set_option(&option))?;
        connector.options.add(option); // For the sockets of later attempts.
        return Ok(());
    }
    source.socket().ok_or_else(gone)?.set_option(&option)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the socket is closed")
}

pub(super) fn cannot_set_option(on: String, cause: io::Error) -> Error {
    failed("set an option of", on, cause, |cause| {
        (cause.number == Some(NODEV)).then_some(NO_INTERFACE)
    })
}
