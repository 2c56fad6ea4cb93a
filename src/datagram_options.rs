//! How to send and receive datagrams, where the defaults do not suit.

/// More than any system sends in one datagram.
const LONGEST: usize = 16 * 1024 * 1024;

/// How to send and receive datagrams.
///
/// ```
/// use ropewalk::DatagramOptions;
///
/// // One of several programs that hear the same multicast port.
/// let options = DatagramOptions::new().reuse_address(true).max_datagram_size(1472);
/// ```
#[derive(Clone, Debug)]
pub struct DatagramOptions {
    pub(crate) max_datagram_size: usize,
    pub(crate) queue_datagrams: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_ipv6: Option<bool>,
    pub(crate) broadcast: bool,
    pub(crate) receive_buffer_size: Option<usize>,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) ttl: Option<u8>,
    pub(crate) tos: Option<u8>,
    pub(crate) header_included: bool,
}

impl DatagramOptions {
    /// The defaults, as each method below states them.
    pub fn new() -> Self {
        Self {
            max_datagram_size: 65_535,
            queue_datagrams: 1024,
            queue_bytes: 1024 * 1024,
            reuse_address: false,
            reuse_port: false,
            only_ipv6: None,
            broadcast: false,
            receive_buffer_size: None,
            send_buffer_size: None,
            ttl: None,
            tos: None,
            header_included: false,
        }
    }

    /// The longest datagram, in bytes, that is received whole: 65,535 unless set, which no UDP
    /// datagram exceeds. What is longer arrives at
    /// [`datagram_truncated`](crate::DatagramProtocol::datagram_truncated). Up to the default it
    /// costs no memory; beyond it the socket gets a buffer of its own, of 16 MiB at most.
    #[doc(alias = "maxPacketSize")]
    #[must_use]
    pub fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes.min(LONGEST);
        self
    }

    /// How much may wait to be sent while the socket takes no more: 1,024 datagrams and 1 MiB unless
    /// set. What is sent beyond it is dropped, counted and
    /// [told](crate::DatagramProtocol::error_received).
    #[must_use]
    pub fn queue_limits(mut self, datagrams: usize, bytes: usize) -> Self {
        (self.queue_datagrams, self.queue_bytes) = (datagrams, bytes);
        self
    }

    /// Whether the port may be had while others have it who allow it, too (SO_REUSEADDR, socket(7)):
    /// off unless set. For multicast and broadcast, of which each of them gets every datagram. Of
    /// others, on Linux, only one gets them, the last who came: it takes the port away from who had
    /// it, without an error.
    #[doc(alias = "listenMultiple")]
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether the port may be shared with other sockets of the same user that allow it, too
    /// (SO_REUSEPORT, socket(7)): off unless set. Multicast reaches all of them. Of others Linux
    /// gives each to one of the sockets, by a hash of the sender's address and port; what systems
    /// without the option answer is [`Unsupported`](std::io::ErrorKind::Unsupported).
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether a socket on `[::]` is for IPv6 alone, or gets IPv4 datagrams as well, whose senders
    /// then look like `[::ffff:192.0.2.1]:7000` (IPV6_V6ONLY, ipv6(7)): as the system has it unless
    /// set. Linux gives it both.
    #[must_use]
    pub fn only_ipv6(mut self, only: bool) -> Self {
        self.only_ipv6 = Some(only);
        self
    }

    /// Whether datagrams may be sent to broadcast addresses (SO_BROADCAST, socket(7)): off unless
    /// set, and then sending to one is an error.
    #[must_use]
    pub fn broadcast(mut self, allow: bool) -> Self {
        self.broadcast = allow;
        self
    }

    /// How many bytes the system keeps of what has come and was not read yet (SO_RCVBUF, socket(7)):
    /// its own choice unless set. What comes when it is full is lost, and nobody is told. Linux
    /// doubles the number, for its own use, and cuts it at `net.core.rmem_max`.
    #[must_use]
    pub fn receive_buffer_size(mut self, bytes: usize) -> Self {
        self.receive_buffer_size = Some(bytes);
        self
    }

    /// How many bytes the system takes that are not on their way yet (SO_SNDBUF, socket(7)): its own
    /// choice unless set. Linux doubles the number, for its own use, and cuts it at
    /// `net.core.wmem_max`.
    #[must_use]
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes);
        self
    }

    /// How many routers what is sent may pass, groups excepted (IP_TTL, ip(7); IPV6_UNICAST_HOPS,
    /// ipv6(7)): the system's choice unless set, 64 on Linux.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The type of service (IP_TOS, ip(7)), for IPv6 the traffic class (IPV6_TCLASS, ipv6(7)): 0
    /// unless set.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = Some(tos);
        self
    }

    /// Whether what a [raw socket](crate::Context::open_raw) sends begins with its IP header
    /// (IP_HDRINCL, ip(7), raw(7)): off unless set. Linux fills in the length and the checksum, and
    /// the sender's address and the packet's id where they are 0.
    #[must_use]
    pub fn header_included(mut self, included: bool) -> Self {
        self.header_included = included;
        self
    }
}

impl Default for DatagramOptions {
    fn default() -> Self {
        Self::new()
    }
}
