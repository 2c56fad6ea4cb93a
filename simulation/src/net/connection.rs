//! Connections: two ends, and a way in each direction. It imitates what Linux does, as far as a program can
//! tell.

use crate::net::direction::Direction;
use crate::net::option::SocketKind;
use crate::node::{NodeId, PendingSource};
use crate::random::Random;
use crate::schedule::{Key, Scheduled, Time};
use crate::trace::What;
use ropewalk::backend::{Event, Happening};
use ropewalk::{Address, Id, KeepAlive};
use std::io;
use std::net::SocketAddr;

use super::{Net, REPEAT_AFTER, event};

/// How much a socket holds, of what it has not sent, and of what was not read: about what Linux begins with.
pub(super) const BUFFER: usize = 128 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) serial: u32,
    /// The one that connected is the first.
    pub(super) ends: [End; 2],
    /// What each end sends is on the way with its number.
    pub(super) directions: [Direction; 2],
    /// Nothing gets through any more, and nobody is told.
    pub(super) is_severed: bool,
    pub(super) is_unix: bool,
    pub(super) random: Random,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) address: Address,
    pub(super) stage: Stage,
    /// Its socket is one of IPv6, to which IPv4 addresses are mapped ones (ipv6(7)).
    pub(super) is_ipv6_socket: bool,
    /// Under which name its reactor is told.
    pub(super) id: Option<Id>,
    /// What it has not been told yet.
    pub(super) pending: Happening,
    /// Whether the agenda has a repetition of its events: one is enough, however many reads and writes
    /// were refused or cut short.
    pub(super) will_repeat: bool,
    pub(super) error: Option<io::ErrorKind>,
    /// The peer has ended its side, and that has come to be known here.
    pub(super) ended: bool,
    /// Reset or given up: nothing comes or goes any more.
    pub(super) is_broken: bool,
    /// Our side has ended.
    pub(super) is_shut: bool,
    pub(super) resets_on_close: bool,
    pub(super) keep_alive: Option<KeepAlive>,
    /// How many looks for the peer had no answer.
    pub(super) unanswered: u32,
    pub(super) last_activity: Time,
    /// For how long what was sent may be without an answer, if not for as long as is usual (tcp(7),
    /// TCP_USER_TIMEOUT).
    pub(super) user_timeout: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    /// Somebody connects to it, and has yet to say that he has heard the answer (SYN-RECEIVED, RFC 9293).
    SynReceived,
    /// Whether it was accepted is known to the listener alone.
    Connected,
    /// The program has closed it, or died.
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
            pending: Happening::default(),
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

    /// What options its socket has.
    pub(super) fn kind(&self) -> SocketKind {
        SocketKind::stream(&self.in_own_family(&self.address)).bound()
    }

    /// An address, as its socket tells it.
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
    /// A connection in the making.
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
            // The other end is there when the first one has arrived.
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

    /// How many connections there are, with those that are not quite over.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// All connections of which a node has an end, and which.
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

    /// Nothing gets through any more on the connections that a node has, and nobody is told.
    pub(crate) fn sever(&mut self, node: NodeId) {
        for (key, _) in self.connections_of(node) {
            if let Some(connection) = self.connection(key) {
                connection.is_severed = !connection.is_unix;
            }
        }
    }

    /// The ends at a node that has crashed are gone. What has left it is still on its way.
    pub(super) fn crash_connections(&mut self, node: NodeId) {
        for (key, side) in self.connections_of(node) {
            if let Some(connection) = self.connection(key) {
                let end = &mut connection.ends[usize::from(side)];
                end.stage = Stage::Closed;
                end.id = None;
                end.is_broken = true;
                connection.directions[usize::from(side)].drop_unsent();
                // What had arrived is lost with the memory in which it lay.
                let incoming = &mut connection.directions[usize::from(1 - side)];
                incoming.bytes.drain(..incoming.arrived);
                incoming.arrived = 0;
            }
            self.remove_if_finished(key);
        }
    }

    /// One end is told something at its next wait.
    pub(super) fn notify_end(&mut self, key: Key, side: u8, happening: Happening) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if end.id.is_none() {
            return; // It will be told what is true when it is registered.
        }
        let first = end.pending == Happening::default();
        end.pending = merged(end.pending, happening);
        let node = end.node;
        if first {
            self.notify(node, PendingSource::End(key, side));
        }
    }

    pub(super) fn take_end_event(&mut self, key: Key, side: u8) -> Option<Event> {
        let end = &mut self.connection(key)?.ends[usize::from(side)];
        event(end.id, std::mem::take(&mut end.pending))
    }

    /// What is true of an end now.
    pub(super) fn readiness(&mut self, key: Key, side: u8) -> Happening {
        let Some(connection) = self.connection(key) else { return Happening::default() };
        let end = &connection.ends[usize::from(side)];
        let (out, incoming) = match side {
            0 => (&connection.directions[0], &connection.directions[1]),
            _ => (&connection.directions[1], &connection.directions[0]),
        };
        let failed = end.error.is_some();
        let over = failed || end.is_broken;
        Happening {
            readable: incoming.arrived > 0 || end.ended || over,
            writable: end.stage == Stage::Connected && out.free_space() > 0 || over,
            ended: end.ended || over,
            failed,
        }
    }

    /// A read or a write did less than it could: an event soon says what is possible.
    pub(super) fn repeat_events_soon(&mut self, key: Key, side: u8) {
        let at = self.at() + REPEAT_AFTER;
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if !std::mem::replace(&mut end.will_repeat, true) {
            self.schedule.add(at, Scheduled::RepeatEvents(key, side));
        }
    }

    /// The repetition that the agenda had.
    pub(super) fn repeat_events(&mut self, key: Key, side: u8) {
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].will_repeat = false;
        }
        self.notify_state(key, side);
    }

    /// Events say once more what is true of an end.
    pub(super) fn notify_state(&mut self, key: Key, side: u8) {
        let readiness = self.readiness(key, side);
        self.notify_end(key, side, readiness);
    }

    /// A connection has broken for one end: what is left to it is what has arrived.
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

    /// A connection of which nothing more can come is forgotten.
    pub(super) fn remove_if_finished(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        let is_over = |end: &End| matches!(end.stage, Stage::Closed | Stage::SynReceived);
        let closed = connection.ends.iter().all(is_over);
        if closed && connection.directions.iter().all(|direction| direction.segments.is_empty()) {
            self.connections.remove(key.slot as usize);
        }
    }
}

fn merged(one: Happening, other: Happening) -> Happening {
    Happening {
        readable: one.readable || other.readable,
        writable: one.writable || other.writable,
        ended: one.ended || other.ended,
        failed: one.failed || other.failed,
    }
}
