//! Transmission of segments: windows, loss, retransmission.

use crate::net::connection::Stage;
use crate::net::direction::{Fin, InFlight, Segment};
use crate::net::uplink::Packet;
use crate::net::{LOOPBACK, Net, nanos};
use crate::node::NodeId;
use crate::random::Random;
use crate::schedule::{Key, Scheduled, Time};
use std::io::ErrorKind;

/// The maximum size of a segment.
const MAX_SEGMENT: usize = 64 * 1024;

/// The initial retransmission timeout, which doubles each time (RFC 6298), and its maximum.
pub(super) const RETRANSMIT: Time = 200_000_000;
const RETRANSMIT_MOST: Time = 120_000_000_000;

/// The duration after which retransmission gives up (tcp(7), `tcp_retries2`).
pub(super) const GIVE_UP: Time = 924_600_000_000;

/// The same for connection attempts without an answer (tcp(7), `tcp_syn_retries`).
const SYN_RETRANSMIT: Time = 1_000_000_000;
const SYN_GIVE_UP: Time = 127_000_000_000;

impl Net {
    /// Returns how long a segment takes from one node to another, including random jitter, and whether it is lost.
    pub(super) fn travel_time(
        &self,
        from: NodeId,
        to: NodeId,
        random: &mut Random,
    ) -> (Time, bool) {
        if from == to {
            return (LOOPBACK.min(nanos(self.link.latency)), false);
        }
        let link = self.link(from, to);
        let (here, there) = (&self.host(from).conditions, &self.host(to).conditions);
        let mut time = nanos(link.latency) + nanos(here.latency) + nanos(there.latency);
        let jitter = nanos(link.jitter) + nanos(here.jitter) + nanos(there.jitter);
        if jitter > 0 {
            time += random.below(jitter + 1);
        }
        let loss = link.loss + here.loss + there.loss;
        (time, random.chance(loss))
    }

    /// Returns the travel time of the next segment from `side`, and whether it is lost.
    fn next_travel_time(&mut self, key: Key, side: u8) -> Option<(Time, bool)> {
        let connection = self.connection(key)?;
        let (from, to) = connection.nodes(side);
        // The random stream is moved out while the network is borrowed.
        let mut random = std::mem::replace(&mut connection.random, Random::new(0));
        let found = self.travel_time(from, to, &mut random);
        self.connection(key)?.random = random;
        Some(found)
    }

    /// Sends unsent data as far as the window allows, and the FIN after it.
    pub(super) fn send_queued(&mut self, key: Key, side: u8) {
        loop {
            let Some(connection) = self.connection(key) else { return };
            let is_broken = connection.ends[usize::from(side)].is_broken;
            let direction = &mut connection.directions[usize::from(side)];
            let count = direction.unsent().min(direction.window()).min(MAX_SEGMENT);
            if count > 0 {
                direction.window_closed_since = None;
                direction.in_flight += count;
                self.send(key, side, Segment::Bytes(count));
                continue;
            }
            direction.sender_waits = direction.unsent() > 0;
            if direction.sender_waits && direction.segments.is_empty() && !direction.is_probing {
                return self.schedule_probe(key, side);
            }
            if direction.unsent() == 0 && direction.fin == Fin::Wanted && !is_broken {
                direction.fin = Fin::Sent;
                self.send(key, side, Segment::Fin);
            }
            return;
        }
    }

    /// Sends a segment.
    pub(super) fn send(&mut self, key: Key, side: u8, segment: Segment) {
        let Some(connection) = self.connection(key) else { return };
        let nodes = connection.nodes(side);
        let direction = &mut connection.directions[usize::from(side)];
        direction.sent += 1;
        let number = direction.sent;
        direction.segments.push_back(InFlight { segment, number, at: None, is_lost: false });
        let is_end = matches!(segment, Segment::Fin | Segment::Reset);
        // The FIN of a Unix connection takes no time. Data does: otherwise two ends that answer each other would
        // do so endlessly in the same instant.
        if connection.is_unix && is_end && direction.segments.len() == 1 {
            return self.arrive(key, side);
        }
        let bytes = if let Segment::Bytes(count) = segment { count } else { 0 };
        self.transmit(nodes, bytes, Packet::Segment(key, side, number));
    }

