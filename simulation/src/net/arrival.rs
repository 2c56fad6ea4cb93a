//! Arrival of segments.

use crate::net::connection::Stage;
use crate::net::direction::{Fin, Segment};
use crate::net::{Net, nanos};
use crate::schedule::{Key, Scheduled};
use crate::trace::What;
use ropewalk::backend::Readiness;
use std::io::ErrorKind;

impl Net {
    pub(super) fn arrive_bytes(&mut self, key: Key, side: u8, count: usize) {
        let Some(connection) = self.connection(key) else { return };
        let (from, to) = connection.nodes(side);
        let (here, there) = (&self.host(from).conditions, &self.host(to).conditions);
        let reset = here.reset + there.reset;
        let latency = nanos(self.link(from, to).latency);
        let at = self.now;
        let Some(connection) = self.connection(key) else { return };
        let breaks = connection.random.chance(reset) && !connection.is_unix;
        // The connection breaks at any byte of the segment.
        let arriving = match breaks {
            true => connection.random.below(count as u64 + 1) as usize,
            false => count,
        };
        let end = &connection.ends[usize::from(1 - side)];
        let is_over = end.is_closed() || end.is_broken;
        let direction = &mut connection.directions[usize::from(side)];
        direction.in_flight -= count;
        if is_over || arriving < count {
            let beyond = direction.arrived + if is_over { 0 } else { arriving };
            let dropped = direction.arrived + count;
            direction.bytes.drain(beyond..dropped);
        }
        if is_over {
            return self.reset(key, 1 - side);
        }
        direction.arrived += arriving;
        if direction.take_writable() {
            self.schedule.add(at + latency, Scheduled::Writable(key, side));
        }
        if arriving > 0 {
            self.notify_end(key, 1 - side, Readiness::READABLE);
        }
        self.notify_spuriously(key, side);
        if breaks {
            self.fail_end(key, side, ErrorKind::ConnectionReset);
            self.fail_end(key, 1 - side, ErrorKind::ConnectionReset);
            return;
        }
        self.send_queued(key, side);
    }

    /// Reports an end as ready although it may not be.
    pub(super) fn notify_spuriously(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let (one, other) = connection.nodes(0);
        let spurious = self.host(one).conditions.spurious + self.host(other).conditions.spurious;
        if self.connection(key).is_some_and(|connection| connection.random.chance(spurious)) {
            let ready = Readiness::READABLE | Readiness::WRITABLE;
            self.notify_end(key, side, ready);
        }
    }

    pub(super) fn arrive_fin(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if end.is_broken {
            return self.reset(key, side);
        }
        end.ended = true;
        self.notify_end(key, side, Readiness::ENDED);
    }

    pub(super) fn arrive_reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let (end, out) =
            (&connection.ends[usize::from(side)], &connection.directions[usize::from(side)]);
        let kind = match end.ended {
            // Both sides have ended, and both know: there is nothing left to reset.
            true if out.fin == Fin::Sent && out.segments.is_empty() => return,
            true if !end.is_shut => ErrorKind::BrokenPipe,
            _ => ErrorKind::ConnectionReset,
        };
        connection.directions[usize::from(1 - side)].fin = Fin::None;
        self.fail_end(key, side, kind);
    }

    /// The first segment of a connection attempt (SYN) arrives at the listening node.
    pub(super) fn arrive_syn(&mut self, key: Key) {
        let to = match self.connection(key) {
            Some(connection) => connection.ends[1].node,
            None => return,
        };
        let refuses = self.host(to).conditions.refuses;
        match self.listener_for(key) {
            Some(_) if !refuses => {
                if let Some(connection) = self.connection(key) {
                    connection.ends[1].stage = Stage::SynReceived;
                }
                self.send(key, 1, Segment::SynAck);
            }
            _ => self.send(key, 1, Segment::Refused),
        }
    }

    /// The answer to a connection attempt (SYN-ACK) arrives at the connecting node.
    pub(super) fn arrive_syn_ack(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        if connection.ends[0].is_closed() {
            return self.reset(key, 0);
        }
        connection.ends[0].stage = Stage::Connected;
        let (node, id) = (connection.ends[0].node, connection.ends[0].id);
        let peer = connection.ends[1].address.clone();
        self.note(node, id, What::Connected(&peer));
        self.send(key, 0, Segment::Ack);
        self.notify_state(key, 0);
    }

    /// The last segment of the handshake (ACK) arrives at the listening node.
    pub(super) fn arrive_ack(&mut self, key: Key) {
        let has_crashed =
            self.connection(key).is_some_and(|connection| connection.ends[1].is_broken);
        match self.listener_for(key) {
            Some(listener) if !has_crashed => {
                let listener = listener.key;
                self.enqueue_connection(listener, key);
            }
            _ => self.reset(key, 1),
        }
    }

    /// Ends the connection for `side` with a reset, and again for each segment that arrives later (RFC 9293,
    /// section 3.10.7.1).
    pub(super) fn reset(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        end.is_broken = true;
        let direction = &mut connection.directions[usize::from(side)];
        direction.drop_unsent();
        if !direction.segments.iter().any(|segment| segment.segment == Segment::Reset) {
            self.send(key, side, Segment::Reset);
        }
    }

    /// Reports an end as writable.
    pub(super) fn notify_writable(&mut self, key: Key, side: u8) {
        self.notify_end(key, side, Readiness::WRITABLE);
    }

    pub(super) fn record_activity(&mut self, key: Key, side: u8) {
        let now = self.now;
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].last_activity = now;
        }
    }
}
