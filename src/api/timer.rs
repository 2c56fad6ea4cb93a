//! Timers: calls that are made later, and the timers of callback objects.

use crate::api::context::Context;
use crate::api::datagram_transport::DatagramTransport;
use crate::api::discard::Discarded;
use crate::api::transport::Transport;
use crate::source::table::Source;
use crate::source::timer::TimerId;
use crate::values::id::Id;
use crate::values::journal::RecordKind;
use crate::values::logging::TIMER;
use log::trace;
use std::any::type_name;
use std::time::{Duration, Instant};

/// The job of a timer.
pub(crate) enum Job {
    /// A user's call.
    Call(Box<dyn Call>),
    /// A timer of a socket's callback object.
    Notify(Id, TimerOwner),
    /// The time that the caller gave a closing connection is over.
    CloseDeadline(Id),
    /// Checks whether the peer of a closing connection has taken data since this number of bytes was sent.
    CloseProgress(Id, u64),
    /// The next address of a connection attempt is due.
    ConnectNext(Id),
    /// A connection attempt has taken too long.
    ConnectTimeout(Id),
    /// The handshake of the filters of a connection has taken too long.
    HandshakeTimeout(Id),
    /// A look-up has taken too long.
    LookUpTimeout(Id),
    /// A socket has lingered long enough.
    LingerEnd(Id),
    /// The backoff of a source ends: it tries again.
    BackoffEnd(Id),
    /// The end of the wait for the holds that delay a startup.
    StartupEnd,
}

impl Job {
    /// Returns the socket with which the timer is removed.
    fn socket(&self) -> Option<Id> {
        match self {
            Self::Notify(id, _) | Self::CloseDeadline(id) | Self::CloseProgress(id, _) => Some(*id),
            _ => None,
        }
    }
}

/// The callback object of a socket that a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerOwner {
    /// The protocol, datagram protocol or watcher.
    Owner,
    /// The producer with this number of its registration.
    Producer(u32),
    /// The filter at this position.
    Filter(usize),
}

/// A requested call, with a name for the logs.
pub(crate) trait Call {
    fn make(self: Box<Self>, context: &mut Context);

    fn name(&self) -> &'static str;
}

