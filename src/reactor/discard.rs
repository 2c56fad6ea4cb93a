//! Drops of users' values. A user's code may run in each: it is guarded and timed like a callback.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::context::Pending;
use crate::api::discard::Discarded;
use crate::api::producer::Producer;
use crate::api::timer::Job;
use crate::api::trigger::{Run, RunPhase};
use crate::reactor::call::Once;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owner;
use crate::values::guard::name_of;
use crate::values::id::Id;
use crate::values::journal::Callback;
use std::collections::btree_map::Entry;
use std::mem;

/// How much capacity the list of values to drop keeps: enough for the drops of an ordinary turn.
const KEPT: usize = 1024;

impl Dispatcher {
    /// Drops a user's value, or a value that holds one.
    pub(super) fn drop_guarded(&mut self, value: impl Sized, type_name: &'static str) {
        self.call(Once::dropping(type_name), Callback::Drop, |_, _| drop(value));
    }

    /// Drops the values that methods of the context have discarded, since those methods never run a user's code.
    pub(super) fn drop_discarded(&mut self) {
        let mut discarded = mem::take(&mut self.context.discarded);
        for value in discarded.drain(..) {
            match value {
                Discarded::Call(call) => {
                    let type_name = call.name();
                    self.drop_guarded(call, type_name);
                }
                Discarded::Other(value, type_name) => self.drop_guarded(value, type_name),
            }
        }
        if discarded.capacity() <= KEPT {
            self.context.discarded = discarded;
        }
    }

    /// Drops the owner of a socket.
    pub(super) fn remove_owner(&mut self, id: Id) {
        if let Some(owner) = self.owners.remove(id) {
            self.drop_owner(owner);
        }
    }

    pub(super) fn drop_owner(&mut self, owner: Owner) {
        let type_name = owner.type_name();
        self.drop_guarded(owner, type_name);
    }

    /// Drops a producer that was unregistered. It may have been dropped already, before it was set.
    pub(super) fn drop_producer(&mut self, id: Id) {
        let registration = self.context.registration(id);
        if let Entry::Occupied(entry) = self.owners.producers.entry(id)
            && registration != Some(entry.get().0)
        {
            let (_, producer) = entry.remove();
            self.drop_unregistered(producer);
        }
    }

    pub(super) fn drop_unregistered(&mut self, producer: Box<dyn Producer>) {
        let type_name = name_of(|| producer.type_name());
        self.drop_guarded(producer, type_name);
    }

    /// Drops a receiver.
    pub(super) fn close_channel(&mut self, channel: ChannelId) {
        if let Some(receiver) = self.owners.channels.remove(&channel) {
            self.drop_receiver(receiver);
        }
    }

    fn drop_receiver(&mut self, mut receiver: Box<dyn Receiver>) {
        let type_name = receiver.name();
        receiver.take_all();
        // `None` is a message that has panicked.
        while self.call(Once::dropping(type_name), Callback::Drop, |_, _| receiver.drop_next())
            != Some(false)
        {}
        self.drop_guarded(receiver, type_name);
    }

    /// Drops all receivers.
    fn close_channels(&mut self) {
        while let Some((&channel, _)) = self.owners.channels.first_key_value() {
            self.close_channel(channel);
        }
    }

    /// Drops all timers.
    fn drop_timers(&mut self) {
        while let Some(job) = self.context.take_timer() {
            if let Job::Call(call) = job {
                let type_name = call.name();
                self.drop_guarded(call, type_name);
            }
        }
    }

    /// Drops the triggers that were not called.
    fn drop_triggers(&mut self) {
        while let Some(call) = self.context.triggers.take_any() {
            let type_name = call.name();
            self.drop_guarded(call, type_name);
        }
    }

    /// Ends the reactor: calls and messages that were sent are handled, later ones are refused, and all
    /// protocols are notified.
    pub(crate) fn shut(&mut self) {
        self.warn_if_never_run();
        self.set_clock();
        self.context.stop();
        self.run_pending();
        let begun = self.context.triggers.run != Run::NotBegun;
        if begun {
            self.reach(RunPhase::BeforeShutdown);
            self.context.triggers.run = Run::Ending;
            self.reach(RunPhase::DuringShutdown);
        }
        for sent in self.calls.close() {
            self.handle_sent(sent, usize::MAX);
        }
        self.abort_all();
        self.end_jobs();
        if begun {
            self.reach(RunPhase::AfterShutdown);
        }
        self.close_channels();
        #[cfg(feature = "signals")]
        self.drop_signal_handlers();
        self.drop_timers();
        self.drop_triggers();
        self.drop_resolver();
        self.run_pending();
        self.notify_observers();
        self.drop_observers();
    }

    /// Ends the reactor as a crash would: no callback is made, and nothing is sent.
    pub(crate) fn abandon(&mut self) {
        self.set_clock();
        for sent in self.calls.close() {
            self.drop_guarded(sent, "a call");
        }
        self.allow_pending(usize::MAX);
        while let Some(pending) = self.context.pending.pop_front() {
            match pending {
                Pending::Open(_, receiver) => self.drop_receiver(receiver),
                pending => self.drop_guarded(pending, "a new owner"),
            }
        }
        self.drop_discarded();
        self.end_jobs();
        for owner in self.owners.take_sockets() {
            self.drop_owner(owner);
        }
        while let Some((_, (_, producer))) = self.owners.producers.pop_first() {
            self.drop_unregistered(producer);
        }
        while let Some((&id, _)) = self.owners.filters.first_key_value() {
            self.drop_filters(id);
        }
        self.close_channels();
        #[cfg(feature = "signals")]
        self.drop_signal_handlers();
        self.drop_timers();
        self.drop_triggers();
        self.drop_resolver();
        self.drop_observers();
    }
}
