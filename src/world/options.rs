//! Setting the options of sockets, whatever kind they are of.

use crate::socket_option::{KeepAlive, SocketOption, Unset};
use socket2::{Domain, SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// The longest keep-alive times and the highest count that Linux takes (tcp(7)).
const MOST_SECONDS: u64 = 32_767;
const MOST_PROBES: u32 = 127;

/// The longest name of an interface (netdevice(7), IFNAMSIZ without its NUL). Linux cuts a longer
/// one, and takes what is left for the name.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LONGEST_NAME: usize = 15;

/// Sets an option of a socket.
///
/// # Errors
///
/// What the system says, as an [`Unset`].
pub(super) fn set_option(socket: &SockRef<'_>, option: &SocketOption) -> io::Result<()> {
    set(socket, option).map_err(|cause| Unset::error(option, cause))
}

/// Sets several, until one fails.
pub(super) fn set_options(socket: &SockRef<'_>, options: &[SocketOption]) -> io::Result<()> {
    options.iter().try_for_each(|option| set_option(socket, option))
}

fn set(socket: &SockRef<'_>, option: &SocketOption) -> io::Result<()> {
    match option {
        SocketOption::Nodelay(nodelay) => socket.set_tcp_nodelay(*nodelay),
        SocketOption::KeepAlive(Some(keep_alive)) => set_keep_alive(socket, *keep_alive),
        SocketOption::KeepAlive(None) => socket.set_keepalive(false),
        SocketOption::UserTimeout(timeout) => set_user_timeout(socket, *timeout),
        SocketOption::Linger(Some(time)) if !time.is_zero() => {
            Err(invalid("a time other than zero would make closing wait, and everybody with it"))
        }
        SocketOption::Linger(time) => socket.set_linger(*time),
        SocketOption::SendBuffer(size) => socket.set_send_buffer_size(buffer_size(*size)?),
        SocketOption::ReceiveBuffer(size) => socket.set_recv_buffer_size(buffer_size(*size)?),
        SocketOption::Ttl(hops) => set_ttl(socket, (*hops).into()),
        SocketOption::TrafficClass(class) => set_traffic_class(socket, (*class).into()),
        SocketOption::OnlyIpv6(only) => socket.set_only_v6(*only),
        SocketOption::ReuseAddress(reuse) => socket.set_reuse_address(*reuse),
        #[cfg(unix)]
        SocketOption::ReusePort(reuse) => socket.set_reuse_port(*reuse),
        #[cfg(not(unix))]
        SocketOption::ReusePort(_) => Err(unsupported()),
        SocketOption::Broadcast(allow) => socket.set_broadcast(*allow),
        SocketOption::Device(name) => tie_to_device(socket, name),
    }
}

fn set_keep_alive(socket: &SockRef<'_>, keep_alive: KeepAlive) -> io::Result<()> {
    let (idle, interval) = (whole_seconds(keep_alive.idle), whole_seconds(keep_alive.interval));
    // Asked for here, since the system would have set one of the three when it refuses the next.
    if [idle, interval].iter().any(|seconds| !(1..=MOST_SECONDS).contains(seconds)) {
        return Err(invalid("the times can be 1 to 32,767 seconds"));
    }
    if !(1..=MOST_PROBES).contains(&keep_alive.count) {
        return Err(invalid("the count can be 1 to 127"));
    }
    let parameters = TcpKeepalive::new().with_time(Duration::from_secs(idle));
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        target_os = "windows"
    ))]
    let parameters =
        parameters.with_interval(Duration::from_secs(interval)).with_retries(keep_alive.count);
    socket.set_tcp_keepalive(&parameters)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    // Zero is the system's word for `None`.
    let at_least = Duration::from_millis(1);
    socket.set_tcp_user_timeout(timeout.map(|timeout| timeout.max(at_least)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_socket: &SockRef<'_>, _timeout: Option<Duration>) -> io::Result<()> {
    Err(unsupported())
}

fn set_ttl(socket: &SockRef<'_>, hops: u32) -> io::Result<()> {
    both(socket, |socket| socket.set_unicast_hops_v6(hops), |socket| socket.set_ttl_v4(hops))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_traffic_class(socket: &SockRef<'_>, class: u32) -> io::Result<()> {
    both(socket, |socket| socket.set_tclass_v6(class), |socket| socket.set_tos_v4(class))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_traffic_class(_socket: &SockRef<'_>, _class: u32) -> io::Result<()> {
    Err(unsupported())
}

/// An option that IPv4 and IPv6 have each under a name of its own. An IPv6 socket may have an IPv4
/// peer, and then it is the other's that counts; where it has no such option, that is no failure.
fn both(
    socket: &SockRef<'_>,
    v6: impl Fn(&SockRef<'_>) -> io::Result<()>,
    v4: impl Fn(&SockRef<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let domain = socket.local_addr()?.domain();
    if domain != Domain::IPV4 && domain != Domain::IPV6 {
        return Err(unsupported());
    }
    if domain == Domain::IPV4 {
        return v4(socket);
    }
    v6(socket)?;
    _ = v4(socket);
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn tie_to_device(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    if name.len() > LONGEST_NAME || name.contains('\0') {
        return Err(invalid("no interface has such a name: 15 bytes can be had, and no NUL"));
    }
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn tie_to_device(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(unsupported())
}

/// The system counts in `int`, where a large number would come out negative.
fn buffer_size(size: usize) -> io::Result<usize> {
    i32::try_from(size).map(|_| size).map_err(|_| invalid("2,147,483,647 bytes are the most"))
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "not supported")
}
