//! Lingering sockets: how long they stay open.

use crate::api::context::Context;
use crate::api::timer::Job;
use crate::source::lingering::{LINGER, LONGEST_LINGER, Lingering};
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::Readiness;
use crate::values::id::Id;

impl Context {
    /// Keeps the socket of a connection that was closed gracefully, and discards what the peer sends.
    pub(super) fn linger(&mut self, id: Id) {
        let timer = self.schedule(LINGER, Job::LingerEnd(id));
        let deadline = self.now() + LONGEST_LINGER;
        if let Some(Source::Stream(stream)) = self.sources.replace(id, Source::Gone) {
            let Stream { socket, readiness, input, .. } = stream;
            let lingering = Lingering {
                socket,
                readiness,
                received_after_close: input.received_after_close,
                received_lately: false,
                deadline,
                timer,
            };
            self.sources.replace(id, Source::Lingering(lingering));
            if readiness.has(Readiness::READABLE) {
                self.enqueue(id);
            }
        }
    }

    /// Closes a lingering socket, unless its peer is still sending. A stop does not wait for such a peer.
    pub(crate) fn end_lingering(&mut self, id: Id) {
        let (now, stopping) = (self.now(), self.is_stopping());
        let Some(Source::Lingering(lingering)) = self.sources.get_mut(id) else {
            return;
        };
        if stopping || !lingering.stays_open(now) {
            return self.free(id);
        }
        let timer = self.schedule(LINGER, Job::LingerEnd(id));
        if let Some(Source::Lingering(lingering)) = self.sources.get_mut(id) {
            lingering.timer = timer;
        }
    }
}
