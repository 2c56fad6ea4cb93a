//! The dispatcher: the half of the reactor that calls users.
//!
//! [`Dispatcher`] holds the other half, the [`Context`], which callbacks may use, and beside it the owners, the
//! callback objects themselves. A callback borrows its own object from the owners and the whole context; so no
//! callback can reach another callback's object, and none can run inside another. The borrow checker proves it.

use crate::api::context::Context;
use crate::api::handle::Calls;
#[cfg(feature = "signals")]
use crate::api::signals::StopSignals;
use crate::reactor::owners::Owners;
use crate::reactor::stopwatch::Stopwatch;
use crate::values::id::Id;
use std::fmt;

/// How many pending callbacks are made in a turn before timers and sockets are served. A callback may cause
/// the next one at once, without end: in a protocol that writes in `resume_writing`, sends again in
/// `error_received`, or opens another socket in `connection_lost`.
pub(super) const PENDING: usize = 256;

/// Calls users, and makes the callbacks that result from their calls.
pub(crate) struct Dispatcher {
    pub(crate) context: Context,
    pub(super) owners: Owners,
    /// The calls and messages of other threads.
    pub(super) calls: Calls,
    pub(super) stopwatch: Stopwatch,
    /// The signals that stop a run.
    #[cfg(feature = "signals")]
    pub(super) signals: Option<StopSignals>,
    /// Buffers for the bytes that the running filter sends, and for its plaintext. They are kept for their memory.
    pub(super) encoded: Vec<u8>,
    pub(super) plaintext: Vec<u8>,
    /// True if a read of this turn has filled the read buffer.
    pub(super) filled_buffer: bool,
    /// Timers that are scheduled after this mark belong to a later turn.
    pub(super) timer_mark: u64,
    /// How many more pending callbacks may be made in this turn.
    pub(super) pending_budget: usize,
}

impl Dispatcher {
    pub(crate) fn new(context: Context) -> Self {
        let calls = Calls::new(context.handle(), context.backend.arrivals());
        let stopwatch = Stopwatch::new(context.backend.clone());
        Self {
            context,
            owners: Owners::default(),
            calls,
            stopwatch,
            #[cfg(feature = "signals")]
            signals: None,
            encoded: Vec::new(),
            plaintext: Vec::new(),
            filled_buffer: false,
            timer_mark: 0,
            pending_budget: PENDING,
        }
    }

    /// Ends all sockets without waiting, and notifies all protocols.
    pub(crate) fn abort_all(&mut self) {
        self.context.stop();
        self.allow_pending(usize::MAX);
        // Sockets that were closed gracefully linger after their last callback. The second pass closes them.
        for _ in 0..2 {
            self.context.abort_all();
            self.run_pending();
        }
        self.allow_pending(PENDING);
    }

    /// Drops the owner, then frees the slot.
    pub(super) fn free(&mut self, id: Id) {
        self.remove_owner(id);
        if !self.owners.filters.is_empty() {
            self.drop_filters(id);
        }
        self.context.drop_answers(id);
        self.context.free(id);
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("context", &self.context).finish_non_exhaustive()
    }
}
