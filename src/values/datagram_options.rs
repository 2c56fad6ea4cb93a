//! Options of datagram sockets.

#[cfg(unix)]
use crate::values::file_options::FileOptions;
use crate::values::socket_option::SocketOption;

/// The longest datagram that can be received: more than any system sends.
const LONGEST: usize = 16 * 1024 * 1024;

/// The options of a datagram socket, and the action of opening it.
///
/// ```
/// use ropewalk::DatagramOptions;
///
/// // One of several programs that receive on the same multicast port.
/// let options = DatagramOptions::new().reuse_address(true).max_datagram_size(1472);
/// ```
#[derive(Clone, Debug)]
pub struct DatagramOptions {
    pub(crate) max_datagram_size: usize,
    pub(crate) queue_datagrams: usize,
    pub(crate) queue_bytes: usize,
    /// In the order in which they are set.
    pub(crate) options: Vec<SocketOption>,
    pub(crate) header_included: bool,
    #[cfg(unix)]
    pub(crate) file: FileOptions,
}

impl DatagramOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            max_datagram_size: 65_535,
            queue_datagrams: 1024,
            queue_bytes: 1024 * 1024,
            options: Vec::new(),
            header_included: false,
            #[cfg(unix)]
            file: FileOptions::new(),
        }
    }

    /// Sets the longest datagram, in bytes, that is received whole. Default: 65,535, which no UDP datagram
    /// exceeds. A longer datagram arrives at
    /// [`datagram_truncated`](crate::DatagramProtocol::datagram_truncated). Up to the default all sockets share
    /// a buffer; above it the socket has its own buffer, of 16 MiB at most.
    #[doc(alias = "maxPacketSize")]
    #[must_use]
    pub fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes.min(LONGEST);
        self
    }

    /// Sets how many datagrams, and how many of their bytes, are queued while the socket would block. Default:
    /// 1,024 datagrams and 1 MiB. Further datagrams are dropped, counted and
    /// [reported](crate::DatagramProtocol::error_received).
    #[must_use]
    pub fn queue_limits(mut self, datagrams: usize, bytes: usize) -> Self {
        (self.queue_datagrams, self.queue_bytes) = (datagrams, bytes);
        self
    }

    /// Sets whether the port can be shared with other sockets that allow it (SO_REUSEADDR, socket(7)). Default:
    /// off. It is for multicast and broadcast: each socket receives every datagram. On Linux only the last bound
    /// socket receives other datagrams: it takes the port from the others, without an error.
    #[doc(alias = "listenMultiple")]
    #[must_use]
    pub fn reuse_address(self, reuse: bool) -> Self {
        self.option(SocketOption::ReuseAddress(reuse))
    }

    /// Sets whether the port can be shared with other sockets of the same user that allow it (SO_REUSEPORT,
    /// socket(7)). Default: off. Multicast reaches all of them. Linux delivers each other datagram to one of the
    /// sockets, by a hash of the sender's address and port. On systems without the option, opening the socket
    /// fails with [`Unsupported`](std::io::ErrorKind::Unsupported).
    #[must_use]
    pub fn reuse_port(self, reuse: bool) -> Self {
        self.option(SocketOption::ReusePort(reuse))
    }

    /// Sets whether a socket on `[::]` receives IPv6 only, or IPv4 as well with senders such as
    /// `[::ffff:192.0.2.1]:7000` (IPV6_V6ONLY, ipv6(7)). Default: as the system; Linux delivers both.
    #[must_use]
    pub fn only_ipv6(self, only: bool) -> Self {
        self.option(SocketOption::OnlyIpv6(only))
    }

    /// Sets whether datagrams can be sent to broadcast addresses (SO_BROADCAST, socket(7)). Default: off;
    /// sending to a broadcast address is then an error.
    #[must_use]
    pub fn broadcast(self, allow: bool) -> Self {
        self.option(SocketOption::Broadcast(allow))
    }

    /// Sets an option of the socket before it is bound: see [`SocketOption`]. If an option is set twice, the
    /// later value applies.
    ///
    /// ```
    /// use ropewalk::{DatagramOptions, SocketOption};
    ///
    /// // Datagrams that arrive while the buffer is full are lost without notice.
    /// let options = DatagramOptions::new().option(SocketOption::ReceiveBuffer(4 * 1024 * 1024));
    /// ```
    #[must_use]
    pub fn option(mut self, option: SocketOption) -> Self {
        self.options.push(option);
        self
    }

    /// Sets whether packets sent on a [raw socket](crate::Context::open_raw) begin with their IP header
    /// (IP_HDRINCL, ip(7), raw(7)). Default: off. Linux fills in the length and the checksum, and
    /// the sender's address and the packet's id where they are 0.
    #[must_use]
    pub fn header_included(mut self, included: bool) -> Self {
        self.header_included = included;
        self
    }

    /// Sets the permissions of the file of a [Unix socket](crate::Context::listen_unix_datagram), such as
    /// `0o660`. Default: `0o777` without the bits of the process's umask (unix(7)). On Linux sending needs write
    /// permission for the file.
    #[cfg(unix)]
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode & 0o7777);
        self
    }
}

impl Default for DatagramOptions {
    fn default() -> Self {
        Self::new()
    }
}
