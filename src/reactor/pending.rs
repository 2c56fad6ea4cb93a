//! Pending callbacks: those that a callback, or a call of the context, has caused.
//!
//! The context cannot call users, so it lists the callbacks. They are made when the callback that caused them has
//! returned, within a budget; the others are held for the next turn. Entries that make no callback are never held.

use crate::api::context::{Context, Pending};
use crate::reactor::chain::Origin;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owner;
use crate::values::id::Id;
use crate::values::journal::Callback;
use crate::values::journal::RecordKind;
use std::mem;

impl Dispatcher {
    /// Makes the callbacks that are pending, and those that they cause, until none is left or the
    /// budget is spent.
    #[inline(always)]
    pub(super) fn run_pending(&mut self) {
        if !self.context.pending.is_empty() {
            self.run_all_pending();
        }
    }

    #[inline(never)]
    fn run_all_pending(&mut self) {
        while let Some(pending) = self.context.pending.pop_front() {
            if pending.calls() {
                if self.pending_budget == 0 {
                    self.hold(pending);
                    continue;
                }
                self.pending_budget -= 1;
                self.context.journal.note(Id::NONE, RecordKind::Deferred, 0, 0);
            }
            self.handle(pending);
        }
    }

    /// Sets how many pending callbacks may be made from now on. Held callbacks come first.
    pub(super) fn allow_pending(&mut self, count: usize) {
        self.pending_budget = count;
        let Context { pending, held, .. } = &mut self.context;
        if !held.is_empty() {
            held.append(pending);
            mem::swap(held, pending);
        }
    }

    /// Keeps a callback for the next turn. A socket with a held first callback stays in the ready queue until
    /// then, so that the poll's events do not serve it.
    #[cold]
    fn hold(&mut self, pending: Pending) {
        self.context.journal.note(Id::NONE, RecordKind::Held, 0, 0);
        if let Pending::Made(id, _) | Pending::Start(id, _) = &pending {
            self.context.enqueue(*id);
        }
        #[cfg(all(unix, feature = "process"))]
        if let Pending::Spawned(id, _) = &pending {
            self.context.enqueue_process(*id);
        }
        match pending {
            // It comes before an end that may be held already.
            Pending::StopProducing(..) => self.context.held.push_front(pending),
            pending => self.context.held.push_back(pending),
        }
    }

    fn handle(&mut self, pending: Pending) {
        match pending {
            Pending::AddFilter(id, added) => self.add_filter(id, *added),
            Pending::Call(call) => self.make(call, Callback::Call),
            Pending::ConnectFailed(id, error) => self.notify_failed(id, error),
            Pending::Datagram(id) => self.notify_datagram(id),
            Pending::DetachedSlot(id) => self.notify_detached(id),
            Pending::Discard => self.drop_discarded(),
            Pending::Drain(id) => self.drain(id),
            Pending::Encode(id) => self.run_filters(id),
            #[cfg(all(unix, feature = "process"))]
            Pending::Exited(id) => self.notify_exited(id),
            Pending::Flow(id) => self.notify_flow(id),
            Pending::Free(id) => self.free_if_closed(id),
            Pending::LookUp(host, port, answer) => self.look_up(&host, port, answer),
            Pending::MakeFilters(id, filters) => self.begin_filters(id, &filters, Origin::Made),
            Pending::Made(id, protocol) => self.make_adopted_connection(id, protocol),
            Pending::Lost(id) => self.notify_lost(id),
            Pending::Open(channel, receiver) => {
                self.owners.channels.insert(channel, receiver);
            }
            Pending::Produce(id, number, producer) => self.set_producer(id, number, producer),
            Pending::Produced(id) => self.drop_producer(id),
            Pending::Resolved(id, found) => self.notify_resolved(id, found),
            Pending::StopProducing(id, producer) => self.stop_producer(id, producer),
            Pending::SetFactory(id, factory) => self.set_owner(id, Owner::Factory(factory)),
            Pending::SetResolution(id, resolution) => {
                self.set_owner(id, Owner::Resolution(resolution));
            }
            #[cfg(all(unix, feature = "process"))]
            Pending::Spawned(id, protocol) => self.make_process(id, protocol),
            Pending::Start(id, protocol) => self.start(id, protocol),
            #[cfg(unix)]
            Pending::Unwatched(id, reason) => self.notify_unwatched(id, reason),
            #[cfg(unix)]
            Pending::Watch(id, watcher) => self.set_owner(id, Owner::Watcher(watcher)),
        }
    }
}
