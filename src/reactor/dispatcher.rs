//! The only code that calls users. Floor 4.
//!
//! [`Dispatcher`] holds the two halves of the reactor: the [`Context`], which callbacks may use, and
//! the owners, the callback objects themselves. A callback borrows its own object from one half and
//! the whole of the other; so no callback can reach another callback's object, and none can run
//! inside another. It is a theorem of the borrow checker, not a convention.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::context::{Context, Pending};
use crate::api::handle::{CALLS, Calls, Sent};
use crate::api::producer::Producer;
use crate::api::timer::{Call, Job};
use crate::api::transport::Transport;
use crate::reactor::callback::Callback;
use crate::reactor::guard::{Panic, Watch, guarded};
use crate::reactor::owners::{Owner, Owners};
use crate::source::stream::{Flow, Life, Producing};
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::{REACTOR, TCP};
use log::info;
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::time::Duration;

/// How many timers fire in a turn before the sockets are served. A storm of them goes on in the
/// next turn.
const TIMERS: usize = 4096;

/// How many pending callbacks are told in a turn before timers and sockets have theirs. A callback may bring about
/// the next one at once, without end: of a protocol that writes in `resume_writing`, sends again in
/// `error_received`, or opens another socket when it hears that one has ended.
const PENDING: usize = 256;

/// Calls users, and sees to what their callbacks bring about.
pub(crate) struct Dispatcher {
    pub(crate) context: Context,
    pub(super) owners: Owners,
    pub(super) calls: Calls,
    /// Who is given what other threads send through channels.
    pub(super) channels: BTreeMap<ChannelId, Box<dyn Receiver>>,
    /// The producers, each with the number of its registration.
    pub(super) producers: BTreeMap<Id, (u32, Box<dyn Producer>)>,
    pub(super) watch: Watch,
    /// Whether a read has filled the read buffer, in this turn.
    pub(super) filled_buffer: bool,
    /// What is scheduled after this belongs to a later turn.
    pub(super) mark: u64,
    /// How many more pending callbacks may be told in this turn.
    pub(super) pending: usize,
}

impl Dispatcher {
    pub(crate) fn new(context: Context) -> Self {
        let calls = Calls::new(context.handle());
        let watch = Watch::new(context.clock());
        let (owners, channels, producers) = (Owners::default(), BTreeMap::new(), BTreeMap::new());
        Self {
            context,
            owners,
            calls,
            channels,
            producers,
            watch,
            filled_buffer: false,
            mark: 0,
            pending: PENDING,
        }
    }

    pub(crate) fn set_slow_callback_duration(&mut self, duration: Duration) {
        self.watch.set_threshold(duration);
    }

    /// How long the poll may wait: not at all if work is left, and no longer than to the first
    /// timer.
    pub(crate) fn wait_limit(&mut self, limit: Option<Duration>) -> Option<Duration> {
        if self.context.is_busy() || self.calls.are_waiting() {
            return Some(Duration::ZERO);
        }
        if limit == Some(Duration::ZERO) {
            return limit;
        }
        let next = self.context.until_next_timer();
        match (limit, next) {
            (Some(limit), Some(next)) => Some(limit.min(next)),
            (limit, next) => limit.or(next),
        }
    }

    /// The poll has returned: everything until the next poll happens at this instant.
    pub(crate) fn begin_turn(&mut self) {
        self.context.totals.turns += 1;
        // All that the last turn has left, so that what is held cannot pile up.
        self.allow_pending(PENDING.max(self.context.held.len()));
        self.set_clock();
    }

    /// Sets how many pending callbacks may be told from now on. Those that were held come first.
    pub(super) fn allow_pending(&mut self, count: usize) {
        self.pending = count;
        let Context { pending, held, .. } = &mut self.context;
        if !held.is_empty() {
            held.append(pending);
            mem::swap(held, pending);
        }
    }

    /// Reads the clock.
    pub(crate) fn set_clock(&mut self) {
        let now = self.context.refresh();
        self.watch.start(now);
        self.mark = self.context.timer_mark();
    }

    /// Attends to what was asked for between two turns. Whether there was anything.
    pub(crate) fn catch_up(&mut self) -> bool {
        let busy = self.context.is_busy();
        self.set_clock();
        self.end_turn();
        busy
    }

    /// What was written is sent, and who has something to hear hears it.
    pub(crate) fn end_turn(&mut self) {
        self.run_pending();
        self.context.flush_others();
        self.run_pending();
        self.look(None);
    }

    /// Other threads have sent something.
    pub(crate) fn take_calls(&mut self) {
        self.calls.take();
    }

    /// Attends to what other threads have sent, within the budget.
    pub(crate) fn run_calls(&mut self) {
        let mut budget = CALLS;
        // Who is put back during this waits for the next turn.
        for _ in 0..self.calls.len() {
            let Some(sent) = self.calls.next() else { break };
            budget = budget.saturating_sub(self.attend(sent, budget).max(1));
            if budget == 0 {
                break;
            }
        }
    }

