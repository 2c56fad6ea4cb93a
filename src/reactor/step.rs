//! Steps: a turn in its smallest parts, for programs that show a reactor at work.

use crate::api::handle::CALLS;
use crate::reactor::Reactor;
use crate::reactor::turn::TIMERS;
use crate::source::timer::TimerId;
use crate::sys::Event;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::journal::WaitLimit;
use std::fmt;
use std::time::Duration;

/// What a [step](Reactor::step) of the reactor was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A turn has begun, and the poll has returned this number of events. They are served in the next steps.
    Waited(usize),
    /// A timer has fired.
    Timer(TimerId),
    /// An event was served: of a socket, or `None` if it was a wake-up by another thread or a signal.
    Event(Option<Id>),
    /// A socket of the ready queue was served.
    Ready(Id),
    /// A call of another thread was made, or messages of a channel were delivered.
    Call,
    /// A connection that others had written to was flushed.
    Flushed(Id),
    /// The turn has ended.
    TurnEnded,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waited(1) => f.write_str("the poll returned 1 event"),
            Self::Waited(events) => write!(f, "the poll returned {events} events"),
            Self::Timer(timer) => write!(f, "{timer} fired"),
            Self::Event(Some(id)) => write!(f, "the event of {id} was served"),
            Self::Event(None) => f.write_str("a wake-up or a signal was served"),
            Self::Ready(id) => write!(f, "{id} was served from the ready queue"),
            Self::Call => f.write_str("a call of another thread was made"),
            Self::Flushed(id) => write!(f, "{id} was flushed"),
            Self::TurnEnded => f.write_str("the turn has ended"),
        }
    }
}

/// The work that a reactor has queued: see [`Reactor::queues`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queues {
    /// The ready queue: sockets that are served without an event.
    pub ready: Vec<Id>,
    /// Connections that others have written to: they are flushed at the end of the turn.
    pub unflushed: Vec<Id>,
    /// The number of callbacks that are held for the next turn.
    pub held: usize,
    /// The number of calls and channels of other threads that are served next.
    pub calls: usize,
}

/// The progress of a turn that is made in steps. The order is that of [`Reactor::pass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepProgress {
    /// No turn has begun.
    Between,
    /// The number of timers that may still fire.
    Timers(usize),
    /// The place of the next event, and the number of sockets of the ready queue that follow.
    Events(usize, usize),
    LeftOver(usize),
    /// The event at this place of the second look is next.
    EventsAgain(usize),
    /// The number of calls that are left, and their budget.
    Calls(usize, usize),
    /// The connection at this place of the list is flushed next.
    Flushes(usize),
}

