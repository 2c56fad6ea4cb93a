//! Simulated datagram sockets.

mod socket;
mod transmission;
#[cfg(unix)]
mod unix;

use crate::net::error::system;
use crate::net::listener::overlap;
use crate::net::{Net, REPEAT_AFTER, event, no_descriptors};
use crate::node::{NodeId, PendingSource};
use crate::random::Random;
use crate::schedule::{Key, Scheduled};
use crate::trace::What;
#[cfg(unix)]
use crate::unix_names::UnixKind;
use ropewalk::backend::{Event, Readiness};
use ropewalk::{Address, Id, SocketOption};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

pub(crate) use socket::SimulatedDatagram;
pub(in crate::net) use transmission::DatagramInFlight;

/// The default receive buffer: the memory of queued datagrams (Linux's `rmem_default`).
const BUFFER: usize = 212_992;

#[derive(Debug)]
pub(super) struct DatagramSocket {
    key: Key,
    pub(super) node: NodeId,
    address: Address,
    peer: Option<Address>,
    /// A Unix socket is connected to a socket, not to its name.
    #[cfg(unix)]
    unix_peer: Option<Key>,
    queue: VecDeque<(Rc<[u8]>, Address)>,
    /// The memory of queued datagrams, and its limit.
    queued: usize,
    buffer: usize,
    /// Sockets that found the queue full.
    #[cfg(unix)]
    waiting: Vec<Key>,
    /// For a Unix socket: the limit of the memory of its datagrams that were not received.
    #[cfg(unix)]
    send_buffer: usize,
    /// A datagram was refused.
    refused: bool,
    /// Its multicast groups: the group, the only sender that is received, if any, and whether on the loopback.
    groups: BTreeSet<(IpAddr, Option<IpAddr>, bool)>,
    /// Datagrams to groups leave on the loopback.
    on_loopback: bool,
    may_broadcast: bool,
    sharing: Sharing,
    only_ipv6: bool,
    multicast_loopback: bool,
    hops: u8,
    id: Option<Id>,
    pending: Readiness,
    /// The schedule has a repetition of its events. One is enough, even after many refused or short operations.
    will_repeat: bool,
    random: Random,
}

/// Whether a socket shares its address with other sharing sockets (socket(7), SO_REUSEADDR and SO_REUSEPORT).
#[derive(Clone, Copy, Debug, Default)]
struct Sharing {
    address: bool,
    port: bool,
}

impl Sharing {
    fn of(options: &[SocketOption]) -> Self {
        let mut sharing = Self::default();
        for option in options {
            match option {
                SocketOption::ReuseAddress(on) => sharing.address = *on,
                SocketOption::ReusePort(on) => sharing.port = *on,
                _ => {}
            }
        }
        sharing
    }

    fn allows(self, other: Self) -> bool {
        self.address && other.address || self.port && other.port
    }
}

impl Net {
    fn datagram_address(
        &mut self,
        node: NodeId,
        address: &Address,
        sharing: Sharing,
        only_ipv6: bool,
    ) -> io::Result<Address> {
        let host = self.host_mut(node);
        if host.conditions.no_descriptors {
            return Err(no_descriptors());
        }
        match address {
            Address::Inet(address) => {
                let ip = address.ip();
                let port = host.own_port(address, ip.is_multicast())?;
                let others = host.bound.get(&port).cloned().unwrap_or_default();
                let in_use = others.into_iter().any(|other| {
                    self.datagram(other).is_some_and(|other| {
                        let overlaps = other.address.ip().is_some_and(|taken| {
                            overlap((ip, only_ipv6), (taken, other.only_ipv6))
                        });
                        overlaps && !sharing.allows(other.sharing)
                    })
                });
                match in_use {
                    true => Err(system(ErrorKind::AddrInUse)),
                    false => Ok(SocketAddr::new(ip, port).into()),
                }
            }
            #[cfg(unix)]
            Address::Unix(address) if !address.is_unnamed() => {
                Ok(host.unix_names.free(UnixKind::Datagrams, address)?.into())
            }
            address => Ok(address.clone()),
        }
    }

    fn new_datagram(&mut self, node: NodeId, address: Address, sharing: Sharing) -> Key {
        let (serial, seed) = (self.new_serial(), self.seed);
        let host = self.host_mut(node);
        host.sockets_made += 1;
        let random = Random::of(seed, u64::from(node.0) | 1 << 32, host.sockets_made);
        let entry = self.datagrams.vacant_entry();
        let key = Key { slot: entry.key() as u32, serial };
        entry.insert(DatagramSocket {
            key,
            node,
            address: address.clone(),
            peer: None,
            #[cfg(unix)]
            unix_peer: None,
            queue: VecDeque::new(),
            queued: 0,
            buffer: BUFFER,
            #[cfg(unix)]
            waiting: Vec::new(),
            #[cfg(unix)]
            send_buffer: BUFFER,
            refused: false,
            groups: BTreeSet::new(),
            on_loopback: false,
            may_broadcast: false,
            sharing,
            only_ipv6: false,
            multicast_loopback: true,
            hops: 1,
            id: None,
            pending: Readiness::default(),
            will_repeat: false,
            random,
        });
        let host = self.host_mut(node);
        match address {
            Address::Inet(address) => host.bound.entry(address.port()).or_default().push(key),
            #[cfg(unix)]
            Address::Unix(address) if !address.is_unnamed() => {
                host.unix_names.take(UnixKind::Datagrams, address, key);
            }
            _ => {}
        }
        key
    }

