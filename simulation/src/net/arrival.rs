//! What has travelled arrives.

use crate::agenda::{Happens, Key};
use crate::net::connection::Stage;
use crate::net::way::{Fin, Freight};
use crate::net::{Net, nanos};
use crate::trace::What;
use ropewalk::backend::Happening;
use std::io::ErrorKind;

impl Net {
    pub(super) fn arrive_bytes(&mut self, key: Key, side: u8, count: usize) {
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
        if way.takes_more() {
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

    /// An end may get an event although it is not ready.
    pub(super) fn tell_too_much(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let (one, other) = (connection.ends[0].node, connection.ends[1].node);
        let spurious = self.host(one).weather.spurious + self.host(other).weather.spurious;
        if self.connection(key).is_some_and(|connection| connection.random.chance(spurious)) {
            let ready = Happening { readable: true, writable: true, ..Happening::default() };
            self.tell_end(key, side, ready);
        }
    }

    pub(super) fn arrive_fin(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if end.is_dead {
            return self.reset(key, side);
        }
        end.ended = true;
        let happening = Happening { readable: true, ended: true, ..Happening::default() };
        self.tell_end(key, side, happening);
    }

    pub(super) fn arrive_reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let (end, out) = (&connection.ends[usize::from(side)], &connection.ways[usize::from(side)]);
        let kind = match end.ended {
            // Both have ended, and both know it: there is nothing left to be reset.
            true if out.fin == Fin::Sent && out.flight.is_empty() => return,
            true if !end.is_shut => ErrorKind::BrokenPipe,
            _ => ErrorKind::ConnectionReset,
        };
        connection.ways[usize::from(1 - side)].fin = Fin::None;
        self.break_end(key, side, kind);
    }

    /// The first segment of an attempt to connect arrives.
    pub(super) fn arrive_syn(&mut self, key: Key) {
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
    pub(super) fn arrive_syn_ack(&mut self, key: Key) {
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
    pub(super) fn arrive_ack(&mut self, key: Key) {
        let has_crashed = self.connection(key).is_some_and(|connection| connection.ends[1].is_dead);
        match self.listener_for(key) {
            Some(listener) if !has_crashed => {
                let listener = listener.key;
                self.queue_for(listener, key);
            }
            _ => self.reset(key, 1),
        }
    }

    /// `side` wants nothing more to do with it, and says so: when it ends so, and each time that something comes
    /// later (RFC 9293, section 3.10.7.1).
    pub(super) fn reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        end.is_dead = true;
        let way = &mut connection.ways[usize::from(side)];
        way.drop_unsent();
        if !way.flight.iter().any(|flight| flight.freight == Freight::Reset) {
            self.send(key, side, Freight::Reset);
        }
    }

    /// There is room to write again.
    pub(super) fn tell_room(&mut self, key: Key, side: u8) {
        let happening = Happening { writable: true, ..Happening::default() };
        self.tell_end(key, side, happening);
    }

    pub(super) fn note_heard(&mut self, key: Key, side: u8) {
        let now = self.now;
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].heard_at = now;
        }
    }
}
