//! Unix datagram sockets.

use crate::api::context::Context;
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::listener::Port;
use crate::api::unix::cannot_listen_unix;
use crate::source::error::cannot_connect_unix;
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::unix_address::UnixAddress;

/// # Datagrams over Unix sockets
///
/// Datagrams stay within this machine, and none is lost on the way: while the receiver's queue is full,
/// datagrams stay in the queue of the sender (unix(7)). A connected socket sends them as soon as the receiver
/// has space. Any other socket tries again after a millisecond, then after up to 100. The queue is
/// [bounded](DatagramOptions::queue_limits). A receiver that does not read also holds up the datagrams for
/// other receivers.
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
/// # let folder = std::env::temp_dir().join(format!("ropewalk-doc-datagram-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("echo.sock");
/// let mut reactor = Reactor::new()?;
/// let port = reactor.context().listen_unix_datagram(&path, Echo)?;
/// println!("receiving on {}", port.address());
/// # let client = std::os::unix::net::UnixDatagram::bind(folder.join("client.sock")).unwrap();
/// # client.send_to(b"hello", &path).unwrap();
/// reactor.run()?;
/// # assert_eq!(client.recv(&mut [0; 9]).unwrap(), 5);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Receives datagrams on a Unix socket, and sends them from there. It behaves like
    /// [`listen_udp`](Self::listen_udp), and treats the file like [`listen_unix`](Self::listen_unix).
    ///
    /// For an [unnamed](UnixAddress::unnamed) address the system chooses an abstract name (Linux): use it for
    /// a client that needs answers.
    ///
    /// # Errors
    ///
    /// As [`listen_unix`](Self::listen_unix).
    #[doc(alias = "listenUNIXDatagram")]
    pub fn listen_unix_datagram(
        &mut self,
        address: impl Into<UnixAddress>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().listen_unix_datagram(self, address, protocol)
    }

    /// Opens an unnamed Unix socket that sends datagrams to `address`. The peer cannot answer. For answers
    /// [listen](Self::listen_unix_datagram) first, and then
    /// [connect](crate::DatagramTransport::connect).
    ///
    /// # Errors
    ///
    /// If no socket receives at `address`, or sending to it is not permitted. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "connectUNIXDatagram")]
    pub fn connect_unix_datagram(
        &mut self,
        address: impl Into<UnixAddress>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().connect_unix_datagram(self, address, protocol)
    }
}

/// # Datagrams over Unix sockets
impl DatagramOptions {
    /// Receives and sends datagrams on a Unix socket with these options. All else is as for
    /// [`Context::listen_unix_datagram`].
    ///
    /// # Errors
    ///
    /// If the name is in use or too long, or is that of a file that is not a socket; if the directory does not exist or
    /// is not writable; if an option is not supported by Unix sockets. In the [shutdown](crate::RunPhase::DuringShutdown) it always
    /// fails.
    #[doc(alias = "listenUNIXDatagram")]
    pub fn listen_unix_datagram(
        &self,
        context: &mut Context,
        address: impl Into<UnixAddress>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let address = Address::Unix(address.into());
        context.open_datagram(cannot_listen_unix, address.to_string(), self, protocol, |backend| {
            Ok((backend.bind_datagram(&address, &self.into())?, None))
        })
    }

    /// Opens a connected Unix socket for datagrams with these options. All else is as for
    /// [`Context::connect_unix_datagram`].
    ///
    /// # Errors
    ///
    /// If no socket receives at the address, or sending to it is not permitted; if an option is not supported by Unix
    /// sockets. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "connectUNIXDatagram")]
    pub fn connect_unix_datagram(
        &self,
        context: &mut Context,
        address: impl Into<UnixAddress>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let peer = Address::Unix(address.into());
        context.open_datagram(cannot_connect_unix, peer.to_string(), self, protocol, |backend| {
            Ok((backend.connect_datagram(&peer, &self.into())?, Some(peer.clone())))
        })
    }
}
