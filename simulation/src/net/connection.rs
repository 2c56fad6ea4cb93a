//! Connections: two ends, and one direction from each. They behave like Linux's as far as a program can observe.

use crate::net::direction::Direction;
use crate::net::option::SocketKind;
use crate::net::{Net, REPEAT_AFTER, event};
use crate::node::{NodeId, PendingSource};
use crate::random::Random;
use crate::schedule::{Key, Scheduled, Time};
use crate::trace::What;
use ropewalk::backend::{Event, Readiness};
use ropewalk::{Address, Id, KeepAlive};
use std::io;
use std::net::SocketAddr;

/// Size of a send or receive buffer: close to Linux's initial size.
pub(super) const BUFFER: usize = 128 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) serial: u32,
    /// The end that connected is the first.
    pub(super) ends: [End; 2],
    /// `directions[side]` holds what `ends[side]` has sent.
    pub(super) directions: [Direction; 2],
    /// No segment arrives any more, and no end is notified.
    pub(super) is_severed: bool,
    pub(super) is_unix: bool,
    pub(super) random: Random,
}

impl Connection {
    /// Returns the node of an end, and that of the other end.
    pub(super) fn nodes(&self, side: u8) -> (NodeId, NodeId) {
        (self.ends[usize::from(side)].node, self.ends[usize::from(1 - side)].node)
    }
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) address: Address,
    pub(super) stage: Stage,
    /// Its socket is an IPv6 socket, which sees IPv4 addresses as mapped ones (ipv6(7)).
    pub(super) is_ipv6_socket: bool,
    /// The id in its reactor.
    pub(super) id: Option<Id>,
    /// The readiness that its reactor has not received yet.
    pub(super) pending: Readiness,
    /// The schedule has a repetition of its events. One is enough, even after many short reads and writes.
    pub(super) will_repeat: bool,
    pub(super) error: Option<io::ErrorKind>,
    /// The peer has ended its side, and its FIN has arrived.
    pub(super) ended: bool,
    /// Reset or timed out: nothing is sent or received any more.
    pub(super) is_broken: bool,
    /// This side has ended.
    pub(super) is_shut: bool,
    pub(super) resets_on_close: bool,
    pub(super) keep_alive: Option<KeepAlive>,
    /// The number of keep-alive probes without an answer.
    pub(super) unanswered: u32,
    pub(super) last_activity: Time,
    /// How long sent data may remain unacknowledged. Default: the system's limit (tcp(7), TCP_USER_TIMEOUT).
    pub(super) user_timeout: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    /// A peer connects to it, and its ACK has not arrived (SYN-RECEIVED, RFC 9293).
    SynReceived,
    /// Only the listener knows whether it was accepted.
    Connected,
    /// The program has closed it, or has ended.
    Closed,
}

impl End {
    fn new(node: NodeId, address: Address, stage: Stage, now: Time) -> Self {
        Self {
            node,
            address,
            stage,
            is_ipv6_socket: false,
            id: None,
            pending: Readiness::default(),
            will_repeat: false,
            error: None,
            ended: false,
            is_broken: false,
            is_shut: false,
            resets_on_close: false,
            keep_alive: None,
            unanswered: 0,
            last_activity: now,
            user_timeout: None,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Returns which options its socket has.
    pub(super) fn kind(&self) -> SocketKind {
        SocketKind::stream(&self.in_own_family(&self.address)).bound()
    }

    /// Returns an address in the form that its socket reports.
    pub(super) fn in_own_family(&self, address: &Address) -> Address {
        match address {
            Address::Inet(SocketAddr::V4(address)) if self.is_ipv6_socket => {
                SocketAddr::new(address.ip().to_ipv6_mapped().into(), address.port()).into()
            }
            address => address.clone(),
        }
    }
}

impl Net {
    /// Adds a connection.
    pub(super) fn new_connection(
        &mut self,
        (from, local): (NodeId, Address),
        (to, peer): (NodeId, Address),
        stage: Stage,
        is_unix: bool,
    ) -> Key {
        let (now, serial, seed) = (self.at(), self.new_serial(), self.seed);
        let host = self.host_mut(from);
        host.sockets_made += 1;
        let random = Random::of(seed, u64::from(from.0), host.sockets_made);
        let buffer = |node: NodeId| match self.host(node).conditions.buffer {
            0 => BUFFER,
            size => size,
        };
        let (ours, theirs) = (buffer(from), buffer(to));
        let connection = Connection {
            serial,
            // The other end exists once the first segment has arrived.
            ends: [End::new(from, local, stage, now), End::new(to, peer, Stage::Closed, now)],
            directions: match is_unix {
                true => [Direction::unix(ours), Direction::unix(theirs)],
                false => [Direction::new(ours, theirs), Direction::new(theirs, ours)],
            },
            is_severed: false,
            is_unix,
            random,
        };
        Key { slot: self.connections.insert(connection) as u32, serial }
    }

    pub(super) fn connection(&mut self, key: Key) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(key.slot as usize)?;
        (connection.serial == key.serial).then_some(connection)
    }

    /// Returns the number of connections, including those that have not finished closing.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns all connections of which a node has an end, and which end.
    fn connections_of(&self, node: NodeId) -> Vec<(Key, u8)> {
        let mut found = Vec::new();
        for (slot, connection) in &self.connections {
            for side in 0..2 {
                let end = &connection.ends[side];
                if end.node == node && !end.is_closed() {
                    let key = Key { slot: slot as u32, serial: connection.serial };
                    found.push((key, side as u8));
                }
            }
        }
        found
    }

    /// Drops all segments of a node's connections from now on, without notifying any end.
    pub(crate) fn sever(&mut self, node: NodeId) {
        for (key, _) in self.connections_of(node) {
            if let Some(connection) = self.connection(key) {
                connection.is_severed = !connection.is_unix;
            }
        }
    }

    /// Removes the ends of a node that has crashed. Segments that have left it still arrive.
    pub(super) fn crash_connections(&mut self, node: NodeId) {
        for (key, side) in self.connections_of(node) {
            if let Some(connection) = self.connection(key) {
                let end = &mut connection.ends[usize::from(side)];
                end.stage = Stage::Closed;
                end.id = None;
                end.is_broken = true;
                connection.directions[usize::from(side)].drop_unsent();
                // Data that had arrived is lost with the node's memory.
                let incoming = &mut connection.directions[usize::from(1 - side)];
                incoming.bytes.drain(..incoming.arrived);
                incoming.arrived = 0;
            }
            self.remove_if_finished(key);
        }
    }

    /// Adds readiness to an end's next event.
    pub(super) fn notify_end(&mut self, key: Key, side: u8, readiness: Readiness) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if end.id.is_none() {
            return; // Registration reports the readiness.
        }
        let first = end.pending == Readiness::default();
        end.pending |= readiness;
        let node = end.node;
        if first {
            self.notify(node, PendingSource::End(key, side));
        }
    }

