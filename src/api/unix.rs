//! Unix sockets: listeners and connection attempts.

use crate::api::context::{Context, Pending};
use crate::api::factory::Factory;
use crate::api::listener::Port;
use crate::source::error::cannot_connect_unix;
use crate::sys::error::failed;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use crate::values::options::{ConnectOptions, ConnectionOptions, ListenOptions};
use crate::values::unix_address::UnixAddress;
use log::info;
use std::io;

/// # Unix sockets
///
/// Connections within this machine, by a path in the file system or an
/// [abstract](UnixAddress::abstract_name) name. They behave like TCP connections, except that there is no
/// reset: the peer can read all data that the system has accepted, and an
/// [aborted](Self::abort) connection ends there like a closed one.
///
/// ```
/// use ropewalk::{Error, Protocol, Reactor, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
/// #       transport.context().stop();
///     }
/// }
///
/// # let folder = std::env::temp_dir().join(format!("ropewalk-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("echo.sock");
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_unix(&path, || Echo)?;
/// println!("listening on {}", port.address());
/// # use std::io::Write;
/// # let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
/// # client.write_all(b"hello").unwrap();
/// reactor.run()?;
/// # assert!(!path.exists(), "the file is removed with the listener");
/// # std::fs::remove_dir(&folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Listens on a Unix socket; `factory` builds a protocol for each connection.
    ///
    /// # The file
    ///
    /// When this returns, the file of the path exists, with its [mode](ListenOptions::mode). It is removed
    /// when the listener closes, unless it belongs to another socket by then.
    ///
    /// A socket file that a killed process has left is replaced. A file that is not a socket is not
    /// replaced, and neither is the file of an open socket in any process, listening or not. The check is
    /// a question to the system, which the server that uses the socket does not notice.
    /// Two programs cannot replace the same file at the same time: while a program replaces it, it holds a
    /// lock on `PATH.ropewalk-lock` (flock(2)), and the other receives the error that the address is in use.
    /// The lock file is removed afterwards.
    ///
    /// For an [unnamed](UnixAddress::unnamed) address the system chooses an abstract name (Linux).
    ///
    /// # Errors
    ///
    /// If the name is in use, is too long (more than 107 bytes; 103 on other systems than Linux), or is that of
    /// a file that is not a socket; if the directory does not exist or is not writable. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenUNIX")]
    #[doc(alias = "create_unix_server")]
    pub fn listen_unix(
        &mut self,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        ListenOptions::new().listen_unix(self, address, factory)
    }

    /// Connects to a Unix socket; `factory` builds the protocol once the connection is
    /// established. The results are those of [`connect_tcp`](Self::connect_tcp).
    ///
    /// While the listener's queue is full, the attempt is repeated, first after a millisecond, then after
    /// up to 100, until it succeeds or has taken 30 seconds ([`ConnectOptions::timeout`]).
    ///
    /// # Errors
    ///
    /// If the reactor [is shutting down](crate::RunPhase::DuringShutdown). All other errors reach the factory.
    #[doc(alias = "connectUNIX")]
    #[doc(alias = "create_unix_connection")]
    pub fn connect_unix(
        &mut self,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        ConnectOptions::new().connect_unix(self, address, factory)
    }
}

/// # Unix sockets
impl ListenOptions {
    /// Listens on a Unix socket with these options. All else is as for [`Context::listen_unix`].
    ///
    /// ```
    /// # use ropewalk::{Error, ListenOptions, Protocol, Reactor, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// # }
    /// # let path = std::env::temp_dir().join(format!("ropewalk-mode-{}.sock", std::process::id()));
    /// let mut reactor = Reactor::new()?;
    /// // For the user and the group only.
    /// ListenOptions::new().mode(0o660).listen_unix(reactor.context(), &path, || Quiet)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the name is in use, is too long, or is that of a file that is not a socket; if the directory does not exist
    /// or is not writable; if an option is not supported by Unix sockets. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "listenUNIX")]
    #[doc(alias = "create_unix_server")]
    pub fn listen_unix(
        &self,
        context: &mut Context,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Port, Error> {
        let address = address.into();
        let opened = context.check_may_open().and_then(|()| {
            let socket = context.backend.listen(&Address::Unix(address.clone()), &self.into())?;
            // TCP_NODELAY is an option of TCP alone.
            let connections = ConnectionOptions { nodelay: false, ..self.connection.clone() };
            context.open_port(socket, connections, self.max_connections)
        });
        let error = |cause| cannot_listen_unix(address.to_string(), cause);
        let (port, factory) = context.or_discard(opened.map_err(error), factory)?;
        context.pending.push_back(Pending::SetFactory(port.id(), Box::new(factory)));
        info!(target: TCP, "{} listening on {}", port.id(), port.address());
        Ok(port)
    }
}

/// # Unix sockets
impl ConnectOptions {
    /// Connects to a Unix socket with these options. All else is as for [`Context::connect_unix`].
    ///
    /// # Errors
    ///
    /// If the reactor [is shutting down](crate::RunPhase::DuringShutdown). All other errors reach the factory.
    #[doc(alias = "connectUNIX")]
    #[doc(alias = "create_unix_connection")]
    pub fn connect_unix(
        &self,
        context: &mut Context,
        address: impl Into<UnixAddress>,
        factory: impl Factory,
    ) -> Result<Id, Error> {
        let address = address.into();
        let error = |cause| cannot_connect_unix(address.to_string(), cause);
        let begun = context.check_may_open().map_err(error).and_then(|()| {
            let addresses = [Address::Unix(address.clone())].into();
            // TCP_NODELAY is an option of TCP alone.
            context.open_connector(address.to_string(), addresses, self.clone().nodelay(false))
        });
        let (id, factory) = context.or_discard(begun, factory)?;
        context.pending.push_back(Pending::SetFactory(id, Box::new(factory)));
        Ok(id)
    }
}

/// Makes the error of a request to listen under the name of a Unix socket.
pub(super) fn cannot_listen_unix(on: String, cause: io::Error) -> Error {
    failed("listen on", on, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (None, io::ErrorKind::InvalidInput) => {
                "use another name, or a path relative to the working directory"
            }
            (_, io::ErrorKind::AddrInUse) => {
                "a socket of this or another program has this name; choose another name"
            }
            (_, io::ErrorKind::AlreadyExists) => {
                "existing files are not replaced; choose another path, or remove the file"
            }
            (_, io::ErrorKind::NotFound) => "create its directory first",
            (_, io::ErrorKind::PermissionDenied) => {
                "requires write permission on the directory, and on a socket file that another \
                 user left there; or choose another directory"
            }
            _ => return None,
        })
    })
}
