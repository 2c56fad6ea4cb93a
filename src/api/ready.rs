//! The ready queue: sockets with work left.

use crate::api::context::Context;
use crate::values::id::Id;
use crate::values::journal::RecordKind;
use std::mem;

impl Context {
    /// Appends a socket to the ready queue, unless it is listed already.
    pub(crate) fn enqueue(&mut self, id: Id) {
        if let Some(entry) = self.sources.entry_mut(id)
            && !mem::replace(&mut entry.queued, true)
        {
            self.ready.push_back(id);
            self.journal.note(id, RecordKind::Queued, 0, 0);
        }
    }

    /// Returns true if work is left for which the next turn does not wait in the poll.
    pub(crate) fn is_busy(&self) -> bool {
        let all_notified = self.pending.is_empty() && self.held.is_empty();
        !(self.ready.is_empty() && self.unflushed.is_empty() && all_notified)
    }
}