    fn datagram(&mut self, key: Key) -> Option<&mut DatagramSocket> {
        self.datagrams.get_mut(key.slot as usize).filter(|socket| socket.key == key)
    }

    fn notify_datagram(&mut self, key: Key, readiness: Readiness) {
        let Some(socket) = self.datagram(key) else { return };
        if socket.id.is_none() {
            return;
        }
        let first = socket.pending == Readiness::default();
        socket.pending |= readiness;
        let node = socket.node;
        if first {
            self.notify(node, PendingSource::Datagram(key));
        }
    }

    pub(super) fn take_datagram_event(&mut self, key: Key) -> Option<Event> {
        let socket = self.datagram(key)?;
        event(socket.id, std::mem::take(&mut socket.pending))
    }

    /// Schedules another event after an operation that did less than possible.
    fn repeat_datagram_events_soon(&mut self, key: Key) {
        let at = self.at() + REPEAT_AFTER;
        let Some(socket) = self.datagram(key) else { return };
        if !std::mem::replace(&mut socket.will_repeat, true) {
            self.schedule.add(at, Scheduled::RepeatDatagramEvents(key));
        }
    }

    /// Handles the scheduled repetition.
    pub(super) fn repeat_datagram_events(&mut self, key: Key) {
        if let Some(socket) = self.datagram(key) {
            socket.will_repeat = false;
        }
        self.notify_datagram_state(key);
    }

    fn notify_datagram_state(&mut self, key: Key) {
        let Some(socket) = self.datagram(key) else { return };
        let readable = !socket.queue.is_empty() || socket.refused;
        let readable = if readable { Readiness::READABLE } else { Readiness::default() };
        self.notify_datagram(key, readable | Readiness::WRITABLE);
    }

    fn close_datagram(&mut self, key: Key) {
        #[cfg(unix)]
        self.notify_waiting_senders(key);
        let Some(socket) = self.datagram(key) else { return };
        let (node, id, address) = (socket.node, socket.id, socket.address.clone());
        self.datagrams.remove(key.slot as usize);
        let host = self.host_mut(node);
        match &address {
            Address::Inet(address) => {
                if let Some(bound) = host.bound.get_mut(&address.port()) {
                    bound.retain(|other| *other != key);
                    if bound.is_empty() {
                        host.bound.remove(&address.port());
                    }
                }
            }
            #[cfg(unix)]
            Address::Unix(address) if !address.is_unnamed() => {
                host.unix_names.release(UnixKind::Datagrams, address);
            }
            _ => {}
        }
        self.note(node, id, What::Closes);
    }
}

impl DatagramSocket {
    /// Sets an option.
    fn set_option(&mut self, option: &SocketOption) {
        match option {
            SocketOption::Broadcast(on) => self.may_broadcast = *on,
            SocketOption::ReuseAddress(on) => self.sharing.address = *on,
            SocketOption::ReusePort(on) => self.sharing.port = *on,
            SocketOption::OnlyIpv6(only) => self.only_ipv6 = *only,
            // Twice the requested size, as on Linux (socket(7)).
            SocketOption::ReceiveBuffer(bytes) => self.buffer = bytes.saturating_mul(2).max(2304),
            #[cfg(unix)]
            SocketOption::SendBuffer(bytes) => self.send_buffer = bytes.saturating_mul(2).max(4608),
            _ => {} // Other options have no observable effect here.
        }
    }

    /// Returns an address in the form of the socket's family.
    fn in_own_family(&self, address: &Address) -> Address {
        match (address, self.address.ip()) {
            (Address::Inet(SocketAddr::V4(address)), Some(IpAddr::V6(_))) => {
                SocketAddr::new(address.ip().to_ipv6_mapped().into(), address.port()).into()
            }
            (address, _) => address.clone(),
        }
    }

    /// Returns true if `address` is its peer.
    fn is_peer(&self, address: SocketAddr) -> bool {
        let peer = self.peer.as_ref().and_then(|peer| peer.socket_addr());
        peer.is_some_and(|peer| {
            (peer.ip().to_canonical(), peer.port()) == (address.ip(), address.port())
        })
    }

    /// Returns true if it accepts datagrams from `sender`: a connected socket accepts those of its peer only.
    #[cfg(unix)]
    fn accepts_from(&self, sender: Key) -> bool {
        self.unix_peer.is_none_or(|peer| peer == sender)
    }

    /// Returns how specifically this socket matches a datagram to `to`; `None` if it does not match.
    fn match_rank(&self, to: SocketAddr, sender: &Address) -> Option<u8> {
        let bound = self.address.ip()?;
        let from = sender.ip()?;
        if to.ip().is_multicast() {
            // The sender's address shows on which interface it arrived.
            let sources = [None, Some(from)];
            let joined = sources
                .iter()
                .any(|source| self.groups.contains(&(to.ip(), *source, from.is_loopback())));
            return (joined && (bound.is_unspecified() || bound == to.ip())).then_some(0);
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return (bound.is_unspecified() && bound.is_ipv4() || bound == to.ip()).then_some(0);
        }
        // The unspecified IPv6 address includes all IPv4 addresses.
        let matches = bound == to.ip()
            || bound.is_unspecified()
                && (bound.is_ipv4() == to.is_ipv4() || bound.is_ipv6() && !self.only_ipv6);
        let sender = self.in_own_family(sender);
        let is_from_peer = self.peer.as_ref().is_none_or(|peer| *peer == sender);
        let rank = u8::from(!bound.is_unspecified()) + 2 * u8::from(self.peer.is_some());
        (matches && is_from_peer).then_some(rank)
    }
}
