//! Options with values that differ from the defaults, and whether the system reports them as set.

use ropewalk::{KeepAlive, SocketOption};
use socket2::SockRef;
use std::os::fd::BorrowedFd;
use std::time::Duration;

const KEEP_ALIVE: KeepAlive =
    KeepAlive { idle: Duration::from_secs(61), interval: Duration::from_secs(7), count: 4 };

/// All options that apply to a connection at any time, with values that differ from the defaults.
pub(crate) fn all() -> Vec<SocketOption> {
    vec![
        SocketOption::Nodelay(false),
        SocketOption::KeepAlive(Some(KEEP_ALIVE)),
        SocketOption::UserTimeout(Some(Duration::from_millis(12_345))),
        SocketOption::Linger(Some(Duration::ZERO)),
        SocketOption::SendBuffer(34_000),
        SocketOption::ReceiveBuffer(35_000),
        SocketOption::Ttl(33),
        SocketOption::TrafficClass(0x28),
        SocketOption::ReuseAddress(true),
        SocketOption::ReusePort(true),
        SocketOption::Device("lo".to_owned()),
    ]
}

/// Returns true if the system reports the option as requested.
fn is_set(socket: &SockRef<'_>, option: &SocketOption) -> bool {
    let is_v6 = socket.local_addr().unwrap().is_ipv6();
    match option {
        SocketOption::Nodelay(nodelay) => socket.tcp_nodelay().unwrap() == *nodelay,
        SocketOption::KeepAlive(None) => !socket.keepalive().unwrap(),
        SocketOption::KeepAlive(Some(KeepAlive { idle, interval, count })) => {
            socket.keepalive().unwrap()
                && socket.tcp_keepalive_time().unwrap() == *idle
                && socket.tcp_keepalive_interval().unwrap() == *interval
                && socket.tcp_keepalive_retries().unwrap() == *count
        }
        SocketOption::UserTimeout(timeout) => socket.tcp_user_timeout().unwrap() == *timeout,
        SocketOption::Linger(time) => socket.linger().unwrap() == *time,
        SocketOption::SendBuffer(size) => socket.send_buffer_size().unwrap() == 2 * size,
        SocketOption::ReceiveBuffer(size) => socket.recv_buffer_size().unwrap() == 2 * size,
        SocketOption::Ttl(hops) => {
            let hops = u32::from(*hops);
            let of_v6 = is_v6.then(|| socket.unicast_hops_v6().unwrap());
            socket.ttl_v4().unwrap() == hops && of_v6.is_none_or(|of_v6| of_v6 == hops)
        }
        SocketOption::TrafficClass(class) => {
            let class = u32::from(*class);
            let of_v6 = is_v6.then(|| socket.tclass_v6().unwrap());
            socket.tos_v4().unwrap() == class && of_v6.is_none_or(|of_v6| of_v6 == class)
        }
        SocketOption::OnlyIpv6(only) => socket.only_v6().unwrap() == *only,
        SocketOption::ReuseAddress(reuse) => socket.reuse_address().unwrap() == *reuse,
        SocketOption::ReusePort(reuse) => socket.reuse_port().unwrap() == *reuse,
        SocketOption::Device(name) => {
            let device = socket.device().unwrap().unwrap_or_default();
            device.strip_suffix(b"\0").unwrap_or(&device) == name.as_bytes()
        }
        other => panic!("{other:?} has no test"),
    }
}

#[track_caller]
pub(crate) fn assert_all_set(socket: BorrowedFd<'_>, options: &[SocketOption]) {
    let failing: Vec<_> =
        options.iter().filter(|option| !is_set(&SockRef::from(&socket), option)).collect();
    assert!(failing.is_empty(), "not set: {failing:?}");
}
