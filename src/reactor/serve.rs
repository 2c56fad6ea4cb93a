//! Serving those that are ready, each within its budget.

use crate::reactor::dispatcher::Dispatcher;
use crate::source::stream::{Filled, READ_BUDGET};
use crate::source::table::Source;
use crate::sys::Readiness;
use crate::values::id::Id;
use std::mem;

impl Dispatcher {
    /// How many were not done in the last turn.
    pub(crate) fn left_over(&self) -> usize {
        self.context.ready.len()
    }

    /// Whether a read has filled the read buffer since this was last asked.
    #[inline]
    pub(crate) fn has_filled_buffer(&mut self) -> bool {
        mem::take(&mut self.filled_buffer)
    }

    /// Serves those that were not done in the last turn, `count` of them. Who is not done even then,
    /// or was listed meanwhile, is served in the next turn. It comes after the events, which pass
    /// over those that wait here; so each is served once a turn, whatever else happens to it.
    pub(crate) fn serve_left_over(&mut self, count: usize, buffer: &mut [u8]) {
        for _ in 0..count {
            let Some(id) = self.context.ready.pop_front() else { break };
            self.context.sources.end_queued(id);
            if self.is_made(id) {
                self.serve(id, buffer);
            } else {
                self.context.enqueue(id);
            }
        }
    }

    /// Whether its protocol has its place: not while the notice of that is held.
    fn is_made(&self, id: Id) -> bool {
        match self.context.sources.get(id) {
            Some(Source::Datagram(_) | Source::Stream(_)) => self.owners.get(id).is_some(),
            _ => true,
        }
    }

    /// Notes what the poll says of a socket, and serves the socket, unless it waits in the ready
    /// queue for its turn.
    #[inline(always)]
    pub(crate) fn serve_event(&mut self, token: usize, readiness: Readiness, buffer: &mut [u8]) {
        let Some(entry) = self.context.sources.find(token) else {
            return; // It has gone since the poll.
        };
        let id = entry.id;
        if let Source::Stream(stream) = &mut entry.source {
            stream.readiness |= readiness;
            // So it is most of the time.
            if stream.wants_only_read() && !entry.queued {
                if stream.is_simulated() {
                    return self.serve_reading(id, buffer, READ_BUDGET);
                }
                return match stream.fill(buffer) {
                    Filled::Data(count) if !stream.is_readable() => {
                        self.deliver(id, &buffer[..count]);
                    }
                    filled => self.read_on(id, filled, buffer),
                };
            }
        } else {
            entry.source.note(readiness);
        }
        if !entry.queued {
            self.serve(id, buffer);
        }
        if readiness.has(Readiness::FAILED) {
            self.context.end_if_broken(id);
            self.run_pending();
        }
    }

    fn serve(&mut self, id: Id, buffer: &mut [u8]) {
        match self.context.sources.get_mut(id) {
            Some(Source::Stream(_)) => {
                self.context.flush(id);
                self.notify_resumed(id);
                self.run_pending();
                self.ask_producer(id);
                self.notify_early_eof(id);
                self.serve_reading(id, buffer, READ_BUDGET);
            }
            Some(Source::Listener(listener)) if listener.backing_off => {}
            Some(Source::Listener(_)) => self.serve_listener(id),
            Some(Source::Connector(_)) => self.serve_connector(id),
            Some(Source::Datagram(_)) => self.serve_datagrams(id, buffer),
            Some(Source::Lingering(lingering)) => {
                let ended = lingering.is_readable() && lingering.drain(buffer);
                if ended {
                    self.context.free(id);
                } else if lingering.is_readable() {
                    self.context.enqueue(id);
                }
            }
            #[cfg(unix)]
            Some(Source::Watch(_)) => self.serve_watch(id),
            Some(Source::DetachedSlot(_) | Source::Gone) | None => {}
        }
        self.run_pending();
    }
}
