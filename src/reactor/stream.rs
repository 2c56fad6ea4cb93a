//! Reads from connections, within their budgets.

use crate::reactor::callback::Callback;
use crate::reactor::dispatcher::Dispatcher;
#[cfg(unix)]
use crate::source::stream::Passed;
use crate::source::stream::{Filled, PeerSide, READ_BUDGET, Reading, WriteSide};
use crate::values::id::Id;
use crate::values::logging::TCP;
use log::debug;

/// As how many bytes of the budget a read counts at least. Each message with descriptors is read by itself,
/// and one byte is enough to pass them.
const LEAST: usize = READ_BUDGET / 256;

impl Dispatcher {
    /// Sees to what a read has brought, and reads on.
    #[inline(never)]
    pub(super) fn read_on(&mut self, id: Id, filled: Filled, buffer: &mut [u8]) {
        self.note_filling(&filled, buffer);
        let budget = left(READ_BUDGET, self.handle_read(id, filled, buffer));
        self.serve_reading(id, buffer, budget);
    }

    /// A read that fills the buffer could have returned more in a larger one.
    pub(super) fn note_filling(&mut self, filled: &Filled, buffer: &[u8]) {
        self.filled_buffer |= matches!(filled, Filled::Data(count) if *count == buffer.len());
    }

    /// Reads and delivers until the socket is dry or the budget spent. No read returns more than what is
    /// left of the budget.
    pub(super) fn serve_reading(&mut self, id: Id, buffer: &mut [u8], mut budget: usize) {
        while let Some(stream) = self.context.sources.stream_mut(id)
            && stream.wants_read()
        {
            if budget == 0 {
                return self.context.enqueue(id);
            }
            let most = buffer.len().min(budget);
            #[cfg(unix)]
            if stream.is_unix() {
                budget = left(budget, self.read_unix(id, &mut buffer[..most]));
                continue;
            }
            let filled = match stream.is_simulated() {
                true => stream.fill_from_other(&mut buffer[..most]),
                false => stream.fill(&mut buffer[..most]),
            };
            self.note_filling(&filled, buffer);
            budget = left(budget, self.handle_read(id, filled, buffer));
        }
    }

    #[inline(always)]
    pub(super) fn deliver(&mut self, id: Id, data: &[u8]) {
        self.call(id, Callback::DataReceived(data));
        self.run_pending();
    }

    /// Delivers what a read has brought, or sees to its having brought nothing. Returns how many
    /// bytes it were.
    #[inline(always)]
    pub(super) fn handle_read(&mut self, id: Id, filled: Filled, buffer: &[u8]) -> usize {
        match filled {
            Filled::Data(count) => {
                self.deliver(id, &buffer[..count]);
                count
            }
            Filled::Discarded(count) => count,
            filled => {
                self.end_reading(id, filled);
                0
            }
        }
    }

    /// Reads once from a Unix socket, and delivers what that brought. Returns how many bytes it were.
    #[cfg(unix)]
    #[inline(never)]
    pub(super) fn read_unix(&mut self, id: Id, buffer: &mut [u8]) -> usize {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return 0;
        };
        match stream.fill_unix(buffer) {
            (Filled::Data(count), Some(passed)) => {
                self.deliver_passed(id, &buffer[..count], passed);
                count
            }
            (filled, _) => {
                self.note_filling(&filled, buffer);
                self.handle_read(id, filled, buffer)
            }
        }
    }

    /// Delivers data together with descriptors. Nothing of it is kept back: whoever does not want to
    /// hear of it any more closes what came.
    #[cfg(unix)]
    #[cold]
    pub(super) fn deliver_passed(&mut self, id: Id, data: &[u8], passed: Passed) {
        let Passed { mut descriptors, lost } = passed;
        if lost {
            log::warn!(target: TCP, "{id} descriptors were lost: this process may have no more of them");
            self.context.descriptors_lost_on = Some(id);
            self.call(id, Callback::DescriptorsLost);
            self.run_pending();
            self.context.descriptors_lost_on = None;
        }
        if self.context.sources.stream(id).is_some_and(|stream| !stream.is_closing()) {
            self.call(id, Callback::DescriptorsReceived(data, &mut descriptors));
            self.run_pending();
        }
    }

    /// A read brought no data: the socket is dry, or nothing more will come.
    #[cold]
    pub(super) fn end_reading(&mut self, id: Id, filled: Filled) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if let Some(reason) = stream.take_break() {
            self.context.end(id, reason);
            return self.run_pending();
        }
        match filled {
            Filled::Data(_) | Filled::Discarded(_) | Filled::WouldBlock => {}
            Filled::Eof if stream.is_closing() => {}
            Filled::Eof => self.notify_eof(id),
            Filled::Failed(error) => self.context.end(id, error.into()),
        }
        self.run_pending();
    }

    /// In its own turn, not within the `resume`: two who resume each other would never end.
    pub(super) fn notify_resumed(&mut self, id: Id) {
        let stream = self.context.sources.stream_mut(id);
        let resumed = stream.is_some_and(|stream| {
            let resumed = stream.input.reading == Reading::Resumed && !stream.is_closing();
            if resumed {
                stream.input.reading = Reading::On;
            }
            resumed
        });
        if resumed {
            self.call(id, Callback::ReadingResumed);
        }
    }

    /// The peer may have ended its side while reading is paused. The end itself is held back, as data
    /// is, since the protocol may have some of its own to deliver before it.
    pub(super) fn notify_early_eof(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if stream.has_unnoticed_eof() {
            stream.input.peer_side = PeerSide::Noticed;
            debug!(target: TCP, "{id} the peer ended its side; reading is paused");
            self.call(id, Callback::EofNoticed);
            self.run_pending();
        }
    }

    pub(super) fn notify_eof(&mut self, id: Id) {
        debug!(target: TCP, "{id} the peer ended its side");
        self.call(id, Callback::EofReceived);
        let stream = self.context.sources.stream_mut(id);
        if stream.is_some_and(|stream| stream.output.write_side == WriteSide::Ended) {
            // Both sides have ended, so the connection has.
            self.context.close(id);
        }
        self.context.end_if_broken(id);
    }
}

/// What a read of so many bytes leaves of the budget.
fn left(budget: usize, count: usize) -> usize {
    budget.saturating_sub(count.max(LEAST))
}