    /// Makes a call, or hands over messages, but no more than `most`. Returns how many it were.
    pub(super) fn attend(&mut self, sent: Sent, most: usize) -> usize {
        match sent {
            Sent::Call(call) => {
                self.make(call, "call");
                self.run_pending();
                1
            }
            Sent::Messages(channel) => self.receive(channel, most),
            Sent::Stop => {
                self.context.stop();
                1
            }
        }
    }

    /// Lets senders ask whether what they send is received soon.
    pub(crate) fn set_between_runs(&self, between_runs: bool) {
        self.calls.set_between_runs(between_runs);
    }

    /// A run has ended: stops that were sent to it do not end the next one.
    pub(crate) fn forget_stops(&mut self) {
        self.calls.forget_stops();
    }

    /// Fires the timers that are due, within the budget. What they schedule is left to the next
    /// turn, and what they cancel does not fire.
    pub(crate) fn fire_timers(&mut self) {
        for _ in 0..TIMERS {
            let Some(job) = self.context.pop_due(self.mark) else { break };
            match job {
                Job::Call(call) => self.make(call, "timer"),
                Job::CloseDeadline(id) => self.context.give_up(id),
                Job::CloseProgress(id, sent) => self.context.check_progress(id, sent),
                #[cfg(unix)]
                Job::ConnectAgain(id) => self.context.connect_again(id),
                Job::ConnectTimeout(id) => self.context.time_out(id),
                Job::LingerEnd(id) => self.context.free(id),
                Job::RestEnd(id) => self.context.end_backoff(id),
            }
            self.run_pending();
        }
    }

    /// Whatever is left is ended without waiting, and everyone is told.
    pub(crate) fn abort_all(&mut self) {
        self.context.stop();
        self.allow_pending(usize::MAX);
        // Those that were closed in order linger once they have been told; then they go, too.
        for _ in 0..2 {
            self.context.abort_all();
            self.run_pending();
        }
        self.allow_pending(PENDING);
    }

    /// Tells the owners what the callback that has just returned brought about; and what those
    /// callbacks bring about in turn, until no notice is left or the budget is spent.
    #[inline]
    pub(super) fn run_pending(&mut self) {
        if !self.context.pending.is_empty() {
            self.notify_all();
        }
    }

    pub(super) fn notify_all(&mut self) {
        while let Some(notice) = self.context.pending.pop_front() {
            if notice.calls() {
                if self.pending == 0 {
                    self.hold(notice);
                    continue;
                }
                self.pending -= 1;
            }
            self.attend_to(notice);
        }
    }

    /// Keeps a notice for the next turn. One that is not introduced yet is passed over by the poll's events
    /// until then, since it stands in the ready queue.
    #[cold]
    pub(super) fn hold(&mut self, notice: Pending) {
        if let Pending::Made(id, _) | Pending::Start(id, _) = &notice {
            self.context.enqueue(*id);
        }
        match notice {
            // It comes before an end that may be held already.
            Pending::StopProducing(..) => self.context.held.push_front(notice),
            notice => self.context.held.push_back(notice),
        }
    }

    pub(super) fn attend_to(&mut self, notice: Pending) {
        match notice {
            Pending::ConnectFailed(id, error) => self.notify_failed(id, error),
            Pending::Datagram(id) => self.notify_datagram(id),
            Pending::DetachedSlot(id) => self.notify_detached(id),
            Pending::Discard => self.drop_discarded(),
            Pending::Flow(id) => self.notify_flow(id),
            Pending::Free(id) => self.free(id),
            Pending::Made(id, protocol) => self.make_adopted_connection(id, protocol),
            Pending::Lost(id) => self.notify_lost(id),
            Pending::Open(channel, receiver) => _ = self.channels.insert(channel, receiver),
            Pending::Produce(id, number, producer) => self.set_producer(id, number, producer),
            Pending::Produced(id) => self.drop_producer(id),
            Pending::StopProducing(id, producer) => self.stop_producer(id, producer),
            Pending::Seat(id, factory) => self.set_owner(id, Owner::Factory(factory)),
            Pending::Start(id, protocol) => self.start(id, protocol),
            #[cfg(unix)]
            Pending::Unwatched(id, reason) => self.notify_unwatched(id, reason),
            #[cfg(unix)]
            Pending::Watch(id, watcher) => self.set_owner(id, Owner::Watcher(watcher)),
        }
    }

