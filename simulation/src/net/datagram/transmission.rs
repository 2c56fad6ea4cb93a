//! Sending and receiving of datagrams.

use crate::net::error::{system, too_long};
use crate::net::uplink::Packet;
use crate::net::{LOOPBACK, Net, nanos};
use crate::node::NodeId;
use crate::random::Random;
use crate::schedule::{Key, Scheduled, Time};
use crate::trace::What;
use ropewalk::Address;
use ropewalk::backend::Readiness;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

/// The maximum sizes over IPv4 and IPv6.
const LONGEST_V4: usize = 65_507;
const LONGEST_V6: usize = 65_527;

/// The maximum delay of a reordered datagram.
const REORDER_DELAY: Time = 20_000_000;

/// Returns the memory that Linux takes for a queued datagram on 64-bit systems (`skb->truesize`): one allocation
/// for its descriptor, and one for its bytes, the headers and `skb_shared_info`, in sizes of the allocator. Long
/// datagrams have their bytes in pages.
pub(super) fn memory_for(length: usize) -> usize {
    const DESCRIPTOR: usize = 256;
    const OVERHEAD: usize = 379;
    const SMALLEST: usize = 576;
    match length + OVERHEAD {
        ..=SMALLEST => DESCRIPTOR + SMALLEST,
        needed @ ..=16_384 => DESCRIPTOR + needed.next_power_of_two(),
        _ => DESCRIPTOR + SMALLEST + length,
    }
}

/// A datagram in flight.
#[derive(Debug)]
pub(in crate::net) struct DatagramInFlight {
    data: Rc<[u8]>,
    from: Key,
    sender: (NodeId, Address),
    to: (NodeId, Address),
}

impl Net {
    pub(super) fn send_datagram(
        &mut self,
        key: Key,
        data: &[u8],
        to: Option<&Address>,
    ) -> io::Result<()> {
        self.charge_write();
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if std::mem::take(&mut socket.refused) {
            return Err(system(ErrorKind::ConnectionRefused));
        }
        #[cfg(unix)]
        if let (None, Some(peer)) = (to, socket.unix_peer)
            && self.datagram(peer).is_none()
        {
            return Err(self.disconnect_unix(key));
        }
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        let is_named = to.is_some();
        let to =
            to.or(socket.peer.as_ref()).cloned().ok_or_else(|| system(ErrorKind::NotConnected))?;
        let (node, id) = (socket.node, socket.id);
        let block = self.host(node).conditions.would_block;
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if socket.random.chance(block) {
            self.repeat_datagram_events_soon(key);
            return Err(system(ErrorKind::WouldBlock));
        }
        match &to {
            Address::Inet(to) if is_named && to.port() == 0 => {
                return Err(system(ErrorKind::InvalidInput));
            }
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
        // A mapped address is an IPv4 address (ipv6(7)).
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
        // A datagram that leaves on the loopback arrives there, even without IP_MULTICAST_LOOP.
        let on_loopback = ip.is_multicast() && socket.on_loopback;
        let (hops, multicast_loopback) = (socket.hops, socket.multicast_loopback || on_loopback);
        let port = socket.address.port().unwrap_or(0);
        let bound_to = socket.address.ip().filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
        let sender = bound_to.unwrap_or_else(|| match ip {
            IpAddr::V4(_) if on_loopback => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) if on_loopback => Ipv6Addr::LOCALHOST.into(),
            ip => self.host(node).address_towards(ip),
        });
        let sender = (node, Address::Inet(SocketAddr::new(sender, port)));
        self.charge_data(node, data.len());
        let data: Rc<[u8]> = data.into();
        if broadcast || ip.is_multicast() {
            let others = (0..self.hosts.len() as u32).map(NodeId);
            for other in others {
                let reaches = match other == node {
                    true => multicast_loopback,
                    false => broadcast || hops > 0 && !on_loopback,
                };
                // A node without such a port receives nothing.
                if reaches && self.host(other).bound.contains_key(&to.port()) {
                    self.send_copies(key, data.clone(), sender.clone(), (other, to.into()));
                }
            }
            return Ok(());
        }
        let other = self.node_of(node, ip).ok_or_else(|| system(ErrorKind::HostUnreachable))?;
        self.send_copies(key, data, sender, (other, to.into()));
        Ok(())
    }

