//! Sockets for datagrams, and what flies between them.

use crate::agenda::{Happens, Key, Time};
#[cfg(unix)]
use crate::net::error::nobody_at;
use crate::net::error::{system, too_long};
use crate::net::line::Parcel;
use crate::net::listener::overlap;
use crate::net::{AGAIN, LOOPBACK, Net, Shared, event, nanos, no_descriptors};
use crate::node::{NodeId, Told};
use crate::random::Random;
use crate::trace::What;
#[cfg(unix)]
use ropewalk::UnixAddress;
use ropewalk::backend::{DatagramBackend, Event, Happening, Multicast, SocketBackend};
use ropewalk::{Address, Id, Interface, SocketOption};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

/// How many bytes a socket holds that were not received (Linux's `rmem_default`).
const BUFFER: usize = 212_992;

/// The longest datagrams over IPv4 and IPv6.
const LONGEST_V4: usize = 65_507;
const LONGEST_V6: usize = 65_527;

/// How many datagrams wait at a Unix socket before those who send have to (unix(7), `max_dgram_qlen`).
#[cfg(unix)]
const UNIX_QUEUE: usize = 10;

/// How much later one comes that is held up.
const HELD_UP: Time = 20_000_000;

#[derive(Debug)]
pub(super) struct DatagramSocket {
    key: Key,
    pub(super) node: NodeId,
    address: Address,
    peer: Option<Address>,
    /// Over Unix sockets one is connected with a socket, not with whoever has its name.
    #[cfg(unix)]
    unix_peer: Option<Key>,
    queue: VecDeque<(Rc<[u8]>, Address)>,
    queued: usize,
    buffer: usize,
    /// Somebody was not there for an earlier datagram.
    refused: bool,
    /// The groups that it has joined, from whom it hears them, if not from everybody, and whether on the
    /// loopback.
    groups: BTreeSet<(IpAddr, Option<IpAddr>, bool)>,
    /// To groups it speaks on the loopback.
    on_loopback: bool,
    may_broadcast: bool,
    shares: bool,
    only_ipv6: bool,
    hears_itself: bool,
    hops: u8,
    id: Option<Id>,
    told: Happening,
    /// Whether the agenda has a repetition of its events: one is enough, however many reads and writes
    /// were refused or cut short.
    will_repeat: bool,
    random: Random,
}

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Flying {
    data: Rc<[u8]>,
    from: Key,
    sender: (NodeId, Address),
    to: (NodeId, Address),
}

/// A socket for datagrams.
#[derive(Debug)]
pub(crate) struct SimulatedDatagram {
    net: Shared,
    key: Key,
}

impl SimulatedDatagram {
    pub(crate) fn bind(
        net: &Shared,
        node: NodeId,
        address: &Address,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        let mut this = net.borrow_mut();
        this.charge_call();
        let only_ipv6 = options.contains(&SocketOption::OnlyIpv6(true));
        let shares = options.iter().any(|option| {
            let share = SocketOption::ReuseAddress(true) == *option;
            share || SocketOption::ReusePort(true) == *option
        });
        let address = match this.name_of_datagram(node, address, shares, only_ipv6) {
            Ok(address) => address,
            Err(error) => {
                this.note(node, None, What::Refuses(error.kind()));
                return Err(error);
            }
        };
        let key = this.new_datagram(node, address.clone(), shares);
        this.note(node, None, What::Binds(&address));
        drop(this);
        let socket = Self { net: net.clone(), key };
        options.iter().try_for_each(|option| socket.set_option(option))?;
        Ok(socket)
    }

