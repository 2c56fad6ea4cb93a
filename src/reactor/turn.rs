//! The turn: one pass of the loop, and its steps.

use crate::api::handle::{CALLS, Sent};
use crate::api::names::look_up_timed_out;
use crate::api::timer::{Call, Job};
use crate::reactor::Reactor;
use crate::reactor::call::Once;
use crate::reactor::dispatcher::{Dispatcher, PENDING};
use crate::source::stream::LONGEST_READ;
use crate::source::timer::TimerId;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::journal::{Callback, RecordKind, WaitLimit};
use crate::values::logging::REACTOR;
use log::{Level, log_enabled, trace};
use std::io;
use std::mem;
use std::time::Duration;

/// The size up to which the read buffer grows while reads fill it. A read and a write of this size cost
/// less than four of 64 KiB, and both stay within the second-level cache.
const MAX_READ_SIZE: usize = LONGEST_READ;

/// How many timers fire in a turn before the sockets are served. The rest fire in the next turn, which bounds
/// the delay that a storm of timers causes.
pub(super) const TIMERS: usize = 4096;

impl Reactor {
    /// The loop's body. The steps happen in this order, each within a budget.
    ///
    /// After every callback the bytes that it wrote to its own connection are sent, and then the callbacks
    /// that result from it are made: see [`Dispatcher::call`] and [`Dispatcher::run_pending`].
    pub(super) fn pass(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        // Wait for events. If work is left from the last turn, the poll only looks and does not wait;
        // otherwise it waits until the first timer is due.
        let (limit, why) = self.dispatcher.wait_limit(limit);
        self.wait(limit, why)?;

        // Read the clock, once: all that happens in this turn happens at this instant.
        self.dispatcher.begin_turn();

        // Fire the timers that are due. A timer that a callback schedules from here on fires in a later turn,
        // so a timer of no delay that schedules itself again does not starve the sockets.
        self.dispatcher.fire_timers();

        // Serve the sockets that the events name. A socket that is in the ready queue only records its event.
        let left_over = self.dispatcher.left_over();
        self.serve_events();

        // Serve the sockets that were in the ready queue before the events: its first `left_over`.
        // What was added since is served in the next turn, so each socket is served once a turn.
        self.dispatcher.serve_left_over(left_over, &mut self.buffer);

        // If many sockets were written to by others, as in a broadcast, poll once more before they are flushed:
        // senders that wrote at the same moment are read first, so that one write to each receiver carries
        // the data of all of them.
        if self.dispatcher.context.has_many_to_flush() {
            self.wait(Some(Duration::ZERO), WaitLimit::Again)?;
            self.serve_events();
        }

        // Make the calls and deliver the messages that other threads have sent.
        self.dispatcher.run_calls();

        // Flush the connections that were written to by others, with one gathered write each.
        self.dispatcher.end_turn();

        self.finish_turn();
        Ok(())
    }

    /// Ends a turn: enlarges the read buffer if a read has filled it, since it could have returned more, and has the
    /// observers of the journal called.
    pub(super) fn finish_turn(&mut self) {
        if self.dispatcher.has_filled_buffer() {
            self.grow_buffer();
        }
        self.dispatcher.note_turn_end();
    }

    /// Waits for events, up to `limit`.
    pub(super) fn wait(&mut self, limit: Option<Duration>, why: WaitLimit) -> Result<(), Error> {
        self.events.clear();
        self.dispatcher.note_wait(limit, why);
        let result = self.dispatcher.context.backend.wait(limit, &mut self.events);
        trace!(target: REACTOR, "poll for {limit:?}: {result:?}");
        if log_enabled!(target: REACTOR, Level::Trace) {
            self.events.iter().for_each(|event| trace!(target: REACTOR, "{event:?}"));
        }
        match result {
            // A signal handler has run: there are no events.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result.map_err(|cause| failed_plainly("wait for events", "", cause)),
        }
    }

    /// Serves the events of the last wait.
    fn serve_events(&mut self) {
        for event in &self.events {
            self.dispatcher.serve_event(event, &mut self.buffer);
        }
    }

    /// Doubles the read buffer, up to its limit. It is not made smaller again: a reactor has only one.
    #[cold]
    fn grow_buffer(&mut self) {
        let size = (2 * self.buffer.len()).min(MAX_READ_SIZE);
        self.buffer.resize(size, 0);
    }
}

