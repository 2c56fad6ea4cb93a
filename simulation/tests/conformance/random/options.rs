//! Options with valid and invalid values, for all kinds of sockets.

use ropewalk::{KeepAlive, SocketOption};
use ropewalk_simulation::Random;
use std::time::Duration;

/// Options of new sockets: few, since a refused one makes the socket impossible.
///
/// Ports are not shared: which socket receives is not determined.
pub(crate) fn options(random: &mut Random, is_unix: bool) -> Vec<SocketOption> {
    let count = *random.choose(&[0, 0, 0, 1, 2]);
    let options = (0..count).map(|_| option(random, is_unix));
    let shares = |option: &SocketOption| matches!(option, SocketOption::ReusePort(true));
    options.filter(|option| is_unix || !shares(option)).collect()
}

pub(crate) fn option(random: &mut Random, is_unix: bool) -> SocketOption {
    let on = random.chance(0.5);
    match random.below(13) {
        0 => SocketOption::Nodelay(on),
        1 => SocketOption::KeepAlive(keep_alive(random)),
        2 => {
            let spans = [None, Some(Duration::ZERO), Some(Duration::from_secs(90))];
            SocketOption::UserTimeout(*random.choose(&spans))
        }
        3 => {
            let spans = [None, Some(Duration::ZERO), Some(Duration::from_secs(1))];
            SocketOption::Linger(*random.choose(&spans))
        }
        4 => SocketOption::SendBuffer(buffer(random, is_unix)),
        5 => SocketOption::ReceiveBuffer(buffer(random, is_unix)),
        6 => SocketOption::Ttl(*random.choose(&[0, 1, 64, 255])),
        7 => SocketOption::TrafficClass(*random.choose(&[0, 8, 255])),
        8 => SocketOption::OnlyIpv6(on),
        9 => SocketOption::ReuseAddress(on),
        10 => SocketOption::ReusePort(on),
        11 => SocketOption::Broadcast(on),
        _ => {
            let names = ["", "a name that is too long", "a\0b"];
            SocketOption::Device((*random.choose(&names)).to_owned())
        }
    }
}

fn keep_alive(random: &mut Random) -> Option<KeepAlive> {
    let seconds = [0, 1, 7200, 32_767, 32_768];
    random.chance(0.7).then(|| KeepAlive {
        idle: Duration::from_secs(*random.choose(&seconds)),
        interval: Duration::from_secs(*random.choose(&seconds)),
        count: *random.choose(&[0, 1, 9, 127, 128]),
    })
}

/// Smaller buffers would make TCP wait for its timers, and drop datagrams at random.
fn buffer(random: &mut Random, is_unix: bool) -> usize {
    match random.below(5) {
        0 => usize::MAX,
        1 => 1 << 31,
        2 if is_unix => *random.choose(&[0, 1, 5000]),
        _ => *random.choose(&[100_000, 150_000]),
    }
}