    pub(crate) fn connected(
        net: &Shared,
        node: NodeId,
        peer: &Address,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        let local = match peer {
            Address::Inet(peer) => {
                let ip = net.borrow().host(node).address_towards(peer.ip());
                SocketAddr::new(ip, 0).into()
            }
            #[cfg(unix)]
            Address::Unix(_) => UnixAddress::unnamed().into(),
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        let socket = Self::bind(net, node, &local, options)?;
        DatagramBackend::connect(&socket, peer)?;
        Ok(socket)
    }
}

impl Net {
    fn name_of_datagram(
        &mut self,
        node: NodeId,
        address: &Address,
        shares: bool,
        only_ipv6: bool,
    ) -> io::Result<Address> {
        let host = self.host_mut(node);
        if host.weather.no_descriptors {
            return Err(no_descriptors());
        }
        match address {
            Address::Inet(address) => {
                let ip = address.ip();
                if !ip.is_unspecified() && !ip.is_multicast() && !host.has(ip) {
                    return Err(system(ErrorKind::AddrNotAvailable));
                }
                let port = match address.port() {
                    0 => host.free_port().ok_or_else(|| system(ErrorKind::AddrInUse))?,
                    port => port,
                };
                let others = host.bound.get(&port).cloned().unwrap_or_default();
                let in_use = others.into_iter().any(|other| {
                    self.datagram(other).is_some_and(|other| {
                        let overlaps = other.address.ip().is_some_and(|taken| {
                            overlap((ip, only_ipv6), (taken, other.only_ipv6))
                        });
                        overlaps && !(shares && other.shares)
                    })
                });
                match in_use {
                    true => Err(system(ErrorKind::AddrInUse)),
                    false => Ok(SocketAddr::new(ip, port).into()),
                }
            }
            #[cfg(unix)]
            Address::Unix(address) if !address.is_unnamed() => match host.has_unix_name(address) {
                true => Err(system(ErrorKind::AddrInUse)),
                false => Ok(address.clone().into()),
            },
            address => Ok(address.clone()),
        }
    }

