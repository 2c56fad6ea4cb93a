//! Arrows from writes to the reads of their first bytes.

use super::event::Place;
use ropewalk::Id;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// One end of a connection: the number of its process, and its id.
type End = (u32, Id);

/// An address. Loopback addresses belong to their process.
type Key = (u32, SocketAddr);

/// How many writes are kept of an end whose other end is not known: both appear in a few turns, or never.
const UNMATCHED: usize = 1000;

/// The ends of connections, and their writes whose bytes were not read.
#[derive(Debug, Default)]
pub(super) struct Arrows {
    ends: BTreeMap<End, State>,
    /// Ends that have connected, by their local addresses.
    connected: BTreeMap<Key, End>,
    /// Ends that were accepted, by the addresses of their peers.
    accepted: BTreeMap<Key, End>,
}

#[derive(Debug, Default)]
struct State {
    local: Option<Key>,
    peer: Option<Key>,
    other: Option<End>,
    is_closed: bool,
    /// The numbers of bytes so far.
    sent: u64,
    received: u64,
    /// The writes, with the number of bytes before.
    writes: VecDeque<(u64, (Place, Duration))>,
}

/// Returns the key of an address of a process.
fn key(process: u32, address: SocketAddr) -> Key {
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    (if address.ip().is_loopback() { process } else { 0 }, address)
}

impl Arrows {
    /// An attempt has connected from this address.
    pub(super) fn connects(&mut self, end: End, local: SocketAddr) {
        let local = key(end.0, local);
        self.drop_end(end);
        self.ends.insert(end, State { local: Some(local), ..State::default() });
        if let Some(other) = self.connected.insert(local, end)
            && self.ends.get(&other).is_some_and(|state| !state.is_closed)
        {
            // The port is used twice, for two peers: it says nothing.
            self.drop_end(other);
            self.drop_end(end);
        }
    }

    /// A connection with this peer begins.
    pub(super) fn begins(&mut self, end: End, peer: SocketAddr) {
        let peer = key(end.0, peer);
        let connected = self.ends.get(&end).is_some_and(|state| state.peer.is_none());
        if !connected {
            self.drop_end(end);
        }
        let state = self.ends.entry(end).or_default();
        state.peer = Some(peer);
        let other = match state.local {
            Some(local) => self.accepted.get(&local),
            None => {
                self.accepted.insert(peer, end);
                self.connected.get(&peer)
            }
        };
        if let Some(&other) = other {
            self.join(end, other);
            self.join(other, end);
        }
    }

    fn join(&mut self, end: End, other: End) {
        if let Some(state) = self.ends.get_mut(&end) {
            state.other = Some(other);
        }
    }

    pub(super) fn sends(&mut self, end: End, count: u32, at: (Place, Duration)) {
        if let Some(state) = self.ends.get_mut(&end) {
            state.writes.push_back((state.sent, at));
            state.sent += u64::from(count);
            if state.other.is_none() && state.writes.len() > UNMATCHED {
                self.drop_end(end);
            }
        }
    }

    /// Returns the writes whose first bytes were read.
    pub(super) fn receives(&mut self, end: End, count: u32) -> Vec<(Place, Duration)> {
        let Some(state) = self.ends.get_mut(&end) else { return Vec::new() };
        state.received += u64::from(count);
        let received = state.received;
        let Some(other) = state.other else { return Vec::new() };
        let Some(writer) = self.ends.get_mut(&other) else { return Vec::new() };
        if received > writer.sent {
            // It has sent more than the journal has: no place of it is known.
            self.drop_end(end);
            self.drop_end(other);
            return Vec::new();
        }
        let mut begins = Vec::new();
        while let Some(&(before, at)) = writer.writes.front()
            && before < received
        {
            begins.push(at);
            writer.writes.pop_front();
        }
        begins
    }

    /// The end is closed. What it has sent may still be read.
    pub(super) fn ends(&mut self, end: End) {
        let Some(state) = self.ends.get_mut(&end) else { return };
        state.is_closed = true;
        let other = state.other;
        match other.and_then(|other| self.ends.get(&other)) {
            Some(other) if !other.is_closed => {}
            _ => {
                self.drop_end(end);
                other.into_iter().for_each(|other| self.drop_end(other));
            }
        }
    }

    /// Forgets an end, and its addresses.
    fn drop_end(&mut self, end: End) {
        let Some(state) = self.ends.remove(&end) else { return };
        let remove = |from: &mut BTreeMap<Key, End>, key: Option<Key>| {
            if let Some(key) = key.filter(|key| from.get(key) == Some(&end)) {
                from.remove(&key);
            }
        };
        remove(&mut self.connected, state.local);
        remove(&mut self.accepted, state.peer);
    }

    /// Records of a process are missing: nothing is known of its connections.
    pub(super) fn forget(&mut self, process: u32) {
        self.ends.retain(|end, state| {
            end.0 != process && state.other.is_none_or(|other| other.0 != process)
        });
        self.connected.retain(|_, end| end.0 != process);
        self.accepted.retain(|_, end| end.0 != process);
    }
}