impl<F: FnOnce(&mut Context)> Call for F {
    fn make(self: Box<Self>, context: &mut Context) {
        self(context);
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// # Time
impl Context {
    /// Calls `call` once, after `delay`, never earlier. The delay counts from this call: earlier work of the
    /// running callback does not shorten it.
    ///
    /// Timers that are due at the same time are called in the order in which they were scheduled. A timer that
    /// a callback schedules is called in a later turn, even with a delay of zero. A delay too long for the
    /// clock is cut to about 584 years.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// let tea = context.call_later(Duration::from_millis(2), |context| context.stop());
    /// let fire = context.call_later(Duration::from_secs(600), |_| panic!("the house burns"));
    /// assert!(context.cancel(fire));
    /// assert!(context.is_active(tea));
    /// reactor.run()?;
    /// assert!(!reactor.context().is_active(tea));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "callLater")]
    pub fn call_later(
        &mut self,
        delay: Duration,
        call: impl FnOnce(&mut Self) + 'static,
    ) -> TimerId {
        let call: Box<dyn Call> = Box::new(call);
        let name = call.name();
        let timer = self.schedule(delay, Job::Call(call));
        trace!(target: TIMER, "{timer} in {delay:?}: {name}");
        timer
    }

    /// Calls `call` once, at `when`, or in the next turn if `when` has passed. It does not read the clock.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// let noon = context.now() + Duration::from_millis(2);
    /// let bell = context.call_at(noon, |context| context.stop());
    /// // The clock is a millisecond slow.
    /// context.reset(bell, Duration::from_millis(3));
    /// reactor.run()?;
    /// assert!(reactor.context().now() > noon);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "callAt")]
    pub fn call_at(&mut self, when: Instant, call: impl FnOnce(&mut Self) + 'static) -> TimerId {
        let (now, call): (_, Box<dyn Call>) = (self.now, Box::new(call));
        let (name, delay) = (call.name(), when.saturating_duration_since(now));
        let timer = self.timers.schedule(now, delay, Job::Call(call));
        trace!(target: TIMER, "{timer} {delay:?} after the start of the turn: {name}");
        timer
    }

    /// Cancels a call that has not been made. Returns true if there was one. The closure is dropped once the
    /// running callback has returned.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        trace!(target: TIMER, "{timer} cancelled");
        let job = self.timers.cancel(timer);
        let was_active = job.is_some();
        if let Some(id) = job.as_ref().and_then(Job::socket) {
            self.owned_timers.remove(&(id, timer));
        }
        if let Some(Job::Call(call)) = job {
            self.discard(Discarded::Call(call));
        }
        was_active
    }

    /// Reschedules a call that has not been made: it is made after `delay`, which counts from this call of
    /// `reset`. Returns true if there was one.
    pub fn reset(&mut self, timer: TimerId, delay: Duration) -> bool {
        trace!(target: TIMER, "{timer} reset to {delay:?}");
        self.timers.reset(timer, self.backend.now(), delay)
    }

    /// Returns true if the call has not been made or cancelled.
    #[doc(alias = "active")]
    pub fn is_active(&self, timer: TimerId) -> bool {
        self.timers.is_active(timer)
    }

    /// Sets a timer of a [`Watcher`](crate::Watcher), or of the protocol of any other socket: its `timer_fired` is
    /// called once, after `delay`, never earlier. See [`Transport::set_timer`], with an example.
    ///
    /// If the socket is closed or closing, nothing is set, and the returned id is that of no active timer.
    pub fn set_timer(&mut self, id: Id, delay: Duration) -> TimerId {
        self.set_owned_timer(id, delay, TimerOwner::Owner)
    }

    pub(crate) fn set_owned_timer(
        &mut self,
        id: Id,
        delay: Duration,
        owner: TimerOwner,
    ) -> TimerId {
        let is_set = match self.sources.get(id) {
            None | Some(Source::Listener(_)) => false,
            _ => owner != TimerOwner::Owner || !self.closing(id),
        };
        if !is_set {
            self.note_stale(id, "set_timer");
            return TimerId::NONE;
        }
        let timer = self.schedule_owned(id, delay, Job::Notify(id, owner));
        trace!(target: TIMER, "{timer} in {delay:?}: {id}");
        timer
    }

    /// Schedules a job that is removed with its socket.
    pub(crate) fn schedule_owned(&mut self, id: Id, delay: Duration, job: Job) -> TimerId {
        let timer = self.schedule(delay, job);
        self.owned_timers.insert((id, timer));
        timer
    }

    /// Cancels the timers of a socket that is closed, or of a producer that is unregistered.
    pub(crate) fn cancel_owned_timers(&mut self, id: Id, only: Option<TimerOwner>) {
        let range = (id, TimerId::FIRST)..=(id, TimerId::NONE);
        let owned: Vec<_> = self.owned_timers.range(range).map(|(_, timer)| *timer).collect();
        for timer in owned {
            let job = self.timers.job(timer);
            if only.is_none_or(|owner| matches!(job, Some(Job::Notify(_, of)) if *of == owner)) {
                self.cancel(timer);
            }
        }
    }

    /// Schedules a job after `delay`. It reads the clock, since much time may have passed in this turn.
    pub(crate) fn schedule(&mut self, delay: Duration, job: Job) -> TimerId {
        self.timers.schedule(self.backend.now(), delay, job)
    }

    #[cfg(test)]
    pub(crate) fn timer_entries(&self) -> usize {
        self.timers.entries()
    }

    pub(crate) fn timer_mark(&self) -> u64 {
        self.timers.mark()
    }

    pub(crate) fn pop_due(&mut self, mark: u64) -> Option<(TimerId, Job)> {
        let (timer, job) = self.timers.pop_due(self.now, mark)?;
        trace!(target: TIMER, "{timer} is due");
        let (id, word) = job.subject();
        self.journal.note(id, RecordKind::TimerFired, word.index().into(), timer.serial as usize);
        if let Some(id) = job.socket() {
            self.owned_timers.remove(&(id, timer));
        }
        Some((timer, job))
    }

    /// Removes the first timer, due or not.
    pub(crate) fn take_timer(&mut self) -> Option<Job> {
        self.timers.pop()
    }

    /// Returns the time until the first timer is due. It reads the clock if there is a timer.
    pub(crate) fn until_next_timer(&self) -> Option<Duration> {
        (self.timers.len() > 0).then(|| self.timers.until_next(self.backend.now())).flatten()
    }
}

/// # Timers
impl Transport<'_> {
    /// Sets a timer of this object: its [`timer_fired`](crate::Protocol::timer_fired) is called once, after `delay`,
    /// never earlier. In a callback of a [`Producer`](crate::Producer) the timer is the producer's, otherwise the
    /// protocol's.
    ///
    /// The delay counts from this call. A callback object can have any number of timers. They are removed when the
    /// connection ends, and do not fire after [`close`](Self::close) or [`abort`](Self::abort): then, and if the
    /// connection is closed, nothing is set, and the returned id is that of no active timer. A timer that fires before
    /// `connection_made` is dropped.
    ///
    /// To [reset](Self::reset_timer) a timer to a later deadline is cheap, and suits idle timeouts:
    ///
    /// ```
    /// use ropewalk::{Protocol, TimerId, Transport};
    /// use std::time::Duration;
    ///
    /// const IDLE: Duration = Duration::from_secs(60);
    ///
    /// /// An echo that disconnects idle clients.
    /// struct Echo {
    ///     idle: Option<TimerId>,
    /// }
    ///
    /// impl Protocol for Echo {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         self.idle = Some(transport.set_timer(IDLE));
    ///     }
    ///
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         transport.write(data);
    ///         self.idle.map(|timer| transport.reset_timer(timer, IDLE));
    ///     }
    ///
    ///     fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
    ///         transport.close();
    ///     }
    /// }
    ///
    /// let mut connection = ropewalk_simulation::kit::TestConnection::new(|| Echo { idle: None });
    /// connection.advance(IDLE / 2);
    /// connection.feed("hello");
    /// connection.advance(IDLE / 2);
    /// assert!(connection.reason().is_none());
    /// connection.advance(IDLE / 2);
    /// assert!(connection.reason().is_some());
    /// ```
    #[doc(alias = "setTimeout")]
    #[doc(alias = "TimeoutMixin")]
    pub fn set_timer(&mut self, delay: Duration) -> TimerId {
        let owner = match self.context.running_producer {
            Some(number) if self.is_of_running() => TimerOwner::Producer(number),
            _ => TimerOwner::Owner,
        };
        self.context.set_owned_timer(self.id, delay, owner)
    }

    /// Reschedules a timer that has not fired: see [`Context::reset`].
    #[doc(alias = "resetTimeout")]
    pub fn reset_timer(&mut self, timer: TimerId, delay: Duration) -> bool {
        self.context.reset(timer, delay)
    }

    /// Cancels a timer that has not fired: see [`Context::cancel`].
    pub fn cancel_timer(&mut self, timer: TimerId) -> bool {
        self.context.cancel(timer)
    }
}

/// # Timers
impl DatagramTransport<'_> {
    /// Sets a timer of this protocol: its [`timer_fired`](crate::DatagramProtocol::timer_fired) is called once, after
    /// `delay`, never earlier. All else is as for [`Transport::set_timer`].
    pub fn set_timer(&mut self, delay: Duration) -> TimerId {
        self.context.set_timer(self.id, delay)
    }

    /// Reschedules a timer that has not fired: see [`Context::reset`].
    pub fn reset_timer(&mut self, timer: TimerId, delay: Duration) -> bool {
        self.context.reset(timer, delay)
    }

    /// Cancels a timer that has not fired: see [`Context::cancel`].
    pub fn cancel_timer(&mut self, timer: TimerId) -> bool {
        self.context.cancel(timer)
    }
}
