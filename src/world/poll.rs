//! The poll: which sockets have something to say.

use crate::logging::REACTOR;
use crate::world::World;
use log::trace;
use mio::{Events, Poll, Token};
use std::io;
use std::time::Duration;

/// How many events one poll returns at most. Whoever is left over is reported by the next poll, for
/// the system reports in turn; more than this at once only delays the timers.
const EVENTS: usize = 1024;

/// The token of the waker; no [`Id`](crate::Id) has it.
const WAKE: Token = Token(usize::MAX);

/// The token of the signals; no [`Id`](crate::Id) has it.
#[cfg(all(unix, feature = "signals"))]
pub(super) const SIGNALS: Token = Token(usize::MAX - crate::Id::SLOTS - 1);

/// Waits for events.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: Poll,
    events: Events,
}

/// What the system says of one socket. Each is a hint: only reading or writing tells the truth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) token: Token,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// A read that returns less than was asked for does not mean that nothing more is to come: the
    /// peer's end is known to follow, an error, or urgent data, at which a read stops short.
    pub(crate) more_follows: bool,
    /// The socket has an error to report.
    pub(crate) failed: bool,
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) enum Event {
    /// Another thread has sent calls.
    Woken,
    #[cfg(all(unix, feature = "signals"))]
    Signalled,
    Ready(Readiness),
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(EVENTS) })
    }

    /// The world whose sockets this poll waits for.
    pub(crate) fn world(&self) -> io::Result<World> {
        Ok(World::new(self.poll.registry().try_clone()?))
    }

    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Ok(Waker { waker: mio::Waker::new(self.poll.registry(), WAKE)? })
    }

    /// Waits until something happens, or until the time is up. A signal's interruption counts as
    /// nothing having happened.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let result = self.poll.poll(&mut self.events, limit);
        trace!(target: REACTOR, "poll for {limit:?}: {result:?}");
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// What the last wait brought.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        self.events.iter().map(|event| match event.token() {
            WAKE => Event::Woken,
            #[cfg(all(unix, feature = "signals"))]
            SIGNALS => Event::Signalled,
            token => {
                let failed = event.is_error();
                let ended = failed || event.is_read_closed();
                Event::Ready(Readiness {
                    token,
                    readable: ended || event.is_readable(),
                    writable: failed || event.is_writable() || event.is_write_closed(),
                    more_follows: ended || event.is_priority(),
                    failed,
                })
            }
        })
    }
}

/// Ends a wait from another thread.
#[derive(Debug)]
pub(crate) struct Waker {
    waker: mio::Waker,
}

impl Waker {
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}