    /// Calls a protocol, on the one road that leads there: under guard, watched, and with what it
    /// wrote sent when it returns.
    ///
    /// Inlined, like what it calls for sending: see `world/stream.rs` on returning after a system call.
    #[inline(always)]
    pub(super) fn call(&mut self, id: Id, callback: Callback<'_>) {
        let Some(Owner::Protocol(protocol)) = self.owners.get_mut(id) else {
            return;
        };
        let (name, is_last) = (callback.name(), matches!(callback, Callback::ConnectionLost(_)));
        self.context.begin_callback(id);
        let mut transport = Transport::new(&mut self.context, id);
        let returned = callback.make(protocol.as_mut(), &mut transport);
        match self.outcome(Some(id), |dispatcher| dispatcher.name_of(id), name, returned) {
            Some(()) => self.context.send_gathered(id),
            None if is_last => self.context.drop_gathered(), // How it ended is settled.
            None => self.context.end_of_panic(id),
        }
    }

    /// Makes a call that somebody has asked for: a timer's, or another thread's.
    pub(super) fn make(&mut self, call: Box<impl Call + ?Sized>, kind: &'static str) {
        let who = call.name();
        let returned = guarded(|| call.make(&mut self.context));
        self.outcome(None, |_| who, kind, returned);
    }

    pub(super) fn notify_failed(&mut self, id: Id, error: Error) {
        self.end_producing(id);
        if let Some(Owner::Factory(factory)) = self.owners.get_mut(id) {
            let returned = guarded(|| factory.connection_failed(&mut self.context, id, error));
            let who = |dispatcher: &Self| dispatcher.name_of(id);
            self.outcome(Some(id), who, "connection_failed", returned);
        }
        self.free(id);
    }

    pub(super) fn notify_flow(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        // Looked at again, since much may have happened before this notice's turn came.
        if !stream.has_flow_to_notify() {
            return;
        }
        let paused = stream.output.flow != Flow::Paused;
        stream.output.flow = if paused { Flow::Paused } else { Flow::Even };
        // A closing protocol receives nothing more; its producer does, until it has finished.
        let (closing, pushes) = (stream.is_closing(), stream.output.producing == Producing::Push);
        if !closing {
            let flow = if paused { Callback::PauseWriting } else { Callback::ResumeWriting };
            self.call(id, flow);
        }
        if pushes && paused {
            self.pause_producer(id);
        } else if pushes {
            self.resume_producer(id);
        }
    }

    pub(super) fn notify_lost(&mut self, id: Id) {
        let now = self.context.now();
        // First, since a panic in it changes the reason.
        self.end_producing(id);
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        let Life::Ended { reason, .. } = &mut stream.life else {
            return;
        };
        let reason = reason.take();
        let (peer, received, sent) = (&stream.peer, stream.traffic.received, stream.traffic.sent);
        let seconds = now.saturating_duration_since(stream.traffic.since).as_secs_f64();
        info!(
            target: TCP,
            "{id} {peer} lost: {reason} ({received} bytes in, {sent} out, {seconds:.3} s)"
        );
        self.context.totals.lost[reason.index()] += 1;
        self.call(id, Callback::ConnectionLost(reason));
        self.free(id);
    }

    /// Drops the owner, then frees the slot.
    pub(super) fn free(&mut self, id: Id) {
        self.remove_owner(id);
        self.context.free(id);
    }

    pub(super) fn set_owner(&mut self, id: Id, owner: Owner) {
        self.owners.insert(id, owner);
    }

    /// What a user's code has returned: nothing, if it has panicked, which is logged then. Looks at
    /// the clock from time to time. `who` gives the code's name, which is hardly ever needed.
    #[inline(always)]
    pub(super) fn outcome<T>(
        &mut self,
        id: Option<Id>,
        who: impl Fn(&Self) -> &'static str,
        callback: &'static str,
        returned: Result<T, Panic>,
    ) -> Option<T> {
        if self.watch.returned() {
            let who = who(self);
            self.context.world.note_called(id, who, callback);
            self.look(Some((who, callback)));
        }
        match returned {
            Ok(value) => Some(value),
            Err(panic) => {
                let who = who(self);
                self.report(id, who, callback, panic);
                None
            }
        }
    }

    /// A user's code has panicked.
    #[cold]
    pub(super) fn report(
        &mut self,
        id: Option<Id>,
        who: &'static str,
        what: &'static str,
        panic: Panic,
    ) {
        self.context.totals.panics += 1;
        log::error!(target: REACTOR, "{who}: panic in {what}: {}", panic.message());
        self.context.world.note_panicked(id, who, what, panic.message());
    }

    #[cold]
    pub(super) fn look(&mut self, last: Option<(&str, &str)>) {
        if let Some(slow) = self.watch.look() {
            slow.report(last);
        }
        self.context.totals.longest_callback = self.watch.longest();
    }

    /// What the logs call the owner of a socket.
    pub(super) fn name_of(&self, id: Id) -> &'static str {
        match self.context.sources.get(id).and_then(|_| self.owners.get(id)) {
            Some(owner) => owner.name(),
            None => "one that is gone",
        }
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("context", &self.context).finish_non_exhaustive()
    }
}
