//! The system's poll.

use crate::sys::backend::Events;
use crate::values::id::Id;
use mio::{Poll, Token};
use std::io;
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

/// The maximum number of events of one poll. The next poll reports the remaining ones: the system
/// begins with those that it has not reported; more at once would only delay the timers.
const EVENTS: usize = 1024;

/// A poll of mio's, and its waker.
#[derive(Debug)]
pub(super) struct Poller(Poll);

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        Poll::new().map(Self)
    }

    pub(super) fn registry(&self) -> &mio::Registry {
        self.0.registry()
    }

    pub(super) fn waker(&self) -> io::Result<std::task::Waker> {
        let waker = mio::Waker::new(self.0.registry(), Token(Id::WAKER.token()))?;
        Ok(std::task::Waker::from(Arc::new(PollWaker(waker))))
    }

    /// Waits for an event, at most `limit`.
    pub(super) fn wait(&mut self, limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        self.0.poll(events.system_mut(EVENTS), limit)
    }
}

/// Ends a wait from another thread.
struct PollWaker(mio::Waker);

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Err(error) = self.0.wake() {
            log::error!(target: crate::values::logging::HANDLE, "cannot wake the reactor: {error}");
        }
    }
}
