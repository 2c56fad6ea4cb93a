//! The line that joins a node to the network: what the node sends waits there while the line is slow.

use crate::agenda::{Happens, Key, Time};
use crate::net::Net;
use crate::node::NodeId;
use std::collections::VecDeque;

/// What is sent over the line, in its turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parcel {
    /// A segment that an end of a connection has sent, by its number on its way.
    Segment(Key, u8, u64),
    /// A datagram, which arrives so much after it has left.
    Datagram(u32, Time),
    /// A datagram that is lost once it has left.
    Lost,
}

/// Parcels leave one after the other, as fast as the bandwidth allows at that time.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: VecDeque<(usize, Parcel)>,
    /// How many bytes of the first have yet to leave, counted at `since`.
    left: u64,
    since: Time,
    /// When the first has left, at the bandwidth that there is now.
    leaves_at: Time,
}

impl Line {
    /// How long so many bytes take at a bandwidth in bytes a second.
    fn time_for(bytes: u64, bandwidth: u64) -> Time {
        let time = u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth);
        Time::try_from(time).unwrap_or(Time::MAX / 4)
    }

    /// The first that waits begins to leave.
    fn begin(&mut self, at: Time) {
        self.left = self.waiting.front().map_or(0, |(bytes, _)| *bytes as u64);
        self.since = at;
    }
}

impl Net {
    /// Gives something to the network. It leaves now, or when the line is free. What a node sends to itself does
    /// not take the line.
    pub(super) fn post(&mut self, (from, to): (NodeId, NodeId), bytes: usize, parcel: Parcel) {
        let at = self.at();
        let host = self.host_mut(from);
        if host.weather.bandwidth == 0 || from == to {
            return self.leave(parcel, at);
        }
        host.line.waiting.push_back((bytes, parcel));
        if host.line.waiting.len() == 1 {
            host.line.begin(at);
            self.plan_departure(from);
        }
    }

    fn leave(&mut self, parcel: Parcel, at: Time) {
        match parcel {
            Parcel::Segment(key, side, number) => self.leave_segment(key, side, number, at),
            Parcel::Datagram(slot, time) => self.agenda.enter(at + time, Happens::Datagram(slot)),
            Parcel::Lost => {}
        }
    }

    fn plan_departure(&mut self, node: NodeId) {
        let host = self.host_mut(node);
        let (bandwidth, line) = (host.weather.bandwidth, &mut host.line);
        if !line.waiting.is_empty() {
            line.leaves_at = line.since + Line::time_for(line.left, bandwidth);
            let at = line.leaves_at;
            self.agenda.enter(at, Happens::Departure(node.0));
        }
    }

    /// What is first at a node's line has left, unless the bandwidth has changed meanwhile.
    pub(super) fn depart(&mut self, node: NodeId) {
        let now = self.now;
        let line = &mut self.host_mut(node).line;
        if line.leaves_at != now {
            return;
        }
        let Some((_, parcel)) = line.waiting.pop_front() else { return };
        line.begin(now);
        self.leave(parcel, now);
        self.plan_departure(node);
    }

    /// The bandwidth of a node's line was another until now.
    pub(super) fn follow_bandwidth(&mut self, node: NodeId, before: u64) {
        let now = self.now;
        let host = self.host_mut(node);
        let line = &mut host.line;
        if host.weather.bandwidth == 0 {
            let waiting = std::mem::take(&mut line.waiting);
            waiting.into_iter().for_each(|(_, parcel)| self.leave(parcel, now));
            return;
        }
        let passed = u128::from(now.saturating_sub(line.since));
        let gone = passed * u128::from(before) / 1_000_000_000;
        line.left = line.left.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        line.since = line.since.max(now);
        self.plan_departure(node);
    }

    /// A node has crashed: what has not left it never will.
    pub(super) fn empty_line(&mut self, node: NodeId) {
        for (_, parcel) in std::mem::take(&mut self.host_mut(node).line.waiting) {
            match parcel {
                Parcel::Segment(key, side, number) => self.forget_segment(key, side, number),
                Parcel::Datagram(slot, _) => _ = self.flying.remove(slot as usize),
                Parcel::Lost => {}
            }
        }
    }
}
