//! Serving of sockets, each within its budget.

use crate::reactor::dispatcher::Dispatcher;
use crate::source::stream::{Filled, READ_BUDGET};
use crate::source::table::Source;
use crate::sys::{Event, Readiness};
use crate::values::id::Id;

impl Dispatcher {
    /// Returns the length of the ready queue: sockets with work left, and those that timers have queued.
    pub(super) fn left_over(&self) -> usize {
        self.context.ready.len()
    }

    /// Serves the first `count` sockets of the ready queue. Those that have work left even then are served in
    /// the next turn.
    pub(super) fn serve_left_over(&mut self, count: usize, buffer: &mut [u8]) {
        for _ in 0..count {
            if self.serve_ready(buffer).is_none() {
                break;
            }
        }
    }

    /// Serves the first socket of the ready queue.
    pub(super) fn serve_ready(&mut self, buffer: &mut [u8]) -> Option<Id> {
        let id = self.context.ready.pop_front()?;
        self.context.sources.end_queued(id);
        if self.is_made(id) {
            self.serve(id, buffer);
        } else {
            self.context.enqueue(id);
        }
        Some(id)
    }

    /// Returns true if the socket's protocol is set: not while its first callback is held.
    fn is_made(&self, id: Id) -> bool {
        match self.context.sources.get(id) {
            Some(Source::Stream(stream)) if stream.in_handshake() => true,
            Some(Source::Datagram(_) | Source::Stream(_)) => self.owners.contains(id),
            #[cfg(all(unix, feature = "process"))]
            Some(Source::Process(_)) => self.owners.contains(id),
            _ => true,
        }
    }

    /// Records an event on its socket, and serves the socket unless it is in the ready queue.
    #[inline(always)]
    pub(super) fn serve_event(&mut self, event: Event, buffer: &mut [u8]) {
        let Some(entry) = self.context.sources.find(event.id) else {
            return self.serve_other(event);
        };
        let (id, readiness) = (entry.id, event.readiness);
        if let Source::Stream(stream) = &mut entry.source {
            stream.readiness |= readiness;
            // The common case.
            if stream.wants_only_read() && !entry.queued {
                match stream.fill(buffer) {
                    Filled::Data(count) if !stream.is_readable() => {
                        self.context.journal.event_and_read(id, readiness, count);
                        self.deliver(id, &buffer[..count]);
                    }
                    filled => {
                        self.context.journal.event(id, readiness);
                        self.read_on(id, filled, buffer);
                    }
                }
                return;
            }
        } else {
            entry.source.note(id.token(), readiness);
        }
        self.context.journal.event(id, readiness);
        if !entry.queued {
            self.serve(id, buffer);
        }
        if readiness.has(Readiness::HAS_FAILED) {
            self.context.end_if_broken(id);
            self.run_pending();
        }
    }

    /// Serves an event that is not of a source's own socket: another thread has woken the reactor, a signal has
    /// arrived, or a socket that races for a connection attempt is ready, and the attempt is served in this turn. Else
    /// the socket was closed since the poll.
    #[cold]
    fn serve_other(&mut self, event: Event) {
        self.context.journal.event(event.id, event.readiness);
        match event {
            Event::WOKEN => self.calls.take(),
            #[cfg(feature = "signals")]
            Event::SIGNALLED => self.handle_signals(),
            event => {
                let Some(entry) = self.context.sources.find_racing(event.id) else { return };
                let id = entry.id;
                entry.source.note(event.id.token(), event.readiness);
                self.serve_connector(id);
                self.run_pending();
            }
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
                let ended = lingering.is_readable() && lingering.discard(buffer);
                if ended {
                    self.context.free(id);
                } else if lingering.is_readable() {
                    self.context.enqueue(id);
                }
            }
            #[cfg(all(unix, feature = "process"))]
            Some(Source::Process(_)) => self.context.serve_process(id),
            #[cfg(unix)]
            Some(Source::Watch(_)) => self.serve_watch(id),
            Some(Source::DetachedSlot(_) | Source::Gone | Source::LookUp(_)) | None => {}
        }
        self.run_pending();
    }
}