    fn new_datagram(&mut self, node: NodeId, address: Address, shares: bool) -> Key {
        let (serial, seed) = (self.new_serial(), self.seed);
        let host = self.host_mut(node);
        host.made += 1;
        let random = Random::of(seed, u64::from(node.0) | 1 << 32, host.made);
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
            refused: false,
            groups: BTreeSet::new(),
            on_loopback: false,
            may_broadcast: false,
            shares,
            only_ipv6: false,
            hears_itself: true,
            hops: 1,
            id: None,
            told: Happening::default(),
            will_repeat: false,
            random,
        });
        let host = self.host_mut(node);
        match address {
            Address::Inet(address) => host.bound.entry(address.port()).or_default().push(key),
            #[cfg(unix)]
            Address::Unix(address) if !address.is_unnamed() => {
                host.unix_bound.insert(address, key);
            }
            _ => {}
        }
        key
    }

    fn datagram(&mut self, key: Key) -> Option<&mut DatagramSocket> {
        self.datagrams.get_mut(key.slot as usize).filter(|socket| socket.key == key)
    }

    fn tell_datagram(&mut self, key: Key, happening: Happening) {
        let Some(socket) = self.datagram(key) else { return };
        if socket.id.is_none() {
            return;
        }
        let first = socket.told == Happening::default();
        socket.told.readable |= happening.readable;
        socket.told.writable |= happening.writable;
        socket.told.failed |= happening.failed;
        let node = socket.node;
        if first {
            self.tell(node, Told::Datagram(key));
        }
    }

    pub(super) fn take_told_of_datagram(&mut self, key: Key) -> Option<Event> {
        let socket = self.datagram(key)?;
        event(socket.id, std::mem::take(&mut socket.told))
    }

    /// A call did less than it could: an event soon says what is possible.
    fn repeat_datagram_events_soon(&mut self, key: Key) {
        let at = self.at() + AGAIN;
        let Some(socket) = self.datagram(key) else { return };
        if !std::mem::replace(&mut socket.will_repeat, true) {
            self.agenda.enter(at, Happens::DatagramAgain(key));
        }
    }

    /// The repetition that the agenda had.
    pub(super) fn repeat_datagram_events(&mut self, key: Key) {
        if let Some(socket) = self.datagram(key) {
            socket.will_repeat = false;
        }
        self.tell_datagram_again(key);
    }

    fn tell_datagram_again(&mut self, key: Key) {
        let Some(socket) = self.datagram(key) else { return };
        let readable = !socket.queue.is_empty() || socket.refused;
        let happening = Happening { readable, writable: true, ..Happening::default() };
        self.tell_datagram(key, happening);
    }

    fn send_datagram(&mut self, key: Key, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        self.charge_call();
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if std::mem::take(&mut socket.refused) {
            return Err(system(ErrorKind::ConnectionRefused));
        }
        #[cfg(unix)]
        if let (None, Some(peer)) = (to, socket.unix_peer)
            && self.datagram(peer).is_none()
        {
            return Err(self.part_unix(key));
        }
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        let to =
            to.or(socket.peer.as_ref()).cloned().ok_or_else(|| system(ErrorKind::NotConnected))?;
        let (node, id) = (socket.node, socket.id);
        let block = self.host(node).weather.would_block;
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if socket.random.chance(block) {
            self.repeat_datagram_events_soon(key);
            return Err(system(ErrorKind::WouldBlock));
        }
        match &to {
            Address::Inet(to) => self.send_inet(key, data, *to)?,
            #[cfg(unix)]
            Address::Unix(to) => self.send_unix(key, data, to)?,
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        self.note(node, id, What::Sends(data, &to));
        Ok(())
    }

    fn send_inet(&mut self, key: Key, data: &[u8], to: SocketAddr) -> io::Result<()> {
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        // A mapped address is one of IPv4 (ipv6(7)).
        let to = SocketAddr::new(to.ip().to_canonical(), to.port());
        let (node, ip) = (socket.node, to.ip());
        let longest = if to.is_ipv4() { LONGEST_V4 } else { LONGEST_V6 };
        if data.len() > longest {
            return Err(too_long());
        }
        let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        if broadcast && !socket.may_broadcast {
            return Err(system(ErrorKind::PermissionDenied));
        }
        // What leaves by the loopback comes in there, whether the sender hears itself or not.
        let on_loopback = ip.is_multicast() && socket.on_loopback;
        let (hops, hears_itself) = (socket.hops, socket.hears_itself || on_loopback);
        let port = socket.address.port().unwrap_or(0);
        let bound_to = socket.address.ip().filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
        let sender = bound_to.unwrap_or_else(|| match ip {
            IpAddr::V4(_) if on_loopback => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) if on_loopback => Ipv6Addr::LOCALHOST.into(),
            ip => self.host(node).address_towards(ip),
        });
        let sender = (node, Address::Inet(SocketAddr::new(sender, port)));
        let data: Rc<[u8]> = data.into();
        if broadcast || ip.is_multicast() {
            let others = (0..self.hosts.len() as u32).map(NodeId);
            for other in others {
                let reaches = match other == node {
                    true => hears_itself,
                    false => broadcast || hops > 0 && !on_loopback,
                };
                // Nobody carries what nobody wants.
                if reaches && self.host(other).bound.contains_key(&to.port()) {
                    self.launch(key, data.clone(), sender.clone(), (other, to.into()));
                }
            }
            return Ok(());
        }
        let other = self.node_of(node, ip).ok_or_else(|| system(ErrorKind::HostUnreachable))?;
        self.launch(key, data, sender, (other, to.into()));
        Ok(())
    }

    fn launch(
        &mut self,
        from: Key,
        data: Rc<[u8]>,
        sender: (NodeId, Address),
        to: (NodeId, Address),
    ) {
        let (here, there) = (&self.host(sender.0).weather, &self.host(to.0).weather);
        let (doubled, held_up) =
            (here.duplication + there.duplication, here.reordering + there.reordering);
        let Some(socket) = self.datagram(from) else { return };
        let mut random = std::mem::replace(&mut socket.random, Random::new(0));
        let copies = if random.chance(doubled) && sender.0 != to.0 { 2 } else { 1 };
        for copy in 0..copies {
            // The network makes the second one, after the first has left.
            let bytes = if copy == 0 { data.len() } else { 0 };
            let (mut time, lost) = self.travel_time(sender.0, to.0, &mut random);
            if random.chance(held_up) && sender.0 != to.0 {
                time += random.between(1, HELD_UP);
            }
            if lost {
                self.note(sender.0, None, What::Loses("on its way"));
                self.post((sender.0, to.0), bytes, Parcel::Lost);
                continue;
            }
            let nodes = (sender.0, to.0);
            let (data, sender, to) = (data.clone(), sender.clone(), to.clone());
            let slot = self.flying.insert(Flying { data, from, sender, to });
            self.post(nodes, bytes, Parcel::Datagram(slot as u32, time));
        }
        if let Some(socket) = self.datagram(from) {
            socket.random = random;
        }
    }

    pub(super) fn arrive_datagram(&mut self, slot: u32) {
        let Flying { data, from, sender, to } = self.flying.remove(slot as usize);
        if !self.passes(sender.0, to.0) {
            return self.note(to.0, None, What::Loses("no way there"));
        }
        let Some(address) = to.1.socket_addr() else { return };
        let many = address.ip().is_multicast() || address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
        let bound = self.host(to.0).bound.get(&address.port()).cloned().unwrap_or_default();
        let mut receivers = Vec::new();
        for key in bound {
            if let Some(fits) =
                self.datagram(key).and_then(|socket| socket.fits(address, &sender.1))
            {
                receivers.push((fits, key));
            }
        }
        if !many {
            // The one that fits best gets it; of several equal ones, the last.
            receivers.sort_by_key(|(fits, _)| *fits);
            receivers.drain(..receivers.len().saturating_sub(1));
            if receivers.is_empty() {
                let (time, lost) = (self.now + LOOPBACK + nanos(self.link.latency), false);
                if !lost && self.passes(to.0, sender.0) {
                    self.agenda.enter(time, Happens::Refusal(from));
                }
                return self.note(to.0, None, What::Loses("nobody is there"));
            }
        }
        for (_, key) in receivers {
            let words = self.datagram(key).map(|socket| socket.in_its_words(&sender.1));
            let Some(sender) = words else { continue };
            self.queue_datagram(key, data.clone(), sender);
        }
    }

    fn queue_datagram(&mut self, key: Key, data: Rc<[u8]>, sender: Address) {
        let Some(socket) = self.datagram(key) else { return };
        let node = socket.node;
        if socket.queued + data.len() > socket.buffer {
            return self.note(node, None, What::Loses("the receiver's buffer is full"));
        }
        socket.queued += data.len();
        socket.queue.push_back((data, sender));
        self.tell_datagram(key, Happening { readable: true, ..Happening::default() });
    }

    /// Only a socket that is connected hears of it (udp(7)).
    pub(super) fn hear_refusal(&mut self, key: Key) {
        if let Some(socket) = self.datagram(key)
            && socket.peer.is_some()
        {
            socket.refused = true;
            let happening = Happening { readable: true, failed: true, ..Happening::default() };
            self.tell_datagram(key, happening);
        }
    }

    fn receive(&mut self, key: Key, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.charge_call();
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if std::mem::take(&mut socket.refused) {
            return Err(system(ErrorKind::ConnectionRefused));
        }
        let (node, id) = (socket.node, socket.id);
        let block = self.host(node).weather.would_block;
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if !socket.queue.is_empty() && socket.random.chance(block) {
            self.repeat_datagram_events_soon(key);
            return Err(system(ErrorKind::WouldBlock));
        }
        let (data, sender) =
            socket.queue.pop_front().ok_or_else(|| system(ErrorKind::WouldBlock))?;
        socket.queued -= data.len();
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        self.note(node, id, What::Receives(data.len(), &sender));
        Ok((data.len(), sender))
    }

    /// The socket with which one was connected is gone: that is told once.
    #[cfg(unix)]
    fn part_unix(&mut self, key: Key) -> io::Error {
        if let Some(socket) = self.datagram(key) {
            (socket.peer, socket.unix_peer) = (None, None);
        }
        system(ErrorKind::ConnectionRefused)
    }

    #[cfg(unix)]
    fn send_unix(&mut self, key: Key, data: &[u8], to: &UnixAddress) -> io::Result<()> {
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        let (node, sender) = (socket.node, socket.address.clone());
        let receiver = *self.host(node).unix_bound.get(to).ok_or_else(|| nobody_at(to))?;
        let Some(socket) = self.datagram(receiver) else {
            return Err(system(ErrorKind::ConnectionRefused));
        };
        if data.len() > socket.buffer {
            return Err(too_long());
        }
        if socket.queue.len() > UNIX_QUEUE {
            return Err(system(ErrorKind::WouldBlock));
        }
        socket.queued += data.len();
        socket.queue.push_back((data.into(), sender));
        self.tell_datagram(receiver, Happening { readable: true, ..Happening::default() });
        Ok(())
    }

    fn close_datagram(&mut self, key: Key) {
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
            Address::Unix(address) if host.unix_bound.get(address) == Some(&key) => {
                host.unix_bound.remove(address);
            }
            _ => {}
        }
        self.note(node, id, What::Closes);
    }
}

