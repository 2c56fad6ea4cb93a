//! Socket options of all kinds of sockets.

use crate::sys::error::set_by;
use crate::sys::platform;
use crate::values::socket_option::{KeepAlive, SocketOption, whole_seconds};
use socket2::{Domain, SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// Sets an option of a socket.
///
/// # Errors
///
/// If the value is invalid, or if the system refuses it. The error names the option.
pub(super) fn set_option(socket: &SockRef<'_>, option: &SocketOption) -> io::Result<()> {
    set_by(option, || set(socket, option))
}

/// Sets several options, until one fails.
pub(super) fn set_options(socket: &SockRef<'_>, options: &[SocketOption]) -> io::Result<()> {
    options.iter().try_for_each(|option| set_option(socket, option))
}

fn set(socket: &SockRef<'_>, option: &SocketOption) -> io::Result<()> {
    match option {
        SocketOption::Nodelay(nodelay) => socket.set_tcp_nodelay(*nodelay),
        SocketOption::KeepAlive(Some(keep_alive)) => set_keep_alive(socket, *keep_alive),
        SocketOption::KeepAlive(None) => socket.set_keepalive(false),
        SocketOption::UserTimeout(timeout) => platform::set_user_timeout(socket, *timeout),
        SocketOption::Linger(time) => socket.set_linger(*time),
        SocketOption::SendBuffer(size) => socket.set_send_buffer_size(*size),
        SocketOption::ReceiveBuffer(size) => socket.set_recv_buffer_size(*size),
        SocketOption::Ttl(hops) => set_ttl(socket, (*hops).into()),
        SocketOption::TrafficClass(class) => set_traffic_class(socket, (*class).into()),
        SocketOption::OnlyIpv6(only) => socket.set_only_v6(*only),
        SocketOption::ReuseAddress(reuse) => socket.set_reuse_address(*reuse),
        #[cfg(unix)]
        SocketOption::ReusePort(reuse) => socket.set_reuse_port(*reuse),
        #[cfg(not(unix))]
        SocketOption::ReusePort(_) => Err(unsupported()),
        SocketOption::Broadcast(allow) => socket.set_broadcast(*allow),
        SocketOption::Device(name) => platform::tie_to_device(socket, name),
    }
}

fn set_keep_alive(socket: &SockRef<'_>, keep_alive: KeepAlive) -> io::Result<()> {
    let whole = |time| Duration::from_secs(whole_seconds(time));
    let parameters = TcpKeepalive::new().with_time(whole(keep_alive.idle));
    let parameters = platform::set_probes(parameters, whole(keep_alive.interval), keep_alive.count);
    socket.set_tcp_keepalive(&parameters)
}

fn set_ttl(socket: &SockRef<'_>, hops: u32) -> io::Result<()> {
    both(socket, |socket| socket.set_unicast_hops_v6(hops), |socket| socket.set_ttl_v4(hops))
}

fn set_traffic_class(socket: &SockRef<'_>, class: u32) -> io::Result<()> {
    both(
        socket,
        |socket| platform::set_traffic_class_v6(socket, class),
        |socket| platform::set_traffic_class_v4(socket, class),
    )
}

/// Sets an option that IPv4 and IPv6 have under different names. An IPv6 socket may have an IPv4 peer, for
/// which the IPv4 option counts; it is no error if that one does not exist.
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

fn unsupported() -> io::Error {
    io::ErrorKind::Unsupported.into()
}