impl Dispatcher {
    /// Returns how long the poll may wait: not at all if work is left, and no longer than to the first
    /// timer. Also returns what limits it.
    pub(super) fn wait_limit(&mut self, limit: Option<Duration>) -> (Option<Duration>, WaitLimit) {
        if self.context.is_busy() {
            return (Some(Duration::ZERO), WaitLimit::Work);
        }
        if self.calls.are_waiting() {
            return (Some(Duration::ZERO), WaitLimit::Calls);
        }
        if limit == Some(Duration::ZERO) {
            return (limit, WaitLimit::Caller);
        }
        match (limit, self.context.until_next_timer()) {
            (Some(limit), Some(next)) if limit < next => (Some(limit), WaitLimit::Caller),
            (_, Some(next)) => (Some(next), WaitLimit::Timer),
            (Some(limit), None) => (Some(limit), WaitLimit::Caller),
            (None, None) => (None, WaitLimit::Unlimited),
        }
    }

    pub(super) fn begin_turn(&mut self) {
        self.context.totals.turns += 1;
        // At least all held callbacks, so that they cannot accumulate.
        self.allow_pending(PENDING.max(self.context.held.len()));
        self.set_clock();
        self.note_waited();
    }

    /// Reads the clock.
    pub(super) fn set_clock(&mut self) {
        let now = self.context.refresh();
        self.stopwatch.start(now);
        self.timer_mark = self.context.timer_mark();
    }

    /// Fires the timers that are due. A timer that one of them cancels does not fire.
    fn fire_timers(&mut self) {
        for _ in 0..TIMERS {
            if self.fire_timer().is_none() {
                break;
            }
        }
    }

    /// Fires the first timer, if it is due.
    pub(super) fn fire_timer(&mut self) -> Option<TimerId> {
        let (timer, job) = self.context.pop_due(self.timer_mark)?;
        match job {
            Job::Call(call) => self.make(call, Callback::Timer),
            Job::Notify(id, owner) => self.fire(id, owner, timer),
            Job::CloseDeadline(id) => self.context.give_up(id),
            Job::CloseProgress(id, sent) => self.context.check_progress(id, sent),
            Job::ConnectNext(id) => self.context.make_due(id),
            // The outcomes of its sockets come first.
            Job::ConnectTimeout(id) => self.context.enqueue(id),
            Job::HandshakeTimeout(id) => self.context.time_out_handshake(id),
            Job::LookUpTimeout(id) => self.context.end_look_up(id, Err(look_up_timed_out())),
            Job::LingerEnd(id) => self.context.end_lingering(id),
            Job::StartupEnd => self.end_startup_holds(),
            Job::BackoffEnd(id) => self.context.end_backoff(id),
        }
        self.run_pending();
        Some(timer)
    }

    fn run_calls(&mut self) {
        let mut budget = CALLS;
        // A channel that is put back during this is served in the next turn.
        for _ in 0..self.calls.len() {
            if budget == 0 || !self.run_call(&mut budget) {
                break;
            }
        }
    }

    /// Makes the first call, or delivers the messages of a channel. Returns false if there is none.
    pub(super) fn run_call(&mut self, budget: &mut usize) -> bool {
        let Some(sent) = self.calls.next() else { return false };
        *budget = budget.saturating_sub(self.handle_sent(sent, *budget).max(1));
        true
    }

    /// Makes a call, or delivers at most `most` messages. Returns the number of calls and messages.
    pub(super) fn handle_sent(&mut self, sent: Sent, most: usize) -> usize {
        self.context.journal.note(Id::NONE, RecordKind::Arrived, sent.word().index().into(), 0);
        match sent {
            Sent::Answer(id, answered) => self.context.handle_answer(id, answered),
            Sent::Call(call) => self.make(call, Callback::Call),
            Sent::JobOver(key, panic) => self.finish_job(key, panic),
            Sent::Messages(channel) => return self.receive(channel, most),
            Sent::Released => self.start_if_released(),
            Sent::Stop => self.context.stop(),
        }
        self.run_pending();
        1
    }

    /// Makes a call that was requested: by a timer, a trigger, another thread.
    pub(super) fn make(&mut self, call: Box<impl Call + ?Sized>, callback: Callback) {
        let once = Once::new(call.name());
        self.call(once, callback, |_, context| call.make(context));
    }

    /// Sends what was written, and makes the callbacks that result.
    pub(super) fn end_turn(&mut self) {
        self.run_pending();
        self.context.flush_others();
        self.after_flushes();
    }

    /// Makes the callbacks that result from the flushes, and reports slow ones.
    pub(super) fn after_flushes(&mut self) {
        self.run_pending();
        if let Some(slow) = self.stopwatch.look(&mut self.context.totals) {
            slow.report(None);
        }
    }

    /// Does the work that was requested between two turns. Returns true if there was any.
    pub(super) fn catch_up(&mut self) -> bool {
        let busy = self.context.is_busy();
        self.set_clock();
        self.end_turn();
        busy
    }

    /// Returns true if a read has filled the read buffer since the last call.
    #[inline]
    fn has_filled_buffer(&mut self) -> bool {
        mem::take(&mut self.filled_buffer)
    }
}
