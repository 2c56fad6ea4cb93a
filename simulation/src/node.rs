//! Hosts of the simulated network: addresses, ports, clocks.

use crate::conditions::{Conditions, Costs};
use crate::net::{Uplink, system};
use crate::schedule::{Key, Time};
#[cfg(unix)]
use crate::unix_names::UnixNames;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Identifies a node of a [`World`](crate::World).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// Returns the index: the first node has 0, the next 1, and so on.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Returns the id that the node with this index has, or will have.
impl From<u32> for NodeId {
    fn from(index: u32) -> Self {
        Self(index)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

/// A source of events of a host's reactor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PendingSource {
    Datagram(Key),
    End(Key, u8),
    Listener(Key),
    /// A pipe of the process with this number, by its index.
    #[cfg(all(unix, feature = "process"))]
    Pipe(u64, usize),
    #[cfg(all(unix, feature = "process"))]
    Process(u64),
    /// Another thread or another node has called the reactor.
    Woken,
}

/// The range of ports that the system assigns (Linux's `ip_local_port_range`).
const EPHEMERAL: (u16, u16) = (32_768, 60_999);

/// A machine on the network.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
    /// The machine is on.
    pub(crate) is_up: bool,
    /// Computed from the faults in force only.
    pub(crate) conditions: Conditions,
    pub(crate) clock: HostClock,
    /// The costs of work. Default: those of the world.
    pub(crate) costs: Option<Costs>,

    /// The sources that have events for the reactor's next wait.
    pub(crate) pending: Vec<PendingSource>,
    /// The time of the reactor's next turn, if one is planned.
    pub(crate) next_turn: Option<Time>,
    /// The turns in the schedule, the next one last. If the next turn is not among them, it is added when the last
    /// of them has come. Otherwise each turn before a distant timer would add that timer's turn again.
    pub(crate) turns: Vec<Time>,
    /// The end of the work of its last turn.
    pub(crate) busy_until: Time,
    /// The duration of all its work.
    pub(crate) worked: Time,
    /// The part of the costs of data that is not yet charged: less than a nanosecond, in 1,024ths of one.
    pub(crate) not_charged: Time,
    /// The reactor runs a turn. Its next turn is planned at the end of it.
    pub(crate) in_turn: bool,

    pub(crate) listeners: BTreeMap<SocketAddr, Key>,
    /// Datagram sockets by port. Several may share a port.
    pub(crate) bound: BTreeMap<u16, Vec<Key>>,
    #[cfg(unix)]
    pub(crate) unix_names: UnixNames,
    /// The ports of outgoing connections.
    ports: BTreeSet<u16>,
    last_port: u16,
    /// The number of connections and datagram sockets that the host has made. Each draws from a random stream of
    /// its own.
    pub(crate) sockets_made: u64,
    /// Packets that have not left the host.
    pub(crate) uplink: Uplink,
}

