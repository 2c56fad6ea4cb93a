//! What is written travels: segments, their loss, the windows, the ends and the resets.

use crate::agenda::{Happens, Key, Time};
use crate::net::connection::{Fin, Flight, Freight, Stage};
use crate::net::line::Parcel;
use crate::net::{LOOPBACK, Net, nanos};
use crate::node::NodeId;
use crate::random::Random;
use crate::trace::What;
use ropewalk::backend::Happening;
use std::io::ErrorKind;

/// How much travels in one piece at most.
const PIECE: usize = 64 * 1024;

/// After how long what was lost is sent again, at first; it doubles each time (RFC 6298), up to the second.
const RETRANSMIT: Time = 200_000_000;
const RETRANSMIT_MOST: Time = 120_000_000_000;

/// How often one that has to wait for room asks for it (RFC 9293, section 3.8.6.1).
const PROBE: Time = 5_000_000_000;

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
                way.in_flight += count;
                self.send(key, side, Freight::Bytes(count));
                continue;
            }
            way.wants_window = way.unsent() > 0;
            if way.wants_window && way.flight.is_empty() && !way.is_probing {
                way.is_probing = true;
                let at = self.now + PROBE;
                self.agenda.enter(at, Happens::Probe(key, side));
                return;
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
        way.flight.push_back(Flight { freight, number, at: None });
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
        let (mut time, lost) = self.travel_time(from, to, &mut random);
        if lost {
            let mut again = RETRANSMIT;
            time += again;
            while self.travel_time(from, to, &mut random).1 && again < RETRANSMIT_MOST {
                again *= 2;
                time += again;
            }
        }
        let Some(connection) = self.connection(key) else { return };
        connection.random = random;
        let way = &mut connection.ways[usize::from(side)];
        let at = (departure + time).max(way.last_at);
        way.last_at = at;
        way.flight[place].at = Some(at);
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
        let Some(Flight { freight, .. }) = way.flight.front().copied() else { return };
        let (from, to, severed) = (
            connection.ends[usize::from(side)].node,
            connection.ends[usize::from(1 - side)].node,
            connection.severed,
        );
        let unanswered = freight == Freight::Syn && self.host(to).weather.unanswering;
        if severed || unanswered || !self.passes(from, to) || !self.has_room_for(key, freight) {
            return self.lose(key, side, freight);
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
    fn lose(&mut self, key: Key, side: u8, freight: Freight) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let end = &connection.ends[usize::from(side)];
        let (first, patience) = match freight {
            Freight::Ack | Freight::Syn => (SYN_RETRANSMIT, SYN_GIVE_UP),
            _ => (RETRANSMIT, end.patience),
        };
        let gone = end.is_dead;
        let way = &mut connection.ways[usize::from(side)];
        if way.tries == 0 {
            way.stuck_since = now;
        }
        // Nobody sends a reset again, nor what was sent by somebody who is gone.
        if freight == Freight::Reset || gone {
            way.clear();
            return self.free_if_over(key);
        }
        let again = (first << way.tries.min(20)).min(RETRANSMIT_MOST);
        way.tries += 1;
        if now + again - way.stuck_since > patience {
            return self.break_end(key, side, ErrorKind::TimedOut);
        }
        if let Some(first) = way.flight.front_mut() {
            first.at = Some(now + again);
        }
        self.move_on(key, side);
    }

    fn arrive_bytes(&mut self, key: Key, side: u8, count: usize) {
        let Some(connection) = self.connection(key) else { return };
        let ends = &connection.ends;
        let (from, to) = (ends[usize::from(side)].node, ends[usize::from(1 - side)].node);
        let (here, there) = (&self.host(from).weather, &self.host(to).weather);
        let reset = here.reset + there.reset;
        let latency = nanos(self.link(from, to).latency);
        let at = self.now;
        let Some(connection) = self.connection(key) else { return };
        let breaks = connection.random.chance(reset) && !connection.is_unix;
        // At any byte.
        let comes = match breaks {
            true => connection.random.below(count as u64 + 1) as usize,
            false => count,
        };
        let end = &connection.ends[usize::from(1 - side)];
        let is_over = end.is_closed() || end.is_dead;
        let way = &mut connection.ways[usize::from(side)];
        way.in_flight -= count;
        if is_over || comes < count {
            let beyond = way.arrived + if is_over { 0 } else { comes };
            let dropped = way.arrived + count;
            way.bytes.drain(beyond..dropped);
        }
        if is_over {
            return self.reset(key, 1 - side);
        }
        way.arrived += comes;
        if way.wants_room && way.room() >= way.send_buffer.div_ceil(3) {
            way.wants_room = false;
            self.agenda.enter(at + latency, Happens::Room(key, side));
        }
        if comes > 0 {
            let happening = Happening { readable: true, ..Happening::default() };
            self.tell_end(key, 1 - side, happening);
        }
        self.tell_too_much(key, side);
        if breaks {
            self.break_end(key, side, ErrorKind::ConnectionReset);
            self.break_end(key, 1 - side, ErrorKind::ConnectionReset);
            return;
        }
        self.push_on(key, side);
    }

    /// Somebody may be told to be ready who is not.
    fn tell_too_much(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let (one, other) = (connection.ends[0].node, connection.ends[1].node);
        let spurious = self.host(one).weather.spurious + self.host(other).weather.spurious;
        if self.connection(key).is_some_and(|connection| connection.random.chance(spurious)) {
            let ready = Happening { readable: true, writable: true, ..Happening::default() };
            self.tell_end(key, side, ready);
        }
    }

    fn arrive_fin(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        end.ended = true;
        let happening = Happening { readable: true, ended: true, ..Happening::default() };
        self.tell_end(key, side, happening);
    }

    fn arrive_reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &connection.ends[usize::from(side)];
        let kind = match end.ended {
            true => ErrorKind::BrokenPipe,
            false => ErrorKind::ConnectionReset,
        };
        connection.ways[usize::from(1 - side)].fin = Fin::None;
        self.break_end(key, side, kind);
    }

    /// Somebody knocks.
    fn arrive_syn(&mut self, key: Key) {
        let to = match self.connection(key) {
            Some(connection) => connection.ends[1].node,
            None => return,
        };
        let refuses = self.host(to).weather.refuses;
        match self.listener_for(key) {
            Some(_) if !refuses => {
                if let Some(connection) = self.connection(key) {
                    connection.ends[1].stage = Stage::Expected;
                }
                self.send(key, 1, Freight::SynAck);
            }
            _ => self.send(key, 1, Freight::Refused),
        }
    }

    /// And was let in.
    fn arrive_syn_ack(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        if connection.ends[0].is_closed() {
            return self.reset(key, 0);
        }
        connection.ends[0].stage = Stage::Connected;
        let (node, id) = (connection.ends[0].node, connection.ends[0].id);
        let peer = connection.ends[1].address.clone();
        self.note(node, id, What::Connected(&peer));
        self.send(key, 0, Freight::Ack);
        self.tell_again(key, 0);
    }

    /// And has heard of it.
    fn arrive_ack(&mut self, key: Key) {
        let has_crashed = self.connection(key).is_some_and(|connection| connection.ends[1].is_dead);
        match self.listener_for(key) {
            Some(listener) if !has_crashed => {
                let listener = listener.key;
                self.queue_for(listener, key);
            }
            _ => self.reset(key, 1),
        }
    }

    /// `side` wants nothing more to do with it, and says so.
    pub(super) fn reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if std::mem::replace(&mut end.has_reset, true) {
            return;
        }
        end.is_dead = true;
        connection.ways[usize::from(side)].drop_unsent();
        self.send(key, side, Freight::Reset);
    }

    /// There is room to write again.
    pub(super) fn tell_room(&mut self, key: Key, side: u8) {
        let happening = Happening { writable: true, ..Happening::default() };
        self.tell_end(key, side, happening);
    }

    /// The other end has read, and `side` learns that there is room; or such news are lost, and it has to ask.
    pub(super) fn open_window(&mut self, key: Key, side: u8) {
        if self.hears(key, side) {
            self.push_on(key, side);
        }
    }

    /// `side` has something to send, nothing on its way, and has heard of no room for long.
    pub(super) fn probe(&mut self, key: Key, side: u8) {
        let (now, hears) = (self.now, self.hears(key, side));
        let Some(connection) = self.connection(key) else { return };
        let peer = &connection.ends[usize::from(1 - side)];
        let is_over = peer.is_closed() || peer.is_dead;
        let patience = connection.ends[usize::from(side)].patience;
        let way = &mut connection.ways[usize::from(side)];
        way.is_probing = false;
        if way.unsent() == 0 || !way.flight.is_empty() {
            return;
        }
        if hears && is_over {
            return self.break_end(key, side, ErrorKind::ConnectionReset);
        }
        if hears {
            way.tries = 0;
            return self.push_on(key, side);
        }
        if way.tries == 0 {
            way.stuck_since = now;
        }
        way.tries += 1;
        if now - way.stuck_since > patience {
            return self.break_end(key, side, ErrorKind::TimedOut);
        }
        way.is_probing = true;
        self.agenda.enter(now + PROBE, Happens::Probe(key, side));
    }

    /// Whether the other end can be heard by `side` now, and can hear it.
    fn hears(&mut self, key: Key, side: u8) -> bool {
        let Some(connection) = self.connection(key) else { return false };
        let severed = connection.severed;
        let (here, there) =
            (connection.ends[usize::from(side)].node, connection.ends[usize::from(1 - side)].node);
        !severed && self.passes(there, here) && self.passes(here, there)
    }

    fn note_heard(&mut self, key: Key, side: u8) {
        let now = self.now;
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].heard_at = now;
        }
    }

    /// Looks whether the peer is still there, if it has been silent for long (tcp(7), SO_KEEPALIVE).
    pub(super) fn keep_alive(&mut self, key: Key, side: u8) {
        let now = self.now;
        let Some(connection) = self.connection(key) else { return };
        let severed = connection.severed;
        let peer_is_dead = connection.ends[usize::from(1 - side)].is_dead;
        let peer = connection.ends[usize::from(1 - side)].node;
        let end = &mut connection.ends[usize::from(side)];
        let (Some(keep_alive), false) = (end.keep_alive, end.is_dead || end.is_closed()) else {
            return;
        };
        let node = end.node;
        let due = end.heard_at + nanos(keep_alive.idle);
        if end.unanswered == 0 && due > now {
            return self.agenda.enter(due, Happens::KeepAlive(key, side));
        }
        let answers = !severed && self.passes(node, peer) && self.passes(peer, node);
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        let next = match answers {
            true if peer_is_dead => return self.break_end(key, side, ErrorKind::ConnectionReset),
            true => {
                (end.unanswered, end.heard_at) = (0, now);
                now + nanos(keep_alive.idle)
            }
            false if end.unanswered >= keep_alive.count => {
                return self.break_end(key, side, ErrorKind::TimedOut);
            }
            false => {
                end.unanswered += 1;
                now + nanos(keep_alive.interval)
            }
        };
        self.agenda.enter(next, Happens::KeepAlive(key, side));
    }
}
