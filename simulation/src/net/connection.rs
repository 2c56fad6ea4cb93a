//! Connections: two ends, and a way in each direction. It imitates what Linux does, as far as a program can
//! tell.

use crate::agenda::{Happens, Key, Time};
use crate::net::option::Sort;
use crate::net::way::Way;
use crate::node::{NodeId, Told};
use crate::random::Random;
use crate::trace::What;
use ropewalk::backend::{Event, Happening};
use ropewalk::{Address, Id, KeepAlive};
use std::io;
use std::net::SocketAddr;

use super::{AGAIN, Net, event};

/// How much a socket holds, of what it has not sent, and of what was not read: about what Linux begins with.
pub(super) const BUFFER: usize = 128 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) serial: u32,
    /// The one that connected is the first.
    pub(super) ends: [End; 2],
    /// What each end sends is on the way with its number.
    pub(super) ways: [Way; 2],
    /// Nothing gets through any more, and nobody is told.
    pub(super) severed: bool,
    pub(super) is_unix: bool,
    pub(super) random: Random,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) address: Address,
    pub(super) stage: Stage,
    /// Its socket is one of IPv6, to which IPv4 addresses are mapped ones (ipv6(7)).
    pub(super) speaks_ipv6: bool,
    /// Under which name its reactor is told.
    pub(super) id: Option<Id>,
    /// What it has not been told yet.
    pub(super) told: Happening,
    /// Whether the agenda has a repetition of its events: one is enough, however many reads and writes
    /// were refused or cut short.
    pub(super) will_repeat: bool,
    pub(super) error: Option<io::ErrorKind>,
    /// The peer has ended its side, and that has come to be known here.
    pub(super) ended: bool,
    /// Reset or given up: nothing comes or goes any more.
    pub(super) is_dead: bool,
    /// Our side has ended.
    pub(super) is_shut: bool,
    pub(super) resets_on_close: bool,
    pub(super) keep_alive: Option<KeepAlive>,
    /// How many looks for the peer had no answer.
    pub(super) unanswered: u32,
    pub(super) heard_at: Time,
    /// For how long what was sent may be without an answer, if not for as long as is usual (tcp(7),
    /// TCP_USER_TIMEOUT).
    pub(super) user_timeout: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    /// Somebody connects to it, and has yet to say that he has heard the answer (SYN-RECEIVED, RFC 9293).
    Expected,
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
            speaks_ipv6: false,
            id: None,
            told: Happening::default(),
            will_repeat: false,
            error: None,
            ended: false,
            is_dead: false,
            is_shut: false,
            resets_on_close: false,
            keep_alive: None,
            unanswered: 0,
            heard_at: now,
            user_timeout: None,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// What options its socket has.
    pub(super) fn sort(&self) -> Sort {
        Sort::stream(&self.in_its_words(&self.address)).bound()
    }

    /// An address, as its socket tells it.
    pub(super) fn in_its_words(&self, address: &Address) -> Address {
        match address {
            Address::Inet(SocketAddr::V4(address)) if self.speaks_ipv6 => {
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
        host.made += 1;
        let random = Random::of(seed, u64::from(from.0), host.made);
        let buffer = |node: NodeId| match self.host(node).weather.buffer {
            0 => BUFFER,
            size => size,
        };
        let (ours, theirs) = (buffer(from), buffer(to));
        let connection = Connection {
            serial,
            // The other end is there when the first one has arrived.
            ends: [End::new(from, local, stage, now), End::new(to, peer, Stage::Closed, now)],
            ways: match is_unix {
                true => [Way::of_unix(ours), Way::of_unix(theirs)],
                false => [Way::new(ours, theirs), Way::new(theirs, ours)],
            },
            severed: false,
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
                connection.severed = !connection.is_unix;
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
                end.is_dead = true;
                connection.ways[usize::from(side)].drop_unsent();
                // What had arrived is lost with the memory in which it lay.
                let incoming = &mut connection.ways[usize::from(1 - side)];
                incoming.bytes.drain(..incoming.arrived);
                incoming.arrived = 0;
            }
            self.free_if_over(key);
        }
    }

    /// One end is told something at its next wait.
    pub(super) fn tell_end(&mut self, key: Key, side: u8, happening: Happening) {
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if end.id.is_none() {
            return; // It will be told what is true when it is registered.
        }
        let first = end.told == Happening::default();
        end.told = merged(end.told, happening);
        let node = end.node;
        if first {
            self.tell(node, Told::End(key, side));
        }
    }

    pub(super) fn take_told_of_end(&mut self, key: Key, side: u8) -> Option<Event> {
        let end = &mut self.connection(key)?.ends[usize::from(side)];
        event(end.id, std::mem::take(&mut end.told))
    }

    /// What is true of an end now.
    pub(super) fn truth(&mut self, key: Key, side: u8) -> Happening {
        let Some(connection) = self.connection(key) else { return Happening::default() };
        let end = &connection.ends[usize::from(side)];
        let (out, incoming) = match side {
            0 => (&connection.ways[0], &connection.ways[1]),
            _ => (&connection.ways[1], &connection.ways[0]),
        };
        let failed = end.error.is_some();
        let over = failed || end.is_dead;
        Happening {
            readable: incoming.arrived > 0 || end.ended || over,
            writable: end.stage == Stage::Connected && out.room() > 0 || over,
            ended: end.ended || over,
            failed,
        }
    }

    /// A read or a write did less than it could: an event soon says what is possible.
    pub(super) fn repeat_events_soon(&mut self, key: Key, side: u8) {
        let at = self.at() + AGAIN;
        let Some(connection) = self.connection(key) else { return };
        let end = &mut connection.ends[usize::from(side)];
        if !std::mem::replace(&mut end.will_repeat, true) {
            self.agenda.enter(at, Happens::Again(key, side));
        }
    }

    /// The repetition that the agenda had.
    pub(super) fn repeat_events(&mut self, key: Key, side: u8) {
        if let Some(connection) = self.connection(key) {
            connection.ends[usize::from(side)].will_repeat = false;
        }
        self.tell_again(key, side);
    }

    /// Events say once more what is true of an end.
    pub(super) fn tell_again(&mut self, key: Key, side: u8) {
        let truth = self.truth(key, side);
        self.tell_end(key, side, truth);
    }

    /// A connection has broken for one end: what is left to it is what has arrived.
    pub(super) fn break_end(&mut self, key: Key, side: u8, kind: io::ErrorKind) {
        let Some(connection) = self.connection(key) else { return };
        connection.ways[usize::from(side)].clear();
        let end = &mut connection.ends[usize::from(side)];
        if end.is_dead {
            return;
        }
        end.is_dead = true;
        if !end.is_closed() {
            end.error = Some(kind);
            let (node, id) = (end.node, end.id);
            self.note(node, id, What::Breaks(kind));
            self.tell_again(key, side);
        }
        self.free_if_over(key);
    }

    /// A connection of which nothing more can come is forgotten.
    pub(super) fn free_if_over(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return };
        let is_over = |end: &End| matches!(end.stage, Stage::Closed | Stage::Expected);
        let closed = connection.ends.iter().all(is_over);
        if closed && connection.ways.iter().all(|way| way.flight.is_empty()) {
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