impl Reactor {
    /// Makes the smallest part of a [turn](Self::turn): one wait, one timer, one event, one socket of the ready queue, one
    /// call, or one flush, with the callbacks that result. It is the same code as that of a turn, in the same order. It is
    /// for programs that show a reactor at work, and for debugging. The first step of a turn waits for events, at most
    /// `limit`.
    ///
    /// Between two steps everything that is possible between two turns is possible. [`turn`](Self::turn) and
    /// [`run`](Self::run) first complete a turn that was begun in steps.
    ///
    /// ```
    /// use ropewalk::{Error, Reactor, Step};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let timer = reactor.context().call_later(Duration::ZERO, |_| println!("now"));
    /// let mut steps = Vec::new();
    /// while steps.last() != Some(&Step::TurnEnded) {
    ///     steps.push(reactor.step(None)?);
    /// }
    /// assert_eq!(steps, [Step::Waited(0), Step::Timer(timer), Step::TurnEnded]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system's poll fails.
    pub fn step(&mut self, limit: Option<Duration>) -> Result<Step, Error> {
        loop {
            let (next, step) = match self.progress {
                StepProgress::Between => self.begin_steps(limit)?,
                StepProgress::Timers(left) => self.step_timer(left),
                StepProgress::Events(place, left_over) => match self.step_event(place) {
                    Some(step) => (StepProgress::Events(place + 1, left_over), Some(step)),
                    None => (StepProgress::LeftOver(left_over), None),
                },
                StepProgress::LeftOver(left) => self.step_ready(left)?,
                StepProgress::EventsAgain(place) => match self.step_event(place) {
                    Some(step) => (StepProgress::EventsAgain(place + 1), Some(step)),
                    None => (self.calls_are_next(), None),
                },
                StepProgress::Calls(left, budget) => self.step_call(left, budget),
                StepProgress::Flushes(place) => self.step_flush(place),
            };
            self.progress = next;
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Returns the work that is queued now, for programs that show a reactor.
    pub fn queues(&self) -> Queues {
        let context = &self.dispatcher.context;
        Queues {
            ready: context.ready.iter().copied().collect(),
            unflushed: context.unflushed().to_vec(),
            held: context.held.len(),
            calls: self.dispatcher.calls.len(),
        }
    }

    /// Completes a turn that was begun in steps.
    #[inline]
    pub(super) fn complete_steps(&mut self) -> Result<(), Error> {
        while self.progress != StepProgress::Between {
            self.step(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn begin_steps(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<(StepProgress, Option<Step>), Error> {
        self.begin_run();
        let happened = self.dispatcher.catch_up();
        let limit = if happened { Some(Duration::ZERO) } else { limit };
        let (limit, why) = self.dispatcher.wait_limit(limit);
        self.wait(limit, why)?;
        self.dispatcher.begin_turn();
        Ok((StepProgress::Timers(TIMERS), Some(Step::Waited(self.events.len()))))
    }

    fn step_timer(&mut self, left: usize) -> (StepProgress, Option<Step>) {
        let fired = if left > 0 { self.dispatcher.fire_timer() } else { None };
        match fired {
            Some(timer) => (StepProgress::Timers(left - 1), Some(Step::Timer(timer))),
            None => (StepProgress::Events(0, self.dispatcher.left_over()), None),
        }
    }

    fn step_event(&mut self, place: usize) -> Option<Step> {
        let event: Event = self.events.iter().nth(place)?;
        self.dispatcher.serve_event(event, &mut self.buffer);
        Some(Step::Event(event.as_ready().map(|(id, _)| id)))
    }

    fn step_ready(&mut self, left: usize) -> Result<(StepProgress, Option<Step>), Error> {
        if left > 0
            && let Some(id) = self.dispatcher.serve_ready(&mut self.buffer)
        {
            return Ok((StepProgress::LeftOver(left - 1), Some(Step::Ready(id))));
        }
        if self.dispatcher.context.has_many_to_flush() {
            self.wait(Some(Duration::ZERO), WaitLimit::Again)?;
            return Ok((StepProgress::EventsAgain(0), Some(Step::Waited(self.events.len()))));
        }
        Ok((self.calls_are_next(), None))
    }

    fn calls_are_next(&self) -> StepProgress {
        StepProgress::Calls(self.dispatcher.calls.len(), CALLS)
    }

    fn step_call(&mut self, left: usize, mut budget: usize) -> (StepProgress, Option<Step>) {
        if left > 0 && budget > 0 && self.dispatcher.run_call(&mut budget) {
            return (StepProgress::Calls(left - 1, budget), Some(Step::Call));
        }
        self.dispatcher.run_pending();
        self.dispatcher.context.begin_flushes();
        (StepProgress::Flushes(0), None)
    }

    fn step_flush(&mut self, place: usize) -> (StepProgress, Option<Step>) {
        if let Some(id) = self.dispatcher.context.flush_listed(place) {
            return (StepProgress::Flushes(place + 1), Some(Step::Flushed(id)));
        }
        self.dispatcher.context.end_flushes();
        self.dispatcher.after_flushes();
        self.finish_turn();
        (StepProgress::Between, Some(Step::TurnEnded))
    }
}
