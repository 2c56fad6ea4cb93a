//! Socket options, typed.

use std::io;
use std::time::Duration;

/// An option of a socket, with its value.
///
/// It is set before there is a connection, by [`ListenOptions::option`](crate::ListenOptions::option),
/// [`ConnectOptions::option`](crate::ConnectOptions::option) and
/// [`DatagramOptions::option`](crate::DatagramOptions::option), or later, by
/// [`Transport::set_option`](crate::Transport::set_option) and
/// [`Context::set_option`](crate::Context::set_option). Where the system does not allow it, it
/// returns an error. Each option is passed to the system unchanged: see the man page that is named.
///
/// The connections that a listener accepts have the options that the listener was given (on Linux
/// they inherit them; elsewhere each is set again). An option that is set on a listener later applies to
/// connections accepted from then on if the system passes it on, as Linux does.
///
/// Other options can be set and read through [`Context::descriptor`](crate::Context::descriptor), with a
/// crate such as `socket2`.
///
/// ```
/// use ropewalk::{ConnectOptions, KeepAlive, SocketOption};
/// use std::time::Duration;
///
/// let options = ConnectOptions::new()
///     .option(SocketOption::UserTimeout(Some(Duration::from_secs(20))))
///     .option(SocketOption::KeepAlive(Some(KeepAlive {
///         idle: Duration::from_secs(60),
///         ..KeepAlive::default()
///     })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// Whether to send data at once instead of waiting for more (TCP_NODELAY, tcp(7)). Default: on, since the
    /// reactor gathers writes itself.
    Nodelay(bool),
    /// Whether and when to probe a silent peer (SO_KEEPALIVE, socket(7); TCP_KEEPIDLE, TCP_KEEPINTVL and
    /// TCP_KEEPCNT, tcp(7)): see [`KeepAlive`]. `None`, the default, sends no probes.
    #[doc(alias = "setTcpKeepAlive")]
    KeepAlive(Option<KeepAlive>),
    /// How long sent data may stay unacknowledged until the connection ends with
    /// [`Reason::TimedOut`](crate::Reason::TimedOut), in whole milliseconds (TCP_USER_TIMEOUT,
    /// tcp(7)). `None`, the default, leaves it to the system: about 15 minutes. Linux only.
    UserTimeout(Option<Duration>),
    /// The treatment of data that the system has not sent when the socket is closed (SO_LINGER, socket(7)).
    /// `None`, the default, sends it in the background; `Some(Duration::ZERO)` drops it and sends the peer a
    /// reset.
    ///
    /// Any other time is refused: closing the socket would block the whole reactor.
    /// [`close`](crate::Transport::close) sends written data without it.
    Linger(Option<Duration>),
    /// The size of the system's send buffer, in bytes (SO_SNDBUF, socket(7)). Linux doubles the value for its
    /// own needs, and limits it to `net.core.wmem_max`. Setting it ends the automatic growth.
    #[doc(alias = "SO_SNDBUF")]
    SendBuffer(usize),
    /// The size of the system's receive buffer, in bytes (SO_RCVBUF, socket(7)), as for `SendBuffer`, with
    /// `net.core.rmem_max`. For its full effect on TCP it has to be set before the connection is established
    /// (tcp(7)).
    #[doc(alias = "SO_RCVBUF")]
    ReceiveBuffer(usize),
    /// The number of hops that a packet may take, 1 to 255 (IP_TTL, ip(7); IPV6_UNICAST_HOPS, ipv6(7)). Both
    /// are set on an IPv6 socket, since it may send IPv4 packets too.
    #[doc(alias = "hop limit")]
    Ttl(u8),
    /// The traffic class for routers (IP_TOS, ip(7); IPV6_TCLASS, ipv6(7)): the upper six bits are the service
    /// class (DSCP); on a TCP socket the system sets the lower two. Both are set on an IPv6 socket, as for
    /// `Ttl`.
    #[doc(alias = "TOS")]
    #[doc(alias = "DSCP")]
    TrafficClass(u8),
    /// Whether an IPv6 socket uses IPv6 only (IPV6_V6ONLY, ipv6(7)). Default: as the system; on Linux the value
    /// of `net.ipv6.bindv6only`, which is off by default. It can be set before the socket is bound, not later.
    OnlyIpv6(bool),
    /// Whether the address can be bound while connections of an earlier socket on it are still in
    /// TIME_WAIT (SO_REUSEADDR, socket(7)). It has an effect only before the socket is bound.
    ReuseAddress(bool),
    /// Whether the port can be shared (SO_REUSEPORT, socket(7)): see
    /// [`ListenOptions::reuse_port`](crate::ListenOptions::reuse_port). It has an effect only before the socket
    /// is bound.
    ReusePort(bool),
    /// Whether datagrams can be sent to broadcast addresses (SO_BROADCAST, socket(7)). Default: off; sending to
    /// a broadcast address is then an error.
    #[doc(alias = "setBroadcastAllowed")]
    #[doc(alias = "SO_BROADCAST")]
    Broadcast(bool),
    /// The name of the only network interface on which the socket sends and receives (SO_BINDTODEVICE,
    /// socket(7)). An empty name removes the restriction. Linux only; to change an interface that was set
    /// before, the privilege CAP_NET_RAW is needed.
    #[doc(alias = "SO_BINDTODEVICE")]
    Device(String),
}