    /// Schedules the arrival of a segment that has left its node, if it was not discarded.
    pub(super) fn segment_departed(&mut self, key: Key, side: u8, number: u64, departure: Time) {
        let Some(connection) = self.connection(key) else { return };
        let direction = &connection.directions[usize::from(side)];
        let Some(place) = direction.segments.iter().rposition(|segment| segment.number == number)
        else {
            return;
        };
        let Some((time, is_lost)) = self.next_travel_time(key, side) else { return };
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(side)];
        let at = (departure + time).max(direction.last_at);
        direction.last_at = at;
        (direction.segments[place].at, direction.segments[place].is_lost) = (Some(at), is_lost);
        self.schedule_arrival(key, side);
    }

    /// Discards a segment that never leaves its node.
    pub(super) fn discard_segment(&mut self, key: Key, side: u8, number: u64) {
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(side)];
        let Some(place) = direction.segments.iter().position(|segment| segment.number == number)
        else {
            return;
        };
        if let Some(InFlight { segment: Segment::Bytes(count), .. }) =
            direction.segments.remove(place)
        {
            direction.in_flight -= count;
            direction.bytes.truncate(direction.arrived + direction.in_flight);
        }
        self.remove_if_finished(key);
    }

    /// Adds the arrival of the first segment to the schedule.
    fn schedule_arrival(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(side)];
        if let Some(InFlight { at: Some(at), .. }) = direction.segments.front()
            && !direction.is_moving
        {
            let at = (*at).max(now);
            direction.is_moving = true;
            self.schedule.add(at, Scheduled::Arrival(key, side));
        }
    }

    /// Handles the first segment: it arrives, or is lost.
    pub(super) fn arrive(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(side)];
        direction.is_moving = false;
        let Some(InFlight { segment, is_lost, .. }) = direction.segments.front().copied() else {
            return;
        };
        let is_severed = connection.is_severed;
        let (from, to) = connection.nodes(side);
        let unanswered = segment == Segment::Syn && self.host(to).conditions.unanswering;
        let is_lost = is_lost || is_severed || unanswered || !self.passes(from, to);
        if is_lost || !self.accepts_segment(key, segment) {
            return self.segment_lost(key, side);
        }
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(side)];
        direction.tries = 0;
        direction.segments.pop_front();
        self.record_activity(key, 1 - side);
        match segment {
            Segment::Ack => self.arrive_ack(key),
            Segment::Syn => {
                self.notify_spuriously(key, 0);
                self.arrive_syn(key);
            }
            Segment::SynAck => self.arrive_syn_ack(key),
            Segment::Refused => self.fail_end(key, 1 - side, ErrorKind::ConnectionRefused),
            Segment::Bytes(count) => self.arrive_bytes(key, side, count),
            Segment::Fin => self.arrive_fin(key, 1 - side),
            Segment::Reset => self.arrive_reset(key, 1 - side),
        }
        self.schedule_arrival(key, side);
        self.remove_if_finished(key);
    }

    /// Returns true if the listener's queue has space. It is checked twice, as Linux does: for the SYN and for the
    /// ACK.
    fn accepts_segment(&mut self, key: Key, segment: Segment) -> bool {
        !matches!(segment, Segment::Ack | Segment::Syn)
            || self.listener_for(key).is_none_or(|listener| listener.has_space())
    }

    /// Handles the loss of the first segment: it is retransmitted, up to the timeout.
    fn segment_lost(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let end = &connection.ends[usize::from(side)];
        let (is_broken, user_timeout) = (end.is_broken, end.user_timeout);
        let direction = &mut connection.directions[usize::from(side)];
        let Some(InFlight { segment, at, is_lost, .. }) = direction.segments.front().copied()
        else {
            return;
        };
        // Resets are not retransmitted, nor are segments of a broken end.
        if segment == Segment::Reset || is_broken {
            direction.discard_after_gap();
            self.schedule_arrival(key, side);
            return self.remove_if_finished(key);
        }
        let (first, timeout) = match segment {
            Segment::Bytes(_) | Segment::Fin => (RETRANSMIT, user_timeout.unwrap_or(GIVE_UP)),
            Segment::Syn => (SYN_RETRANSMIT, user_timeout.unwrap_or(SYN_GIVE_UP)),
            _ => (SYN_RETRANSMIT, SYN_GIVE_UP),
        };
        if direction.tries == 0 {
            // For a connection attempt the timeout counts from the first segment, otherwise from the first
            // retransmission.
            direction.retransmitting_since =
                if first == SYN_RETRANSMIT { now } else { now + first };
        }
        let give_up_at = direction.retransmitting_since.saturating_add(timeout);
        if now >= give_up_at {
            return self.give_up(key, side, segment);
        }
        let again = (first << direction.tries.min(20)).min(RETRANSMIT_MOST);
        direction.tries += 1;
        // The retransmission timer counts from when the segment should have arrived, even if an earlier segment
        // was later.
        let missed_at = if is_lost { at.unwrap_or(now) } else { now };
        // The timeout is checked at retransmissions only, not before the first one.
        let latest = if direction.tries > 1 { give_up_at } else { Time::MAX };
        let at = (missed_at + again).min(latest).max(now);
        self.schedule_retransmission(key, side, at);
    }

    /// Schedules the retransmission of the first segment, which may be lost again.
    fn schedule_retransmission(&mut self, key: Key, side: u8, at: Time) {
        let Some((_, is_lost)) = self.next_travel_time(key, side) else { return };
        let Some(connection) = self.connection(key) else { return };
        if let Some(first) = connection.directions[usize::from(side)].segments.front_mut() {
            (first.at, first.is_lost) = (Some(at), is_lost);
        }
        self.schedule_arrival(key, side);
    }

    /// Gives up after the retransmission timeout.
    fn give_up(&mut self, key: Key, side: u8, segment: Segment) {
        let Some(connection) = self.connection(key) else { return };
        match segment {
            // The connecting side times out, and the other side discards the attempt.
            Segment::SynAck | Segment::Refused => {
                (connection.ends[1].is_broken, connection.ends[1].stage) = (true, Stage::Closed);
                connection.directions[1].clear();
                self.fail_end(key, 0, ErrorKind::TimedOut);
                self.remove_if_finished(key);
            }
            _ => self.fail_end(key, side, ErrorKind::TimedOut),
        }
    }
}