impl DatagramSocket {
    /// An address, as a socket of its family tells it.
    fn in_its_words(&self, address: &Address) -> Address {
        match (address, self.address.ip()) {
            (Address::Inet(SocketAddr::V4(address)), Some(IpAddr::V6(_))) => {
                SocketAddr::new(address.ip().to_ipv6_mapped().into(), address.port()).into()
            }
            (address, _) => address.clone(),
        }
    }

    /// How well a datagram to `to` fits this socket; not at all, if it is not for it.
    fn fits(&self, to: SocketAddr, sender: &Address) -> Option<u8> {
        let bound = self.address.ip()?;
        let from = sender.ip()?;
        if to.ip().is_multicast() {
            // By its sender it is known where it came in.
            let sources = [None, Some(from)];
            let joined = sources
                .iter()
                .any(|source| self.groups.contains(&(to.ip(), *source, from.is_loopback())));
            return (joined && (bound.is_unspecified() || bound == to.ip())).then_some(0);
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return (bound.is_unspecified() && bound.is_ipv4() || bound == to.ip()).then_some(0);
        }
        // One for all IPv6 addresses is one for all IPv4 addresses, too.
        let is_for = bound == to.ip()
            || bound.is_unspecified()
                && (bound.is_ipv4() == to.is_ipv4() || bound.is_ipv6() && !self.only_ipv6);
        let words = self.in_its_words(sender);
        let peer_fits = self.peer.as_ref().is_none_or(|peer| *peer == words);
        let precision = u8::from(!bound.is_unspecified()) + 2 * u8::from(self.peer.is_some());
        (is_for && peer_fits).then_some(precision)
    }
}

