//! Dropping what is a user's, whose own code may run then: under guard, one at a time, and timed.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::context::Pending;
use crate::api::discard::Discarded;
use crate::api::producer::Producer;
use crate::api::timer::Job;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::{Panic, guarded, name_of};
use crate::reactor::owners::Owner;
use crate::values::id::Id;
use std::collections::btree_map::Entry;
use std::mem;

/// How many places of the list of what is to be dropped are kept for the next time.
const KEPT: usize = 1024;

impl Dispatcher {
    /// Drops a value that is a user's, or holds one.
    pub(super) fn drop_guarded(&mut self, value: impl Sized, who: &'static str) {
        let dropped = guarded(|| drop(value));
        self.dropped(dropped, who);
    }

    /// Something of a user's has been dropped, and may have panicked then.
    fn dropped(&mut self, returned: Result<(), Panic>, who: &'static str) {
        if self.watch.returned() {
            self.look(Some((who, "drop")));
        }
        if let Err(panic) = returned {
            self.report(None, who, "drop", panic);
        }
    }

    /// Drops what methods of the context had to drop, which never do so themselves.
    pub(super) fn drop_discarded(&mut self) {
        let mut discarded = mem::take(&mut self.context.discarded);
        for value in discarded.drain(..) {
            match value {
                Discarded::Call(call) => {
                    let who = call.name();
                    self.drop_guarded(call, who);
                }
                Discarded::Other(value, who) => self.drop_guarded(value, who),
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

    fn drop_owner(&mut self, owner: Owner) {
        let who = owner.name();
        self.drop_guarded(owner, who);
    }

    /// A producer was unregistered: it is dropped, unless it was so before it had its place.
    pub(super) fn drop_producer(&mut self, id: Id) {
        let registration = self.context.registration(id);
        if let Entry::Occupied(entry) = self.producers.entry(id)
            && registration != Some(entry.get().0)
        {
            let (_, producer) = entry.remove();
            self.drop_unregistered(producer);
        }
    }

    pub(super) fn drop_unregistered(&mut self, producer: Box<dyn Producer>) {
        let who = name_of(|| producer.type_name());
        self.drop_guarded(producer, who);
    }

    /// Drops a receiver.
    pub(super) fn close_channel(&mut self, channel: ChannelId) {
        if let Some(receiver) = self.channels.remove(&channel) {
            self.drop_receiver(receiver);
        }
    }

    fn drop_receiver(&mut self, mut receiver: Box<dyn Receiver>) {
        let who = receiver.name();
        receiver.take_backoff();
        loop {
            match guarded(|| receiver.drop_next()) {
                Ok(false) => break,
                Ok(true) => self.dropped(Ok(()), who),
                Err(panic) => self.dropped(Err(panic), who),
            }
        }
        self.drop_guarded(receiver, who);
    }

    /// The end of the reactor: all receivers are dropped.
    fn close_channels(&mut self) {
        while let Some((&channel, _)) = self.channels.first_key_value() {
            self.close_channel(channel);
        }
    }

    /// The end of the reactor: all timers are dropped.
    fn drop_timers(&mut self) {
        while let Some(job) = self.context.take_timer() {
            if let Job::Call(call) = job {
                let who = call.name();
                self.drop_guarded(call, who);
            }
        }
    }

    /// The end of the reactor itself: calls and messages that were sent are attended to, later ones
    /// refused, and everyone is told.
    pub(crate) fn shut(&mut self) {
        self.set_clock();
        self.context.stop();
        self.run_pending();
        for sent in self.calls.close() {
            self.attend(sent, usize::MAX);
        }
        self.abort_all();
        self.close_channels();
        self.drop_timers();
        self.run_pending();
    }

    /// The end of the reactor as in a crash: no callback is made, and nothing is sent.
    pub(crate) fn abandon(&mut self) {
        self.set_clock();
        for sent in self.calls.close() {
            self.drop_guarded(sent, "a call");
        }
        self.allow_pending(usize::MAX);
        while let Some(notice) = self.context.pending.pop_front() {
            match notice {
                Pending::Open(_, receiver) => self.drop_receiver(receiver),
                notice => self.drop_guarded(notice, "a new owner"),
            }
        }
        self.drop_discarded();
        for owner in mem::take(&mut self.owners).into_all() {
            self.drop_owner(owner);
        }
        while let Some((_, (_, producer))) = self.producers.pop_first() {
            self.drop_unregistered(producer);
        }
        self.close_channels();
        self.drop_timers();
    }
}