    fn send_copies(
        &mut self,
        from: Key,
        data: Rc<[u8]>,
        sender: (NodeId, Address),
        to: (NodeId, Address),
    ) {
        let (here, there) = (&self.host(sender.0).conditions, &self.host(to.0).conditions);
        let (duplication, reordering) =
            (here.duplication + there.duplication, here.reordering + there.reordering);
        let Some(socket) = self.datagram(from) else { return };
        let mut random = std::mem::replace(&mut socket.random, Random::new(0));
        let copies = if random.chance(duplication) && sender.0 != to.0 { 2 } else { 1 };
        for copy in 0..copies {
            // The network makes the second copy after the first has left.
            let bytes = if copy == 0 { data.len() } else { 0 };
            let (mut time, lost) = self.travel_time(sender.0, to.0, &mut random);
            if random.chance(reordering) && sender.0 != to.0 {
                time += random.between(1, REORDER_DELAY);
            }
            if lost {
                self.note(sender.0, None, What::Loses("dropped by the network"));
                self.transmit((sender.0, to.0), bytes, Packet::Lost);
                continue;
            }
            let nodes = (sender.0, to.0);
            let (data, sender, to) = (data.clone(), sender.clone(), to.clone());
            let slot = self.datagrams_in_flight.insert(DatagramInFlight { data, from, sender, to });
            self.transmit(nodes, bytes, Packet::Datagram(slot as u32, time));
        }
        if let Some(socket) = self.datagram(from) {
            socket.random = random;
        }
    }

    pub(in crate::net) fn arrive_datagram(&mut self, slot: u32) {
        let DatagramInFlight { data, from, sender, to } =
            self.datagrams_in_flight.remove(slot as usize);
        if !self.passes(sender.0, to.0) {
            return self.note(to.0, None, What::Loses("the destination is unreachable"));
        }
        let Some(address) = to.1.socket_addr() else { return };
        let many = address.ip().is_multicast() || address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
        let bound = self.host(to.0).bound.get(&address.port()).cloned().unwrap_or_default();
        let mut receivers = Vec::new();
        for key in bound {
            if let Some(match_rank) =
                self.datagram(key).and_then(|socket| socket.match_rank(address, &sender.1))
            {
                receivers.push((match_rank, key));
            }
        }
        if !many {
            // The most specific socket receives it; among equals, the last one.
            receivers.sort_by_key(|(match_rank, _)| *match_rank);
            receivers.drain(..receivers.len().saturating_sub(1));
            if receivers.is_empty() {
                let time = self.now + LOOPBACK + nanos(self.link.latency);
                let is_reported = self.datagram(from).is_some_and(|socket| socket.is_peer(address));
                if is_reported && self.passes(to.0, sender.0) {
                    self.schedule.add(time, Scheduled::Refusal(from));
                }
                return self.note(to.0, None, What::Loses("no socket has the address"));
            }
        }
        for (_, key) in receivers {
            let Some(socket) = self.datagram(key) else { continue };
            let sender = socket.in_own_family(&sender.1);
            self.queue_datagram(key, data.clone(), sender);
        }
    }

    fn queue_datagram(&mut self, key: Key, data: Rc<[u8]>, sender: Address) {
        let Some(socket) = self.datagram(key) else { return };
        let node = socket.node;
        let memory = memory_for(data.len());
        // An empty queue accepts any datagram.
        if socket.queued > 0 && socket.queued + memory > socket.buffer {
            return self.note(node, None, What::Loses("the receiver's buffer is full"));
        }
        socket.queued += memory;
        socket.queue.push_back((data, sender));
        self.notify_datagram(key, Readiness::READABLE);
    }

    /// Reports a refused datagram: only to a connected socket (udp(7)), and only for datagrams to its peer.
    pub(in crate::net) fn receive_refusal(&mut self, key: Key) {
        if let Some(socket) = self.datagram(key)
            && socket.peer.is_some()
        {
            socket.refused = true;
            self.notify_datagram(key, Readiness::FAILED);
        }
    }

    pub(super) fn receive(&mut self, key: Key, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.charge_call();
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if std::mem::take(&mut socket.refused) {
            return Err(system(ErrorKind::ConnectionRefused));
        }
        let (node, id) = (socket.node, socket.id);
        let block = self.host(node).conditions.would_block;
        let Some(socket) = self.datagram(key) else { return Err(system(ErrorKind::NotConnected)) };
        if !socket.queue.is_empty() && socket.random.chance(block) {
            self.repeat_datagram_events_soon(key);
            return Err(system(ErrorKind::WouldBlock));
        }
        let (data, sender) =
            socket.queue.pop_front().ok_or_else(|| system(ErrorKind::WouldBlock))?;
        socket.queued -= memory_for(data.len());
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        #[cfg(unix)]
        self.notify_waiting_senders(key);
        self.charge_data(node, count);
        self.note(node, id, What::Receives(data.len(), &sender));
        Ok((data.len(), sender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As measured on Linux 6.18.
    #[test]
    fn datagram_memory_grows_in_allocator_steps() {
        let steps = [(0, 832), (197, 832), (198, 1280), (645, 1280), (646, 2304), (1670, 4352)];
        let longer = [(3718, 8448), (7813, 8448), (7814, 16_640), (20_000, 20_832)];
        for (length, memory) in steps.into_iter().chain(longer) {
            assert_eq!(memory_for(length), memory, "{length} bytes");
        }
    }
}