/// The longest keep-alive times and the highest count that Linux accepts (tcp(7)).
const MOST_SECONDS: u64 = 32_767;
const MOST_PROBES: u32 = 127;

/// The longest name of an interface (netdevice(7), IFNAMSIZ without its NUL).
const LONGEST_NAME: usize = 15;

impl SocketOption {
    /// Refuses values that the system would misinterpret, or would set in part before it refuses the rest.
    pub(crate) fn check(&self) -> io::Result<()> {
        let refused = match self {
            Self::KeepAlive(Some(keep_alive)) => return keep_alive.check(),
            Self::Linger(Some(time)) if !time.is_zero() => {
                "with a time above zero, closing would block the reactor"
            }
            // The system counts in `int`, where a large number would come out negative.
            Self::SendBuffer(size) | Self::ReceiveBuffer(size) if i32::try_from(*size).is_err() => {
                "the limit is 2,147,483,647 bytes"
            }
            // Linux truncates a longer name, and uses the rest.
            Self::Device(name) if name.len() > LONGEST_NAME || name.contains('\0') => {
                "the name of an interface has at most 15 bytes, and no NUL"
            }
            _ => return Ok(()),
        };
        Err(invalid(refused))
    }
}

/// When to probe a silent peer (tcp(7)).
///
/// Without keep-alive, a peer that disappears without closing the connection, for example after a power failure,
/// is never detected as long as nothing is written to it.
///
/// The defaults are those of Linux: 2 hours, 75 seconds, 9 probes.
///
/// ```
/// use ropewalk::{KeepAlive, ListenOptions};
/// use std::time::Duration;
///
/// // Ends the connection after 90 seconds of silence.
/// let patient = KeepAlive {
///     idle: Duration::from_secs(60),
///     interval: Duration::from_secs(10),
///     count: 3,
/// };
/// let options = ListenOptions::new().keep_alive(patient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long the peer has to be silent before the first probe: up to 32,767 whole seconds; parts of a
    /// second are rounded up.
    pub idle: Duration,
    /// The time between two probes, with the limits of `idle`.
    pub interval: Duration,
    /// The number of unanswered probes after which the connection ends with
    /// [`Reason::TimedOut`](crate::Reason::TimedOut): 1 to 127.
    pub count: u32,
}

impl KeepAlive {
    fn check(self) -> io::Result<()> {
        let (idle, interval) = (whole_seconds(self.idle), whole_seconds(self.interval));
        if [idle, interval].iter().any(|seconds| !(1..=MOST_SECONDS).contains(seconds)) {
            return Err(invalid("the range of both times is 1 to 32,767 seconds"));
        }
        match (1..=MOST_PROBES).contains(&self.count) {
            true => Ok(()),
            false => Err(invalid("the range of the count is 1 to 127")),
        }
    }
}

/// Returns a time in whole seconds, rounded up.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl Default for KeepAlive {
    fn default() -> Self {
        let (idle, interval) = (Duration::from_secs(2 * 60 * 60), Duration::from_secs(75));
        Self { idle, interval, count: 9 }
    }
}
