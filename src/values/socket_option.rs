//! Socket options, typed.

use std::io;
use std::time::Duration;

/// An option of a socket, with its value.
///
/// It is set before there is a connection, by [`ListenOptions::option`](crate::ListenOptions::option),
/// [`ConnectOptions::option`](crate::ConnectOptions::option) and
/// [`DatagramOptions::option`](crate::DatagramOptions::option), or later, by
/// [`Transport::set_option`](crate::Transport::set_option) and
/// [`Context::set_option`](crate::Context::set_option). Where the system does not allow it, the error
/// says so. Each option is the system's own: the man page that is named tells all about it.
///
/// The connections that a listener accepts have the options that the listener was given (on Linux
/// they inherit them; elsewhere each is set again). An option that is set on a listener later applies to connections accepted from then on if the system passes it on, as Linux does.
///
/// What is not in this list can be set on [`Context::descriptor`](crate::Context::descriptor), with a
/// crate such as `socket2`; from there an option can be read back, too.
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
    /// Whether to send at once what is given, rather than wait for more (TCP_NODELAY, tcp(7)). The
    /// reactor turns it on unless told otherwise, since it gathers writes itself.
    Nodelay(bool),
    /// Whether and when to ask a peer that is silent if it is still there (SO_KEEPALIVE, socket(7);
    /// TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, tcp(7)): see [`KeepAlive`]. `None`, the default, sends no probes.
    #[doc(alias = "setTcpKeepAlive")]
    KeepAlive(Option<KeepAlive>),
    /// How long what was sent may stay without an answer until the connection ends with
    /// [`Reason::TimedOut`](crate::Reason::TimedOut), in whole milliseconds (TCP_USER_TIMEOUT,
    /// tcp(7)). `None`, the default, leaves it to the system: about 15 minutes. Linux only.
    UserTimeout(Option<Duration>),
    /// The treatment of data that the system has not sent when the socket is closed (SO_LINGER, socket(7)). `None`, the default, sends it in the background;
    /// `Some(Duration::ZERO)` drops it and sends the peer a reset.
    ///
    /// Any other time is refused: it would make the closing of the socket wait, and with it the whole
    /// reactor. [`close`](crate::Transport::close) sees to it that what was written is sent.
    Linger(Option<Duration>),
    /// How many bytes the system may hold that are yet to be sent (SO_SNDBUF, socket(7)). Linux
    /// takes twice of what is asked for, for its own needs, and no more than `net.core.wmem_max`; to
    /// set it ends the automatic growth.
    #[doc(alias = "SO_SNDBUF")]
    SendBuffer(usize),
    /// How many bytes the system may hold that are yet to be read (SO_RCVBUF, socket(7)). As for
    /// `SendBuffer`, with `net.core.rmem_max`. For the whole of its effect on TCP it has to be set
    /// before the connection is there (tcp(7)).
    #[doc(alias = "SO_RCVBUF")]
    ReceiveBuffer(usize),
    /// Over how many routers a packet may go, 1 to 255 (IP_TTL, ip(7); IPV6_UNICAST_HOPS, ipv6(7)):
    /// an IPv6 socket gets both, since it may speak IPv4.
    #[doc(alias = "hop limit")]
    Ttl(u8),
    /// How routers are to treat the packets (IP_TOS, ip(7); IPV6_TCLASS, ipv6(7)): the upper six bits
    /// are the service class (DSCP), the lower two belong to the system where the socket is a TCP
    /// one. An IPv6 socket gets both, as for `Ttl`.
    #[doc(alias = "TOS")]
    #[doc(alias = "DSCP")]
    TrafficClass(u8),
    /// Whether an IPv6 socket speaks IPv6 only (IPV6_V6ONLY, ipv6(7)). Default: as the system; on Linux off, unless
    /// `net.ipv6.bindv6only` says otherwise. It can be set before the socket is bound, not later.
    OnlyIpv6(bool),
    /// Whether the address may be had while connections of an earlier socket on it are still in
    /// TIME_WAIT (SO_REUSEADDR, socket(7)). It matters before the socket is bound only.
    ReuseAddress(bool),
    /// Whether the port may be shared (SO_REUSEPORT, socket(7)): see
    /// [`ListenOptions::reuse_port`](crate::ListenOptions::reuse_port). It matters before the socket is
    /// bound only.
    ReusePort(bool),
    /// Whether datagrams can be sent to broadcast addresses (SO_BROADCAST, socket(7)). Default: off; sending to one is then an error.
    #[doc(alias = "setBroadcastAllowed")]
    #[doc(alias = "SO_BROADCAST")]
    Broadcast(bool),
    /// The network interface, by its name, to which the socket is tied: nothing comes or goes by
    /// another (SO_BINDTODEVICE, socket(7)). An empty name ends that. Linux only; where it is set
    /// already, a change takes the privilege CAP_NET_RAW.
    #[doc(alias = "SO_BINDTODEVICE")]
    Device(String),
}