/// Whether an interface is the loopback; there is one more, which is that of all other names.
fn is_loopback(interface: &Interface) -> bool {
    match interface {
        Interface::Any => false,
        Interface::Address(address) => address.is_loopback(),
        Interface::Index(index) => *index == 1,
        Interface::Name(name) => name == "lo",
    }
}

impl SocketBackend for SimulatedDatagram {
    fn register(&mut self, id: Id) {
        let mut net = self.net.borrow_mut();
        if let Some(socket) = net.datagram(self.key) {
            socket.id = Some(id);
        }
        net.tell_datagram_again(self.key);
    }

    fn deregister(&mut self) {
        if let Some(socket) = self.net.borrow_mut().datagram(self.key) {
            socket.id = None;
            socket.told = Happening::default();
        }
    }

    fn local_address(&self) -> io::Result<Address> {
        match self.net.borrow_mut().datagram(self.key) {
            Some(socket) => Ok(socket.address.clone()),
            None => Err(system(ErrorKind::NotConnected)),
        }
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else { return Ok(()) };
        match option {
            SocketOption::Broadcast(on) => socket.may_broadcast = *on,
            SocketOption::OnlyIpv6(only) => socket.only_ipv6 = *only,
            SocketOption::ReceiveBuffer(bytes) => socket.buffer = (*bytes).max(1152),
            SocketOption::Device(_)
            | SocketOption::KeepAlive(_)
            | SocketOption::Nodelay(_)
            | SocketOption::UserTimeout(_) => {
                return Err(ErrorKind::Unsupported.into());
            }
            _ => {} // They change nothing that could be told here.
        }
        Ok(())
    }
}

impl DatagramBackend for SimulatedDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.net.borrow_mut().receive(self.key, buffer)
    }

    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        self.net.borrow_mut().send_datagram(self.key, data, to)
    }

    fn connect(&self, peer: &Address) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let node = socket.node;
        match peer {
            Address::Inet(address) => {
                _ = net
                    .node_of(node, address.ip().to_canonical())
                    .ok_or_else(|| system(ErrorKind::HostUnreachable))?;
            }
            #[cfg(unix)]
            Address::Unix(address) => {
                let host = net.host(node);
                let found = host.unix_bound.get(address).copied();
                let found = found.ok_or_else(|| nobody_at(address))?;
                if let Some(socket) = net.datagram(self.key) {
                    socket.unix_peer = Some(found);
                }
            }
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        if let Some(socket) = net.datagram(self.key) {
            socket.peer = Some(peer.clone());
        }
        Ok(())
    }

    fn multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        let Some(socket) = net.datagram(self.key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let joined = |new: bool| if new { Ok(()) } else { Err(system(ErrorKind::AddrInUse)) };
        let left = |was: bool| if was { Ok(()) } else { Err(system(ErrorKind::AddrNotAvailable)) };
        match change {
            Multicast::Join(group, _) | Multicast::JoinSource(group, ..)
                if !group.is_multicast() =>
            {
                Err(system(ErrorKind::InvalidInput))
            }
            Multicast::Join(group, at) => {
                joined(socket.groups.insert((group, None, is_loopback(at))))
            }
            Multicast::Leave(group, at) => {
                left(socket.groups.remove(&(group, None, is_loopback(at))))
            }
            Multicast::JoinSource(group, source, at) => {
                joined(socket.groups.insert((group, Some(source), is_loopback(at))))
            }
            Multicast::LeaveSource(group, source, at) => {
                left(socket.groups.remove(&(group, Some(source), is_loopback(at))))
            }
            Multicast::Loopback(on) => {
                socket.hears_itself = on;
                Ok(())
            }
            Multicast::Ttl(hops) => {
                socket.hops = hops;
                Ok(())
            }
            Multicast::Interface(at) => {
                socket.on_loopback = is_loopback(at);
                Ok(())
            }
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl Drop for SimulatedDatagram {
    fn drop(&mut self) {
        self.net.borrow_mut().close_datagram(self.key);
    }
}
