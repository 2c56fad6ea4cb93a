//! The poll: which sockets have something to say.

use crate::sys::backend::{self, Backend, Happening};
use crate::sys::{Readiness, World};
#[cfg(all(unix, feature = "signals"))]
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use log::{Level, log_enabled, trace};
use mio::{Events, Poll, Token};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// How many events one poll returns at most. Whoever is left over is reported by the next poll, for
/// the system reports in turn; more than this at once only delays the timers.
const EVENTS: usize = 1024;

/// The token of the waker; no [`Id`](crate::Id) has it.
const WAKE: Token = Token(usize::MAX);

/// The token of the signals; no [`Id`](crate::Id) has it.
#[cfg(all(unix, feature = "signals"))]
pub(super) const SIGNALS: Token = Token(usize::MAX - Id::SLOTS - 1);

/// Waits for events.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: Polled,
    events: Events,
    /// What happened in another world than the system's.
    others: Vec<backend::Event>,
}

#[derive(Debug)]
enum Polled {
    System(Poll),
    Other(Rc<dyn Backend>),
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) enum Event {
    /// Another thread has sent calls.
    Woken,
    #[cfg(all(unix, feature = "signals"))]
    Signalled,
    /// A socket has something to say.
    Ready(usize, Readiness),
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Polled::System(Poll::new()?);
        Ok(Self { poll, events: Events::with_capacity(EVENTS), others: Vec::new() })
    }

    /// Waits for what happens in another world.
    pub(crate) fn of(backend: impl Backend + 'static) -> Self {
        let poll = Polled::Other(Rc::new(backend));
        Self { poll, events: Events::with_capacity(0), others: Vec::new() }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.poll, Polled::Other(_))
    }

    /// The world whose sockets this poll waits for.
    pub(crate) fn world(&self) -> io::Result<World> {
        Ok(match &self.poll {
            Polled::System(poll) => World::System(poll.registry().try_clone()?),
            Polled::Other(backend) => World::Other(Rc::clone(backend)),
        })
    }

    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Ok(match &self.poll {
            Polled::System(poll) => Waker::System(mio::Waker::new(poll.registry(), WAKE)?),
            Polled::Other(backend) => Waker::Other(backend.waker()),
        })
    }

    /// Waits until something happens, or until the time is up. A signal's interruption counts as
    /// nothing having happened.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let result = match &mut self.poll {
            Polled::System(poll) => poll.poll(&mut self.events, limit),
            Polled::Other(backend) => {
                self.others.clear();
                backend.wait(limit, &mut self.others)
            }
        };
        self.tell(limit, &result);
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// For those who watch.
    fn tell(&self, limit: Option<Duration>, result: &io::Result<()>) {
        trace!(target: REACTOR, "poll for {limit:?}: {result:?}");
        if log_enabled!(target: REACTOR, Level::Trace) {
            for event in self.events().chain(self.others()) {
                trace!(target: REACTOR, "{event:?}");
            }
        }
    }

    /// What the last wait brought.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        self.events.iter().map(|event| match event.token() {
            WAKE => Event::Woken,
            #[cfg(all(unix, feature = "signals"))]
            SIGNALS => Event::Signalled,
            Token(token) => Event::Ready(token, readiness(event)),
        })
    }

    /// What it brought in another world than the system's.
    pub(crate) fn others(&self) -> impl Iterator<Item = Event> {
        self.others.iter().map(|event| match *event {
            backend::Event::Woken => Event::Woken,
            backend::Event::Ready(id, happening) => Event::Ready(id.token(), told(happening)),
        })
    }
}

/// What another world tells of a socket.
fn told(happening: Happening) -> Readiness {
    let Happening { readable, writable, ended, failed } = happening;
    let mut readiness = Readiness::default();
    if readable || ended || failed {
        readiness |= Readiness::READABLE;
    }
    if writable || failed {
        readiness |= Readiness::WRITABLE;
    }
    if ended {
        readiness |= Readiness::ENDED | Readiness::MORE_FOLLOWS;
    }
    if failed {
        readiness |= Readiness::FAILED | Readiness::MORE_FOLLOWS;
    }
    readiness
}

#[inline(always)]
fn readiness(event: &mio::event::Event) -> Readiness {
    let mut readiness = Readiness::default();
    if event.is_readable() {
        readiness |= Readiness::READABLE;
    }
    if event.is_writable() {
        readiness |= Readiness::WRITABLE;
    }
    if is_rare(event) { readiness | rare(event) } else { readiness }
}

/// Whether there is more to an event than that one may read or write.
fn is_rare(event: &mio::event::Event) -> bool {
    event.is_error() || event.is_read_closed() || event.is_write_closed() || event.is_priority()
}

/// What is hinted at by the ends of a connection, by errors and by urgent data.
#[cold]
fn rare(event: &mio::event::Event) -> Readiness {
    let mut readiness = Readiness::default();
    if event.is_error() {
        readiness |= Readiness::FAILED;
    }
    if event.is_error() || event.is_read_closed() {
        readiness |= Readiness::READABLE | Readiness::MORE_FOLLOWS;
    }
    if event.is_read_closed() {
        readiness |= Readiness::ENDED;
    }
    if event.is_error() || event.is_write_closed() {
        readiness |= Readiness::WRITABLE;
    }
    if event.is_priority() {
        readiness |= Readiness::MORE_FOLLOWS;
    }
    readiness
}

/// Ends a wait from another thread.
#[derive(Debug)]
pub(crate) enum Waker {
    System(mio::Waker),
    Other(std::task::Waker),
}

impl Waker {
    pub(crate) fn wake(&self) -> io::Result<()> {
        match self {
            Self::System(waker) => waker.wake(),
            Self::Other(waker) => {
                waker.wake_by_ref();
                Ok(())
            }
        }
    }
}
