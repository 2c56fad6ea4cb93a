//! Nodes: what a host is made of, seen from the network.

use crate::conditions::{Conditions, Costs};
use crate::net::{Uplink, system};
use crate::schedule::{Key, Time};
#[cfg(unix)]
use crate::unix_names::UnixNames;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The name of a node of a [`World`](crate::World).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The first node is 0, the next 1, and so on.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The name that the node with this number has, or is going to have.
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

/// A socket of a host about which there is something to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PendingSource {
    Datagram(Key),
    End(Key, u8),
    Listener(Key),
    /// Another thread, or another node, has sent something.
    Woken,
}

/// The first and the last port that are given out to those who ask for none (Linux's
/// `ip_local_port_range`).
const EPHEMERAL: (u16, u16) = (32_768, 60_999);

/// A machine on the network.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
    /// Whether it is running, or has crashed.
    pub(crate) is_up: bool,
    /// What the network and the system do to it: it follows from the faults in force, and from nothing else.
    pub(crate) conditions: Conditions,
    pub(crate) clock: HostClock,
    /// What it costs to work here, if that is not what is usual.
    pub(crate) costs: Option<Costs>,

    /// Whom its reactor is told of at its next wait.
    pub(crate) pending: Vec<PendingSource>,
    /// When its reactor's next turn is, if one is on the agenda.
    pub(crate) next_turn: Option<Time>,
    /// The turns of it that stand on the agenda, the next one last. If its next turn is none of them, it is
    /// entered when one of them has come: else every turn before a far timer would enter that anew.
    pub(crate) turns: Vec<Time>,
    /// Until when it is busy with its last one.
    pub(crate) busy_until: Time,
    /// How long all its turns together have taken.
    pub(crate) worked: Time,
    /// What is left to be charged for data: less than a nanosecond, in 1,024ths of one.
    pub(crate) not_charged: Time,
    /// It has its turn now; when the next one is, is seen at the end of it.
    pub(crate) in_turn: bool,

    pub(crate) listeners: BTreeMap<SocketAddr, Key>,
    /// Datagram sockets by port; several may share one.
    pub(crate) bound: BTreeMap<u16, Vec<Key>>,
    #[cfg(unix)]
    pub(crate) unix_names: UnixNames,
    /// Ports of connections that it has made.
    ports: BTreeSet<u16>,
    last_port: u16,
    /// How many connections and datagram sockets it has made; each draws from a stream of its own.
    pub(crate) sockets_made: u64,
    /// What it has given to the network and has not left yet.
    pub(crate) uplink: Uplink,
}

impl Host {
    pub(crate) fn new(index: u32, name: &str) -> Self {
        // 10.0.0.1 and fd00::1 are the first.
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

    /// Whether an address is its own: to itself it is also localhost.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip == self.ipv4 || ip.is_loopback(),
            IpAddr::V6(ip) => ip == self.ipv6 || ip.is_loopback(),
        }
    }

    /// The address from which it speaks to another.
    pub(crate) fn address_towards(&self, peer: IpAddr) -> IpAddr {
        match peer {
            peer if peer.is_loopback() => peer,
            IpAddr::V4(_) => self.ipv4.into(),
            IpAddr::V6(_) => self.ipv6.into(),
        }
    }

    /// Who listens on an address: on just this one, on all of its family, or on all there are.
    pub(crate) fn listener(&self, address: SocketAddr) -> Option<Key> {
        let port = address.port();
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        };
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        [address, any, all].iter().find_map(|address| self.listeners.get(address).copied())
    }

    /// The port of a socket that is to be bound to `address`: a free one in place of 0. `is_group` tells that
    /// a multicast group may stand there as well.
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

    /// A port that no socket has.
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

    /// Whether a connection that it has made is from this port.
    pub(crate) fn connects_from(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// A connection that it makes has this port.
    pub(crate) fn take_port(&mut self, port: u16) {
        self.ports.insert(port);
    }

    pub(crate) fn release_port(&mut self, port: u16) {
        self.ports.remove(&port);
    }

    /// What was in memory is lost.
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

/// A monotonic clock that need not run as fast as the world's.
#[derive(Debug, Default)]
pub(crate) struct HostClock {
    /// What it showed at `since`, and how many millionths it runs fast.
    shown: Time,
    since: Time,
    drift: i32,
}

impl HostClock {
    /// What it shows at a time of the world.
    pub(crate) fn at(&self, time: Time) -> Time {
        let passed = i128::from(time.saturating_sub(self.since));
        let shown = passed + passed * i128::from(self.drift) / 1_000_000;
        self.shown + shown as Time
    }

    /// How long the world takes for what is `span` on this clock. One nanosecond more, so that it is
    /// over when the time has come.
    pub(crate) fn world_span(&self, span: Time) -> Time {
        match self.drift {
            0 => span,
            drift => {
                let rate = 1_000_000 + i128::from(drift);
                (i128::from(span) * 1_000_000 / rate).min(i128::from(Time::MAX - 1)) as Time + 1
            }
        }
    }

    /// From now on it runs so many millionths fast. Whether that is new.
    pub(crate) fn set_drift(&mut self, time: Time, drift: i32) -> bool {
        let drift = drift.max(-900_000);
        let is_new = drift != self.drift;
        (self.shown, self.since, self.drift) = (self.at(time), time, drift);
        is_new
    }

    /// It jumps ahead, as after a sleep of the machine.
    pub(crate) fn jump(&mut self, by: Time) {
        self.shown += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_drifts_never_goes_back_and_is_due_when_it_says() {
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
    fn hosts_have_addresses_of_their_own() {
        let (first, other) = (Host::new(0, "a"), Host::new(70_000, "b"));
        assert_eq!(first.ipv4, Ipv4Addr::new(10, 0, 0, 1));
        assert_ne!(first.ipv4, other.ipv4);
        assert_ne!(first.ipv6, other.ipv6);
        assert!(first.has("127.0.0.1".parse().unwrap()));
        assert!(!first.has(other.ipv4.into()));
    }
}