impl Host {
    pub(crate) fn new(index: u32, name: &str) -> Self {
        // The first addresses are 10.0.0.1 and fd00::1.
        let number = index + 1;
        let [_, a, b, c] = number.to_be_bytes();
        let [high, low] = [(number >> 16) as u16, number as u16];
        Self {
            name: name.to_owned(),
            ipv4: Ipv4Addr::new(10, a, b, c),
            ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, high, low),
            is_up: false,
            conditions: Conditions::default(),
            clock: HostClock::default(),
            costs: None,
            pending: Vec::new(),
            next_turn: None,
            turns: Vec::new(),
            busy_until: 0,
            worked: 0,
            not_charged: 0,
            in_turn: false,
            listeners: BTreeMap::new(),
            bound: BTreeMap::new(),
            #[cfg(unix)]
            unix_names: UnixNames::default(),
            ports: BTreeSet::new(),
            last_port: EPHEMERAL.0 - 1,
            sockets_made: 0,
            uplink: Uplink::default(),
        }
    }

    /// Returns true if the host has the address. Loopback addresses are its own.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip == self.ipv4 || ip.is_loopback(),
            IpAddr::V6(ip) => ip == self.ipv6 || ip.is_loopback(),
        }
    }

    /// Returns the source address for packets to `peer`.
    pub(crate) fn address_towards(&self, peer: IpAddr) -> IpAddr {
        match peer {
            peer if peer.is_loopback() => peer,
            IpAddr::V4(_) => self.ipv4.into(),
            IpAddr::V6(_) => self.ipv6.into(),
        }
    }

    /// Returns the listener for an address: one bound to this address, to all of its family, or to all addresses.
    pub(crate) fn listener(&self, address: SocketAddr) -> Option<Key> {
        let port = address.port();
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        };
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        [address, any, all].iter().find_map(|address| self.listeners.get(address).copied())
    }

    /// Returns the port of a socket that is bound to `address`: a free port if it is 0. With `is_group`, the
    /// address may be a multicast group.
    pub(crate) fn own_port(&mut self, address: &SocketAddr, is_group: bool) -> io::Result<u16> {
        let ip = address.ip();
        if !ip.is_unspecified() && !is_group && !self.has(ip) {
            return Err(system(ErrorKind::AddrNotAvailable));
        }
        match address.port() {
            0 => self.free_port().ok_or_else(|| system(ErrorKind::AddrInUse)),
            port => Ok(port),
        }
    }

    /// Returns a port that no socket has.
    pub(crate) fn free_port(&mut self) -> Option<u16> {
        let (first, last) = EPHEMERAL;
        for _ in first..=last {
            self.last_port = if self.last_port == last { first } else { self.last_port + 1 };
            let port = self.last_port;
            let taken = self.ports.contains(&port)
                || self.bound.contains_key(&port)
                || self.listeners.keys().any(|address| address.port() == port);
            if !taken {
                return Some(port);
            }
        }
        None
    }

    /// Returns true if an outgoing connection has this port.
    pub(crate) fn connects_from(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// Marks a port as used by an outgoing connection.
    pub(crate) fn take_port(&mut self, port: u16) {
        self.ports.insert(port);
    }

    pub(crate) fn release_port(&mut self, port: u16) {
        self.ports.remove(&port);
    }

    /// Discards all state in memory, as a crash does.
    pub(crate) fn clear(&mut self) {
        self.is_up = false;
        self.pending.clear();
        self.listeners.clear();
        self.bound.clear();
        #[cfg(unix)]
        self.unix_names.clear();
        self.ports.clear();
    }
}

/// A monotonic clock that may run faster or slower than the world's.
#[derive(Debug, Default)]
pub(crate) struct HostClock {
    /// The time that it showed at `since`, and how many millionths it runs fast.
    shown: Time,
    since: Time,
    drift: i32,
}

impl HostClock {
    /// Returns the time that it shows at a time of the world.
    pub(crate) fn at(&self, time: Time) -> Time {
        let passed = i128::from(time.saturating_sub(self.since));
        let shown = passed + passed * i128::from(self.drift) / 1_000_000;
        self.shown + shown as Time
    }

    /// Returns how long the world takes for `span` on this clock, plus one nanosecond, so that the time has passed
    /// on this clock.
    pub(crate) fn world_span(&self, span: Time) -> Time {
        match self.drift {
            0 => span,
            drift => {
                let rate = 1_000_000 + i128::from(drift);
                (i128::from(span) * 1_000_000 / rate).min(i128::from(Time::MAX - 1)) as Time + 1
            }
        }
    }

    /// Changes how many millionths it runs fast. Returns true if that is a change.
    pub(crate) fn set_drift(&mut self, time: Time, drift: i32) -> bool {
        let drift = drift.max(-900_000);
        let is_new = drift != self.drift;
        (self.shown, self.since, self.drift) = (self.at(time), time, drift);
        is_new
    }

    /// Moves the clock ahead, as after a suspend of the machine.
    pub(crate) fn jump(&mut self, by: Time) {
        self.shown += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_is_monotonic_and_never_early() {
        let mut clock = HostClock::default();
        for (time, drift) in [(1_000, 500), (2_000_000, -300_000), (5_000_000, 0)] {
            let before = clock.at(time);
            clock.set_drift(time, drift);
            assert_eq!(clock.at(time), before);
            let span = clock.world_span(12_345);
            assert!(clock.at(time + span) >= before + 12_345);
        }
    }

    #[test]
    fn each_host_has_its_own_addresses() {
        let (first, other) = (Host::new(0, "a"), Host::new(70_000, "b"));
        assert_eq!(first.ipv4, Ipv4Addr::new(10, 0, 0, 1));
        assert_ne!(first.ipv4, other.ipv4);
        assert_ne!(first.ipv6, other.ipv6);
        assert!(first.has("127.0.0.1".parse().unwrap()));
        assert!(!first.has(other.ipv4.into()));
    }
}
