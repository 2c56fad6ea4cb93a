//! The ready queue: sockets with work left.

use crate::api::context::Context;
use crate::values::id::Id;
use std::mem;

impl Context {
    /// Puts it at the back of the ready queue, unless it stands there already.
    pub(crate) fn enqueue(&mut self, id: Id) {
        if let Some(entry) = self.sources.entry_mut(id)
            && !mem::replace(&mut entry.queued, true)
        {
            self.ready.push_back(id);
        }
    }

    /// Whether the turn has left something that the next one need not wait for.
    pub(crate) fn is_busy(&self) -> bool {
        let all_notified = self.pending.is_empty() && self.held.is_empty();
        !(self.ready.is_empty() && self.unflushed.is_empty() && all_notified)
    }
}
