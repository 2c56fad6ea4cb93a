//! The journal's place in the reactor: its size, its observers, and the last records of a failed connection.

use crate::api::context::Context;
use crate::api::journal::Observer;
use crate::reactor::Reactor;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::values::guard::name_of;
use crate::values::id::Id;
use crate::values::journal::{Callback, RecordKind, WaitLimit};
use crate::values::logging::JOURNAL;
use log::{Level, log, log_enabled};
use std::time::{Duration, Instant};

/// The number of records that are logged after a panic or a slow callback.
const LAST: usize = 12;

/// # The journal
impl Reactor {
    /// Sets how many records the [journal](crate::journal::Journal) keeps, at least. A record takes 16 bytes. 0 turns it off. Default: 4,096. Earlier records are dropped.
    pub fn set_journal_capacity(&mut self, records: usize) {
        self.dispatcher.context.journal.set_capacity(records);
    }

    /// Sets the instant from which the times of new records count. Default: when the reactor was made. Reactors with the
    /// same one have comparable times.
    pub fn set_journal_epoch(&mut self, epoch: Instant) {
        self.dispatcher.context.journal.set_epoch(epoch);
    }

    /// Sets whether the duration of each callback is recorded. Default: false, since reading the clock after each callback
    /// costs as much as all else that surrounds it.
    pub fn time_callbacks(&mut self, timed: bool) {
        self.dispatcher.stopwatch.time_each(timed);
    }

    /// Adds an [observer](Observer), which receives the journal after each turn.
    pub fn add_observer(&mut self, observer: impl Observer) {
        self.dispatcher.owners.observers.push(Some(Box::new(observer)));
    }
}

/// An observer, by its position.
#[derive(Clone, Copy)]
struct ObserverAt(usize);

impl Callee for ObserverAt {
    type Object = dyn Observer;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        None
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        Some(owners.observers.get_mut(self.0)?.as_mut()?.as_mut())
    }

    fn type_name(&self, observer: &dyn Observer) -> &'static str {
        observer.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }

    /// A record of its call would cause the next call, without end.
    fn is_reported(&self) -> bool {
        false
    }
}

impl Dispatcher {
    /// Sets the callback object of a socket.
    pub(super) fn set_owner(&mut self, id: Id, owner: Owner) {
        if self.context.journal.is_on() {
            self.context.journal.owned(id, owner.type_name());
        }
        self.owners.insert(id, owner);
    }

    /// Records the local address of a connection attempt that has succeeded.
    pub(super) fn note_local_address(&mut self, id: Id) {
        if self.context.journal.is_on() {
            let local = self.context.local_address(id);
            self.context.journal.local(id, &local);
        }
    }

    /// Records that a wait begins. The clock is read if it may last, so that the journal shows the time between a turn and
    /// the next.
    pub(super) fn note_wait(&mut self, limit: Option<Duration>, why: WaitLimit) {
        if !self.context.journal.is_on() {
            return;
        }
        let now = match limit {
            Some(Duration::ZERO) => self.context.now().max(self.stopwatch.last_look()),
            _ => self.context.backend.now(),
        };
        let micros = limit.map_or(u32::MAX, |limit| {
            let micros = limit.as_secs().saturating_mul(1_000_000);
            let micros = micros.saturating_add(limit.subsec_micros().into());
            micros.min(u64::from(u32::MAX - 1)) as u32
        });
        self.context.journal.at(now, RecordKind::TurnBegins, why.index().into(), micros);
    }

    /// Records that a wait has returned.
    pub(super) fn note_waited(&mut self) {
        let now = self.context.now();
        self.context.journal.at(now, RecordKind::Waited, 0, 0);
    }

    /// Records the end of a turn, and calls the observers.
    pub(super) fn note_turn_end(&mut self) {
        let end = self.stopwatch.last_look();
        self.context.journal.at(end, RecordKind::TurnEnds, 0, 0);
        if !self.owners.observers.is_empty() {
            self.notify_observers();
        }
    }

    /// Calls the observers.
    #[cold]
    pub(super) fn notify_observers(&mut self) {
        for index in 0..self.owners.observers.len() {
            let returned = self.call(ObserverAt(index), Callback::Observe, |observer, context| {
                observer.turn_ended(context.journal());
            });
            if returned.is_none()
                && let Some(observer) = self.owners.observers[index].take()
            {
                let name = name_of(|| observer.type_name());
                self.drop_guarded(observer, name);
            }
        }
        self.owners.observers.retain(Option::is_some);
    }

    /// Drops the observers.
    pub(super) fn drop_observers(&mut self) {
        while let Some(observer) = self.owners.observers.pop() {
            let Some(observer) = observer else { continue };
            let name = name_of(|| observer.type_name());
            self.drop_guarded(observer, name);
        }
    }

    /// Logs the last records of a socket, or of all if it is `None`.
    #[cold]
    pub(super) fn log_journal(&self, id: Option<Id>, level: Level) {
        if !log_enabled!(target: JOURNAL, level) {
            return;
        }
        let records = self.context.journal.records();
        let of_it: Vec<_> = records.filter(|record| id.is_none() || record.id == id).collect();
        for record in &of_it[of_it.len().saturating_sub(LAST)..] {
            log!(target: JOURNAL, level, "{record}");
        }
    }
}
