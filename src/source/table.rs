//! The table of all sockets: every kind there is, and the look-ups that check an [`Id`].

use crate::source::connector::Connector;
use crate::source::datagram::Datagram;
use crate::source::detach::DetachedSlot;
use crate::source::lingering::Lingering;
use crate::source::listener::Listener;
use crate::source::retention::Shrinking;
use crate::source::stream::Stream;
#[cfg(unix)]
use crate::source::watch::Watch;
use crate::sys::{Readiness, Watched};
use crate::values::id::{self, Id};
use slab::Slab;

/// Every kind of thing that the poll watches. It is a closed enum on purpose: all kinds are listed here.
/// The compiler finds the matches that name each of them (`note` and `watched` below, `begin_stop` in
/// `api/close.rs`, `serve` in `reactor/serve.rs`); most others look for one kind and end in `_`.
#[derive(Debug)]
#[repr(u8)] // As for `State`: the kind is one byte.
pub(crate) enum Source {
    /// A connection in the making.
    Connector(Box<Connector>),
    /// A socket that sends and receives datagrams.
    Datagram(Box<Datagram>),
    /// A connection that was let go; its protocol has yet to be told.
    #[cfg_attr(not(unix), allow(dead_code))]
    DetachedSlot(Box<DetachedSlot>),
    /// Its socket is closed already; the slot is kept until its owner has been dropped.
    Gone,
    /// The socket of a connection that has ended for us and not yet for the peer.
    Lingering(Lingering),
    /// A socket that accepts connections.
    Listener(Listener),
    /// A connection.
    Stream(Stream),
    /// A descriptor that others read and write.
    #[cfg(unix)]
    Watch(Watch),
}

impl Source {
    /// Takes in what the poll says of it.
    #[inline]
    pub(crate) fn note(&mut self, readiness: Readiness) {
        match self {
            Self::Stream(stream) => stream.readiness |= readiness,
            Self::Connector(connector) => connector.readiness |= readiness,
            Self::Lingering(lingering) => lingering.readiness |= readiness,
            Self::Datagram(datagram) => datagram.readiness |= readiness,
            Self::DetachedSlot(_) | Self::Gone | Self::Listener(_) => {}
            #[cfg(unix)]
            Self::Watch(_) => {}
        }
    }

    /// What the poll watches for it.
    pub(crate) fn watched(&mut self) -> Option<&mut dyn Watched> {
        match self {
            Self::Connector(connector) => Some(connector.socket.as_mut()?),
            Self::Datagram(datagram) => Some(datagram.socket.as_mut()?),
            Self::DetachedSlot(_) | Self::Gone => None,
            Self::Lingering(lingering) => Some(&mut lingering.socket),
            Self::Listener(listener) => Some(&mut listener.socket),
            Self::Stream(stream) => Some(&mut stream.socket),
            #[cfg(unix)]
            Self::Watch(watch) => Some(&mut watch.descriptor),
        }
    }
}

/// One slot of the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    /// Whether it stands in the ready queue, so that it stands there once.
    pub(crate) queued: bool,
    pub(crate) source: Source,
}

/// The sockets of one reactor.
///
/// A slot is used again; a serial never is. Every look-up goes through [`get`](Self::get),
/// [`entry_mut`](Self::entry_mut) or [`find`](Self::find), which compare the whole id or token: what was
/// meant for a closed socket reaches no other.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    entries: Slab<Entry>,
    shrinking: Shrinking,
    next_serial: u64,
}

impl Sources {
    /// `None` when all slots are taken, all serials are used up, or `build` declines.
    pub(crate) fn insert(&mut self, build: impl FnOnce(Id) -> Option<Source>) -> Option<Id> {
        let vacant = self.entries.vacant_entry();
        if vacant.key() >= Id::SLOTS || self.next_serial >= Id::SERIALS {
            return None;
        }
        let id = Id::new(vacant.key(), self.next_serial);
        let source = build(id)?;
        self.next_serial += 1;
        vacant.insert(Entry { id, queued: false, source });
        self.shrinking.note(self.entries.len());
        Some(id)
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Source> {
        let entry = self.entries.get(id.slot())?;
        (entry.id == id).then_some(&entry.source)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Source> {
        Some(&mut self.entry_mut(id)?.source)
    }

    pub(crate) fn stream(&self, id: Id) -> Option<&Stream> {
        match self.get(id)? {
            Source::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    pub(crate) fn stream_mut(&mut self, id: Id) -> Option<&mut Stream> {
        match self.get_mut(id)? {
            Source::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    pub(crate) fn datagram_mut(&mut self, id: Id) -> Option<&mut Datagram> {
        match self.get_mut(id)? {
            Source::Datagram(datagram) => Some(datagram),
            _ => None,
        }
    }

    /// Puts another source in place of one, under the same id.
    pub(crate) fn replace(&mut self, id: Id, source: Source) -> Option<Source> {
        Some(std::mem::replace(self.get_mut(id)?, source))
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Source> {
        self.get(id)?;
        let removed = self.entries.remove(id.slot());
        if self.shrinking.is_due(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to_fit();
        }
        Some(removed.source)
    }

    /// How many slots are taken.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Who an event is for: nobody, if its socket has gone since the poll.
    pub(crate) fn find(&mut self, token: usize) -> Option<&mut Entry> {
        self.entries.get_mut(id::slot_of(token)).filter(|entry| entry.id.token() == token)
    }

    /// One that has been taken from the ready queue may be listed again.
    pub(crate) fn end_queued(&mut self, id: Id) {
        if let Some(entry) = self.entry_mut(id) {
            entry.queued = false;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Source)> {
        self.entries.iter().map(|(_, entry)| (entry.id, &entry.source))
    }

    pub(crate) fn entry_mut(&mut self, id: Id) -> Option<&mut Entry> {
        self.entries.get_mut(id.slot()).filter(|entry| entry.id == id)
    }
}