    pub(super) fn take_end_event(&mut self, key: Key, side: u8) -> Option<Event> {
        let end = &mut self.connection(key)?.ends[usize::from(side)];
        event(end.id, std::mem::take(&mut end.pending))
    }

    /// Returns the readiness of an end.
    pub(super) fn readiness(&mut self, key: Key, side: u8) -> Readiness {
        let Some(connection) = self.connection(key) else { return Readiness::default() };
        let end = &connection.ends[usize::from(side)];
        let (out, incoming) = match side {
            0 => (&connection.directions[0], &connection.directions[1]),
            _ => (&connection.directions[1], &connection.directions[0]),
        };
        let failed = end.error.is_some();
        let over = failed || end.is_broken;
        let mut readiness = Readiness::default();
        if incoming.arrived > 0 {
            readiness |= Readiness::READABLE;
        }
        if end.stage == Stage::Connected && out.free_space() > 0 || over {
            readiness |= Readiness::WRITABLE;
        }
        if end.ended || over {
            readiness |= Readiness::ENDED;
        }
        if failed {
            readiness |= Readiness::FAILED;
        }
        readiness
    }

    /// Schedules another event after a read or write that did less than possible.
    pub(super) fn repeat_events_soon(&mut self, key: Key, side: u8) {
        let at = self.at() + REPEAT_AFTER;
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if !std::mem::replace(&mut end.will_repeat, true) {
            self.schedule.add(at, Scheduled::RepeatEvents(key, side));
        }
    }

    /// Handles the scheduled repetition.
    pub(super) fn repeat_events(&mut self, key: Key, side: u8) {
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].will_repeat = false;
        }
        self.notify_state(key, side);
    }

    /// Reports the current readiness of an end again.
    pub(super) fn notify_state(&mut self, key: Key, side: u8) {
        let readiness = self.readiness(key, side);
        self.notify_end(key, side, readiness);
    }

    /// Breaks a connection for one end. Only the data that has arrived can still be read.
    pub(super) fn fail_end(&mut self, key: Key, side: u8, kind: io::ErrorKind) {
        let Some(connection) = self.connection(key) else { return };
        connection.directions[usize::from(side)].clear();
        let end = &mut connection.ends[usize::from(side)];
        if end.is_broken {
            return;
        }
        end.is_broken = true;
        if !end.is_closed() {
            end.error = Some(kind);
            let (node, id) = (end.node, end.id);
            self.note(node, id, What::Breaks(kind));
            self.notify_state(key, side);
        }
        self.remove_if_finished(key);
    }

    /// Removes a connection after both ends are closed and no segment is in flight.
    pub(super) fn remove_if_finished(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        let is_over = |end: &End| matches!(end.stage, Stage::Closed | Stage::SynReceived);
        let closed = connection.ends.iter().all(is_over);
        if closed && connection.directions.iter().all(|direction| direction.segments.is_empty()) {
            self.connections.remove(key.slot as usize);
        }
    }
}
