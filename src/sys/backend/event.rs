//! Events of a wait.

use crate::values::id::Id;
use crate::values::readiness::Readiness;
#[cfg(feature = "system")]
use mio::event::Event as SystemEvent;
use std::fmt;
use std::slice;

/// An event that [`Backend::wait`](crate::backend::Backend::wait) returns: a socket is ready, the reactor was
/// woken, or a signal has arrived.
///
/// The last two have ids that no socket has. So an event of a socket, the usual case, needs no check for them:
/// its id is looked up in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub(crate) id: Id,
    pub(crate) readiness: Readiness,
}

impl Event {
    /// The [waker](crate::backend::Backend::waker) was used.
    pub const WOKEN: Self = Self { id: Id::WAKER, readiness: Readiness::READABLE };

    /// A signal has arrived that the backend catches.
    pub const SIGNALLED: Self = Self { id: Id::SIGNALS, readiness: Readiness::READABLE };

    /// An event of the socket that was registered as `id`.
    pub fn ready(id: Id, readiness: Readiness) -> Self {
        Self { id, readiness }
    }

    /// Returns the socket and its readiness, if it is the event of a socket.
    pub fn as_ready(self) -> Option<(Id, Readiness)> {
        (self != Self::WOKEN && self != Self::SIGNALLED).then_some((self.id, self.readiness))
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WOKEN => f.write_str("Woken"),
            Self::SIGNALLED => f.write_str("Signalled"),
            Self { id, readiness } => f.debug_tuple("Ready").field(&id).field(&readiness).finish(),
        }
    }
}

/// The events of one wait.
#[derive(Debug)]
pub struct Events {
    /// Events of the system, as its poll has written them. They are translated when they are read, which avoids
    /// a second pass over them.
    #[cfg(feature = "system")]
    system: mio::Events,
    others: Vec<Event>,
}

impl Events {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self {
            #[cfg(feature = "system")]
            system: mio::Events::with_capacity(0),
            others: Vec::new(),
        }
    }

    /// Appends an event.
    pub fn push(&mut self, event: Event) {
        self.others.push(event);
    }

    /// Removes all events.
    pub fn clear(&mut self) {
        #[cfg(feature = "system")]
        self.system.clear();
        self.others.clear();
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns the events, in order.
    pub fn iter(&self) -> EventIter<'_> {
        EventIter {
            #[cfg(feature = "system")]
            system: self.system.iter(),
            others: self.others.iter(),
        }
    }

    /// Returns the list for the system's poll to fill, of this capacity.
    #[cfg(feature = "system")]
    pub(in crate::sys) fn system_mut(&mut self, capacity: usize) -> &mut mio::Events {
        if self.system.capacity() == 0 {
            self.system = mio::Events::with_capacity(capacity);
        }
        &mut self.system
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Extend<Event> for Events {
    fn extend<T: IntoIterator<Item = Event>>(&mut self, events: T) {
        self.others.extend(events);
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event;
    type IntoIter = EventIter<'a>;

    fn into_iter(self) -> EventIter<'a> {
        self.iter()
    }
}

/// An iterator over [`Events`].
#[derive(Clone, Debug)]
pub struct EventIter<'a> {
    #[cfg(feature = "system")]
    system: mio::event::Iter<'a>,
    others: slice::Iter<'a, Event>,
}

impl Iterator for EventIter<'_> {
    type Item = Event;

    #[inline(always)]
    fn next(&mut self) -> Option<Event> {
        #[cfg(feature = "system")]
        if let Some(event) = self.system.next() {
            return Some(Event::ready(Id::from_token(event.token().0), readiness(event)));
        }
        self.others.next().copied()
    }
}

#[cfg(feature = "system")]
#[inline(always)]
fn readiness(event: &SystemEvent) -> Readiness {
    if is_rare(event) { rare(event) } else { usual(event) }
}

/// Returns the readiness to read and to write.
#[cfg(feature = "system")]
#[inline(always)]
fn usual(event: &SystemEvent) -> Readiness {
    let mut readiness = Readiness::default();
    if event.is_readable() {
        readiness |= Readiness::READABLE;
    }
    if event.is_writable() {
        readiness |= Readiness::WRITABLE;
    }
    readiness
}

/// Returns true if an event reports more than that the socket is readable or writable.
#[cfg(feature = "system")]
fn is_rare(event: &SystemEvent) -> bool {
    event.is_error() || event.is_priority() || event.is_read_closed() || event.is_write_closed()
}

/// Returns the readiness of an event that also reports the end of a connection, an error or urgent data.
#[cfg(feature = "system")]
#[cold]
fn rare(event: &SystemEvent) -> Readiness {
    let mut readiness = usual(event);
    // A terminal that hangs up has no error, and takes no more data.
    if event.is_error() || event.is_write_closed() {
        readiness |= Readiness::FAILED;
    }
    if event.is_read_closed() {
        readiness |= Readiness::ENDED;
    }
    if event.is_priority() {
        readiness |= Readiness::MORE_FOLLOWS;
    }
    readiness
}
