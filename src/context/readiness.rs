//! Who has something to do.

use crate::context::Context;
use crate::id::Id;
use crate::logging::REACTOR;
use crate::sources::Source;
use crate::world::Readiness;
use log::trace;

impl Context {
    /// Notes what the poll says of a socket, and lists the socket if there is something to do.
    pub(crate) fn note(&mut self, hint: Readiness) {
        let Some(id) = self.sources.find(hint.token) else {
            trace!(target: REACTOR, "event for one that is gone: {hint:?}");
            return;
        };
        trace!(target: REACTOR, "{id} {hint:?}");
        match self.sources.get_mut(id) {
            Some(Source::Stream(stream)) => {
                stream.readable |= hint.readable;
                stream.writable |= hint.writable;
                stream.more_follows |= hint.more_follows;
                stream.failed |= hint.failed;
                if stream.wants_read() || stream.wants_flush() {
                    self.enlist(id);
                }
                if hint.failed {
                    self.end_if_broken(id);
                }
            }
            Some(Source::Connector(connector)) => {
                connector.readable |= hint.readable;
                connector.more_follows |= hint.more_follows;
                self.enlist(id);
            }
            Some(Source::Listener(listener)) => {
                if !listener.resting {
                    self.enlist(id);
                }
            }
            Some(Source::Lingering(lingering)) => {
                lingering.readable |= hint.readable;
                self.enlist(id);
            }
            Some(Source::Gone) | None => {}
        }
    }

    /// Puts it at the back of the ready queue, unless it stands there already.
    pub(crate) fn enlist(&mut self, id: Id) {
        if self.sources.begin_queued(id) {
            self.ready.push_back(id);
        }
    }

    /// Whether the turn has left something that the next one need not wait for.
    pub(crate) fn is_busy(&self) -> bool {
        !(self.ready.is_empty() && self.unflushed.is_empty() && self.notices.is_empty())
    }
}
