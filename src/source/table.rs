//! The table of sockets, and the look-ups that check an [`Id`].

use crate::source::connector::Connector;
use crate::source::datagram::Datagram;
use crate::source::detach::DetachedSlot;
use crate::source::lingering::Lingering;
use crate::source::listener::Listener;
use crate::source::names::LookUpState;
#[cfg(all(unix, feature = "process"))]
use crate::source::process::Process;
use crate::source::retention::Shrinking;
use crate::source::stream::{Filtered, Stream};
#[cfg(unix)]
use crate::source::watch::Watch;
use crate::sys::{Readiness, SocketBackend};
use crate::values::id::Id;
use slab::Slab;

/// Every kind of source. The enum is closed on purpose: all kinds are listed here. The compiler finds the
/// matches that name each kind (`note` and `socket` below, `begin_stop` in `api/close.rs`, `serve` in
/// `reactor/serve.rs`); most others look for one kind and end in `_`.
#[derive(Debug)]
#[repr(u8)] // The kind is one byte, which one comparison tests.
pub(crate) enum Source {
    /// A connection attempt.
    Connector(Box<Connector>),
    /// A datagram socket.
    Datagram(Box<Datagram>),
    /// A detached connection; its protocol has not received `connection_lost` yet.
    #[cfg_attr(not(unix), allow(dead_code))]
    DetachedSlot(Box<DetachedSlot>),
    /// A closed socket; the slot is kept until its owner has been dropped.
    Gone,
    /// The socket of a closed connection that the peer has not ended yet.
    Lingering(Lingering),
    /// A socket that accepts connections.
    Listener(Listener),
    /// A name that is looked up by itself.
    LookUp(Box<LookUpState>),
    /// A process. Its pipes are streams.
    #[cfg(all(unix, feature = "process"))]
    Process(Box<Process>),
    /// A connection.
    Stream(Stream),
    /// A descriptor that the user reads and writes.
    #[cfg(unix)]
    Watch(Watch),
}

impl Source {
    /// Notes the readiness that the poll reports for the socket with this token.
    #[inline]
    pub(crate) fn note(&mut self, token: usize, readiness: Readiness) {
        match self {
            Self::Stream(stream) => stream.readiness |= readiness,
            Self::Connector(connector) => {
                if let Some(racer) = connector.find(token) {
                    racer.readiness |= readiness;
                }
            }
            Self::Lingering(lingering) => lingering.readiness |= readiness,
            Self::Datagram(datagram) => datagram.readiness |= readiness,
            Self::DetachedSlot(_) | Self::Gone | Self::Listener(_) | Self::LookUp(_) => {}
            #[cfg(all(unix, feature = "process"))]
            Self::Process(_) => {}
            #[cfg(unix)]
            Self::Watch(_) => {}
        }
    }

    /// Returns the socket, if it is open. Several sockets may race for a connection attempt: this is the oldest.
    pub(crate) fn socket(&mut self) -> Option<&mut dyn SocketBackend> {
        match self {
            Self::Connector(connector) => Some(&mut connector.racing.first_mut()?.socket),
            Self::Datagram(datagram) => Some(datagram.socket.as_mut()?.as_mut()),
            Self::DetachedSlot(_) | Self::Gone | Self::LookUp(_) => None,
            Self::Lingering(lingering) => Some(&mut lingering.socket),
            Self::Listener(listener) => Some(listener.socket.as_mut()),
            #[cfg(all(unix, feature = "process"))]
            Self::Process(process) => Some(process.backend.as_mut()?.as_mut()),
            Self::Stream(stream) => Some(&mut stream.socket),
            #[cfg(unix)]
            Self::Watch(watch) => Some(watch.descriptor.as_mut()),
        }
    }
}

/// One slot of the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    /// True if it is in the ready queue, where it is listed once.
    pub(crate) queued: bool,
    pub(crate) source: Source,
}

/// The sockets of one reactor.
///
/// A slot is reused; a serial never is. Every look-up goes through [`get`](Self::get),
/// [`entry_mut`](Self::entry_mut) or [`find`](Self::find), which compare the whole id or token: an event or
/// request for a closed socket reaches no other. The owners of sockets are in a table of their own
/// (`reactor/owners.rs`).
#[derive(Debug, Default)]
pub(crate) struct Sources {
    entries: Slab<Entry>,
    shrinking: Shrinking,
    next_serial: u64,
}

impl Sources {
    /// Returns `None` if all slots are in use, all serials are used up, or `build` declines.
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

    /// Returns the state of the filters of a connection.
    pub(crate) fn filtered_mut(&mut self, id: Id) -> Option<&mut Filtered> {
        self.stream_mut(id)?.filtered_mut()
    }

    pub(crate) fn datagram_mut(&mut self, id: Id) -> Option<&mut Datagram> {
        match self.get_mut(id)? {
            Source::Datagram(datagram) => Some(datagram),
            _ => None,
        }
    }

    /// Replaces a source by another, under the same id.
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

    /// Returns the number of slots in use.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the entry that an event is for, or `None` if its socket was closed after the poll.
    ///
    /// The id comes from a token, which may lack upper bits of the serial.
    pub(crate) fn find(&mut self, id: Id) -> Option<&mut Entry> {
        self.entries.get_mut(id.slot()).filter(|entry| entry.id.token() == id.token())
    }

    /// Returns the entry of the connection attempt with a racing socket that an event is for.
    #[cold]
    pub(crate) fn find_racing(&mut self, id: Id) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.slot())?;
        match &mut entry.source {
            Source::Connector(connector) => connector.find(id.token())?,
            _ => return None,
        };
        Some(entry)
    }

    /// Returns an id for one more socket of a source: the same slot, and a serial of its own. Returns `None` if all
    /// serials are used up.
    pub(crate) fn another_id(&mut self, id: Id) -> Option<Id> {
        let serial = self.next_serial;
        (serial < Id::SERIALS).then(|| {
            self.next_serial += 1;
            Id::new(id.slot(), serial)
        })
    }

    /// Notes that a socket was taken from the ready queue and may be listed again.
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
