//! The uplink of a node: packets wait there while the bandwidth is limited.

use crate::net::Net;
use crate::node::NodeId;
use crate::schedule::{Key, Scheduled, Time};
use std::collections::VecDeque;

/// A packet in the uplink.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet {
    /// A segment: the connection, its side, and the segment's number.
    Segment(Key, u8, u64),
    /// A datagram, and its latency after it has left.
    Datagram(u32, Time),
    /// A datagram that is lost after it has left.
    Lost,
}

/// Sends packets one after the other at the current bandwidth.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    waiting: VecDeque<(usize, Packet)>,
    /// The bytes of the first packet that have not left at `since`.
    left: u64,
    since: Time,
    /// The departure time of the first packet at the current bandwidth.
    departs_at: Time,
}

impl Uplink {
    /// Returns the duration of bytes at a bandwidth in bytes per second.
    fn time_for(bytes: u64, bandwidth: u64) -> Time {
        let time = u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth);
        Time::try_from(time).unwrap_or(Time::MAX / 4)
    }

    /// Begins to send the first packet.
    fn begin(&mut self, at: Time) {
        self.left = self.waiting.front().map_or(0, |(bytes, _)| *bytes as u64);
        self.since = at;
    }
}

impl Net {
    /// Sends a packet now, or when the uplink is free. Packets of a node to itself do not use the uplink.
    pub(super) fn transmit(&mut self, (from, to): (NodeId, NodeId), bytes: usize, packet: Packet) {
        let at = self.at();
        let host = self.host_mut(from);
        if host.conditions.bandwidth == 0 || from == to {
            return self.depart(packet, at);
        }
        host.uplink.waiting.push_back((bytes, packet));
        if host.uplink.waiting.len() == 1 {
            host.uplink.begin(at);
            self.schedule_departure(from);
        }
    }

    fn depart(&mut self, packet: Packet, at: Time) {
        match packet {
            Packet::Segment(key, side, number) => self.segment_departed(key, side, number, at),
            Packet::Datagram(slot, time) => self.schedule.add(at + time, Scheduled::Datagram(slot)),
            Packet::Lost => {}
        }
    }

    fn schedule_departure(&mut self, node: NodeId) {
        let host = self.host_mut(node);
        let (bandwidth, uplink) = (host.conditions.bandwidth, &mut host.uplink);
        if !uplink.waiting.is_empty() {
            uplink.departs_at = uplink.since + Uplink::time_for(uplink.left, bandwidth);
            let at = uplink.departs_at;
            self.schedule.add(at, Scheduled::Departure(node.0));
        }
    }

    /// Handles the departure of the first packet, except if the bandwidth has changed since it was scheduled.
    pub(super) fn first_departed(&mut self, node: NodeId) {
        let now = self.now;
        let uplink = &mut self.host_mut(node).uplink;
        if uplink.departs_at != now {
            return;
        }
        let Some((_, packet)) = uplink.waiting.pop_front() else { return };
        uplink.begin(now);
        self.depart(packet, now);
        self.schedule_departure(node);
    }

    /// Updates the departure time after the bandwidth has changed from `before`.
    pub(super) fn bandwidth_changed(&mut self, node: NodeId, before: u64) {
        let now = self.now;
        let host = self.host_mut(node);
        let uplink = &mut host.uplink;
        if host.conditions.bandwidth == 0 {
            let waiting = std::mem::take(&mut uplink.waiting);
            waiting.into_iter().for_each(|(_, packet)| self.depart(packet, now));
            return;
        }
        let passed = u128::from(now.saturating_sub(uplink.since));
        let gone = passed * u128::from(before) / 1_000_000_000;
        uplink.left = uplink.left.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        uplink.since = uplink.since.max(now);
        self.schedule_departure(node);
    }

    /// Discards all packets of a node that has crashed.
    pub(super) fn clear_uplink(&mut self, node: NodeId) {
        for (_, packet) in std::mem::take(&mut self.host_mut(node).uplink.waiting) {
            match packet {
                Packet::Segment(key, side, number) => self.discard_segment(key, side, number),
                Packet::Datagram(slot, _) => _ = self.datagrams_in_flight.remove(slot as usize),
                Packet::Lost => {}
            }
        }
    }
}
