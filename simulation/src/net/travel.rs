//! What is written travels: segments, their loss, the windows, the ends and the resets.

use crate::agenda::{Happens, Key, Time};
use crate::net::connection::Stage;
use crate::net::line::Parcel;
use crate::net::way::{Fin, Flight, Freight};
use crate::net::{LOOPBACK, Net, nanos};
use crate::node::NodeId;
use crate::random::Random;
use std::io::ErrorKind;

/// How much travels in one piece at most.
const PIECE: usize = 64 * 1024;

/// After how long what was lost is sent again, at first; it doubles each time (RFC 6298), up to the second.
pub(super) const RETRANSMIT: Time = 200_000_000;
const RETRANSMIT_MOST: Time = 120_000_000_000;

/// For how long it is sent again before the peer is given up (tcp(7), `tcp_retries2`).
pub(super) const GIVE_UP: Time = 924_600_000_000;

/// The same for those who have no answer to their attempt to connect, and how long they try (tcp(7),
/// `tcp_syn_retries`).
const SYN_RETRANSMIT: Time = 1_000_000_000;
const SYN_GIVE_UP: Time = 127_000_000_000;

impl Net {
    /// How long it takes from one node to another now, with what chance adds; and whether it is lost.
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
        let (here, there) = (&self.host(from).weather, &self.host(to).weather);
        let mut time = nanos(link.latency) + nanos(here.latency) + nanos(there.latency);
        let jitter = nanos(link.jitter) + nanos(here.jitter) + nanos(there.jitter);
        if jitter > 0 {
            time += random.below(jitter + 1);
        }
        let loss = link.loss + here.loss + there.loss;
        (time, random.chance(loss))
    }

    /// Sends what waits and the receiver has room for, and the end behind it.
    pub(super) fn push_on(&mut self, key: Key, side: u8) {
        loop {
            let Some(connection) = self.connection(key) else { return };
            let is_dead = connection.ends[usize::from(side)].is_dead;
            let way = &mut connection.ways[usize::from(side)];
            let count = way.unsent().min(way.window()).min(PIECE);
            if count > 0 {
                way.starved_since = None;
                way.in_flight += count;
                self.send(key, side, Freight::Bytes(count));
                continue;
            }
            way.wants_window = way.unsent() > 0;
            if way.wants_window && way.flight.is_empty() && !way.is_probing {
                return self.plan_probe(key, side);
            }
            if way.unsent() == 0 && way.fin == Fin::Wanted && !is_dead {
                way.fin = Fin::Sent;
                self.send(key, side, Freight::Fin);
            }
            return;
        }
    }

    /// Puts something on its way.
    pub(super) fn send(&mut self, key: Key, side: u8, freight: Freight) {
        let Some(connection) = self.connection(key) else { return };
        let nodes =
            (connection.ends[usize::from(side)].node, connection.ends[usize::from(1 - side)].node);
        let way = &mut connection.ways[usize::from(side)];
        way.sent += 1;
        let number = way.sent;
        way.flight.push_back(Flight { freight, number, at: None, is_lost: false });
        let is_end = matches!(freight, Freight::Fin | Freight::Reset);
        // The end of a Unix connection takes no time. Data does: otherwise two ends that answer each other
        // would do so for ever at the same instant.
        if connection.is_unix && is_end && way.flight.len() == 1 {
            return self.arrive(key, side);
        }
        let bytes = if let Freight::Bytes(count) = freight { count } else { 0 };
        self.post(nodes, bytes, Parcel::Segment(key, side, number));
    }

    /// A segment leaves its node, unless it was taken back.
    pub(super) fn leave_segment(&mut self, key: Key, side: u8, number: u64, departure: Time) {
        let Some(connection) = self.connection(key) else { return };
        let (from, to) =
            (connection.ends[usize::from(side)].node, connection.ends[usize::from(1 - side)].node);
        let way = &connection.ways[usize::from(side)];
        let Some(place) = way.flight.iter().rposition(|flight| flight.number == number) else {
            return;
        };
        // It is taken out, to be drawn from while the network is looked at.
        let mut random = std::mem::replace(&mut connection.random, Random::new(0));
        let (time, is_lost) = self.travel_time(from, to, &mut random);
        let Some(connection) = self.connection(key) else { return };
        connection.random = random;
        let way = &mut connection.ways[usize::from(side)];
        let at = (departure + time).max(way.last_at);
        way.last_at = at;
        (way.flight[place].at, way.flight[place].is_lost) = (Some(at), is_lost);
        self.move_on(key, side);
    }

    /// A segment never leaves its node.
    pub(super) fn forget_segment(&mut self, key: Key, side: u8, number: u64) {
        let Some(connection) = self.connection(key) else { return };
        let way = &mut connection.ways[usize::from(side)];
        let Some(place) = way.flight.iter().position(|flight| flight.number == number) else {
            return;
        };
        if let Some(Flight { freight: Freight::Bytes(count), .. }) = way.flight.remove(place) {
            way.in_flight -= count;
            way.bytes.truncate(way.arrived + way.in_flight);
        }
        self.free_if_over(key);
    }

    /// Has the arrival of what is first in flight on the agenda.
    fn move_on(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let way = &mut connection.ways[usize::from(side)];
        if let Some(Flight { at: Some(at), .. }) = way.flight.front()
            && !way.is_moving
        {
            let at = (*at).max(now);
            way.is_moving = true;
            self.agenda.enter(at, Happens::Arrival(key, side));
        }
    }

    /// What is first in flight arrives, or does not.
    pub(super) fn arrive(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let way = &mut connection.ways[usize::from(side)];
        way.is_moving = false;
        let Some(Flight { freight, is_lost, .. }) = way.flight.front().copied() else { return };
        let (from, to, severed) = (
            connection.ends[usize::from(side)].node,
            connection.ends[usize::from(1 - side)].node,
            connection.severed,
        );
        let unanswered = freight == Freight::Syn && self.host(to).weather.unanswering;
        let is_lost = is_lost || severed || unanswered || !self.passes(from, to);
        if is_lost || !self.has_room_for(key, freight) {
            return self.lose(key, side);
        }
        let Some(connection) = self.connection(key) else { return };
        let way = &mut connection.ways[usize::from(side)];
        way.tries = 0;
        way.flight.pop_front();
        self.note_heard(key, 1 - side);
        match freight {
            Freight::Ack => self.arrive_ack(key),
            Freight::Syn => {
                self.tell_too_much(key, 0);
                self.arrive_syn(key);
            }
            Freight::SynAck => self.arrive_syn_ack(key),
            Freight::Refused => self.break_end(key, 1 - side, ErrorKind::ConnectionRefused),
            Freight::Bytes(count) => self.arrive_bytes(key, side, count),
            Freight::Fin => self.arrive_fin(key, 1 - side),
            Freight::Reset => self.arrive_reset(key, 1 - side),
        }
        self.move_on(key, side);
        self.free_if_over(key);
    }

    /// Whether the listener takes another one that connects. It looks twice, as Linux does: when somebody
    /// knocks, and when he is let in.
    fn has_room_for(&mut self, key: Key, freight: Freight) -> bool {
        !matches!(freight, Freight::Ack | Freight::Syn)
            || self.listener_for(key).is_none_or(|listener| listener.has_room())
    }

    /// What was first in flight is lost. It is sent again, unless that has gone on for too long.
    fn lose(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let end = &connection.ends[usize::from(side)];
        let (is_gone, user_timeout) = (end.is_dead, end.user_timeout);
        let way = &mut connection.ways[usize::from(side)];
        let Some(Flight { freight, at, is_lost, .. }) = way.flight.front().copied() else { return };
        // Nobody sends a reset again, nor what was sent by somebody who is gone.
        if freight == Freight::Reset || is_gone {
            way.lose_for_good();
            self.move_on(key, side);
            return self.free_if_over(key);
        }
        let (first, patience) = match freight {
            Freight::Bytes(_) | Freight::Fin => (RETRANSMIT, user_timeout.unwrap_or(GIVE_UP)),
            Freight::Syn => (SYN_RETRANSMIT, user_timeout.unwrap_or(SYN_GIVE_UP)),
            _ => (SYN_RETRANSMIT, SYN_GIVE_UP),
        };
        if way.tries == 0 {
            // An attempt to connect counts from its beginning, anything else from its first repetition.
            way.stuck_since = if first == SYN_RETRANSMIT { now } else { now + first };
        }
        let give_up_at = way.stuck_since.saturating_add(patience);
        if now >= give_up_at {
            return self.give_up(key, side, freight);
        }
        let again = (first << way.tries.min(20)).min(RETRANSMIT_MOST);
        way.tries += 1;
        // What chance has taken was missed when it should have come, though what was before it came later.
        let missed_at = if is_lost { at.unwrap_or(now) } else { now };
        // It is not before the first repetition that the system looks how long it has been patient.
        let latest = if way.tries > 1 { give_up_at } else { Time::MAX };
        let at = (missed_at + again).min(latest).max(now);
        self.send_again(key, side, at);
    }

    /// What is first in flight is sent again, to arrive at this time, or to be lost again.
    fn send_again(&mut self, key: Key, side: u8, at: Time) {
        let Some(connection) = self.connection(key) else { return };
        let (from, to) =
            (connection.ends[usize::from(side)].node, connection.ends[usize::from(1 - side)].node);
        let mut random = std::mem::replace(&mut connection.random, Random::new(0));
        let (_, is_lost) = self.travel_time(from, to, &mut random);
        let Some(connection) = self.connection(key) else { return };
        connection.random = random;
        if let Some(first) = connection.ways[usize::from(side)].flight.front_mut() {
            (first.at, first.is_lost) = (Some(at), is_lost);
        }
        self.move_on(key, side);
    }

    /// What was sent again and again has had no answer for too long.
    fn give_up(&mut self, key: Key, side: u8, freight: Freight) {
        let Some(connection) = self.connection(key) else { return };
        match freight {
            // The side that connects hears nothing, and the other side forgets the attempt.
            Freight::SynAck | Freight::Refused => {
                (connection.ends[1].is_dead, connection.ends[1].stage) = (true, Stage::Closed);
                connection.ways[1].clear();
                self.break_end(key, 0, ErrorKind::TimedOut);
                self.free_if_over(key);
            }
            _ => self.break_end(key, side, ErrorKind::TimedOut),
        }
    }
}