/// The longest keep-alive times and the highest count that Linux takes (tcp(7)).
const MOST_SECONDS: u64 = 32_767;
const MOST_PROBES: u32 = 127;

/// The longest name of an interface (netdevice(7), IFNAMSIZ without its NUL).
const LONGEST_NAME: usize = 15;

impl SocketOption {
    /// Refuses what the system would take for something else, or in part before it refuses the rest.
    pub(crate) fn check(&self) -> io::Result<()> {
        let refused = match self {
            Self::KeepAlive(Some(keep_alive)) => return keep_alive.check(),
            Self::Linger(Some(time)) if !time.is_zero() => {
                "a time other than zero would let the close block the reactor"
            }
            // The system counts in `int`, where a large number would come out negative.
            Self::SendBuffer(size) | Self::ReceiveBuffer(size) if i32::try_from(*size).is_err() => {
                "2,147,483,647 bytes are the most"
            }
            // Linux truncates a longer name, and uses the rest.
            Self::Device(name) if name.len() > LONGEST_NAME || name.contains('\0') => {
                "no interface has such a name: 15 bytes can be had, and no NUL"
            }
            _ => return Ok(()),
        };
        Err(invalid(refused))
    }
}

/// When to ask a peer that is silent if it is still there (tcp(7)).
///
/// Without it, a peer that vanishes without a word, its power cut or its network gone, is never
/// noticed as long as nothing is written to it.
///
/// The defaults are those of Linux: 2 hours, 75 seconds, 9 times.
///
/// ```
/// use ropewalk::{KeepAlive, ListenOptions};
/// use std::time::Duration;
///
/// // Gone after a minute and half a minute more.
/// let patient = KeepAlive {
///     idle: Duration::from_secs(60),
///     interval: Duration::from_secs(10),
///     count: 3,
/// };
/// let options = ListenOptions::new().keep_alive(patient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// For how long the peer has to be silent before it is asked: up to 32,767 whole seconds; parts of a
    /// second are rounded up.
    pub idle: Duration,
    /// How long to wait for an answer before it is asked again: as for `idle`.
    pub interval: Duration,
    /// How often it is asked before the connection ends with
    /// [`Reason::TimedOut`](crate::Reason::TimedOut): 1 to 127 times.
    pub count: u32,
}

impl KeepAlive {
    fn check(self) -> io::Result<()> {
        let (idle, interval) = (whole_seconds(self.idle), whole_seconds(self.interval));
        if [idle, interval].iter().any(|seconds| !(1..=MOST_SECONDS).contains(seconds)) {
            return Err(invalid("the times can be 1 to 32,767 seconds"));
        }
        match (1..=MOST_PROBES).contains(&self.count) {
            true => Ok(()),
            false => Err(invalid("the count can be 1 to 127")),
        }
    }
}

/// A time as keep-alive has it.
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
