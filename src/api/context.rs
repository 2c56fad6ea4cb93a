//! The half of the reactor that callbacks may use. Floor 2: it never calls a user.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::discard::Discarded;
use crate::api::filter::Added;
use crate::api::handle::Handle;
use crate::api::producer::Producer;
use crate::api::protocol::{Factory, Protocol};
use crate::api::timer::Job;
#[cfg(unix)]
use crate::api::watch::Watcher;
use crate::source::gathered::Gathered;
use crate::source::send_buffer::Spares;
use crate::source::table::Sources;
use crate::source::timer::TimerQueue;
use crate::sys::SharedBackend;
use crate::values::error::Error;
use crate::values::id::Id;
#[cfg(unix)]
use crate::values::reason::Reason;
use crate::values::statistics::Statistics;
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

/// The reactor, as callbacks, timers and calls from other threads see it.
///
/// Its methods come in three kinds:
///
/// - **Those that make a system call** return a `Result` or an answer:
///   [`listen_tcp`](Self::listen_tcp), [`connect_tcp`](Self::connect_tcp),
///   [`local_address`](Self::local_address).
/// - **Requests** return no error; results arrive as callbacks: [`close`](Self::close),
///   [`abort`](Self::abort), and those of [`transport`](Self::transport) and
///   [`datagram`](Self::datagram). They take an [`Id`]; on a stale id they do nothing.
/// - **Time**: [`now`](Self::now), [`call_later`](Self::call_later), [`cancel`](Self::cancel) and
///   their kin.
///
/// [`channel`](Self::channel) is for what other threads have to say.
///
/// # Callbacks never run inside callbacks
///
/// No method of a `Context` calls a protocol, a factory or a timer: it cannot, for it does not hold
/// them. What a request brings about is told after the callback that made it has returned. So a
/// `RefCell` of your own, a chat room's say, may stay borrowed while you call any of these.
///
/// No method drops what it was given either. The closure of a timer that is
/// [cancelled](Self::cancel), or the factory of a listener that could not be opened, is dropped once the
/// running callback has returned; between two turns, in the next turn. Only what has to be converted is
/// used within the call, before anything else is done: an address, an iterator of descriptors, the
/// descriptor of a `Watcher`.
///
/// # Where to get one
///
/// From [`Transport::context`](crate::Transport::context) in a protocol's callback, from
/// [`Reactor::context`](crate::Reactor::context) before and between runs; timers, receivers and
/// [`Handle::call`] are given one.
pub struct Context {
    /// What sockets, names and the time come from.
    pub(crate) backend: SharedBackend,
    /// When the turn began, or rather when its poll returned.
    pub(super) now: Instant,

    pub(crate) sources: Sources,
    pub(super) spares: Spares,
    /// What the running callback has written to its own connection: see `gather.rs`.
    pub(super) gathered: Gathered,
    /// The connection whose callback is running. Its end of data is not sent before the callback has
    /// returned: a panic can still turn it into a reset.
    pub(super) running: Id,
    /// The connection that has been told of lost descriptors, and not been given their data yet.
    #[cfg(unix)]
    pub(crate) descriptors_lost_on: Option<Id>,
    pub(super) timers: TimerQueue<Job>,

    /// Those that had more to do than their budget allowed, or that an event has just named.
    pub(crate) ready: VecDeque<Id>,
    /// Those that others have written to: flushed when the turn ends.
    pub(super) unflushed: Vec<Id>,
    /// What is to be dropped once the running callback has returned: see [`Discarded`].
    pub(crate) discarded: Vec<Discarded>,
    /// What the owners are to be told, or are to be given, once the running callback has returned.
    pub(crate) pending: VecDeque<Pending>,
    /// Those that were beyond the budget of the turn, before `pending` in the order.
    pub(crate) held: VecDeque<Pending>,

    /// What was done by those who are gone; and what is counted of the whole.
    pub(crate) totals: Statistics,
    /// How many channels have been opened.
    pub(super) channels: u64,
    /// For those who ask; and the stop of a run, wanted and how urgently.
    pub(super) handle: Handle,
    pub(crate) stop: Stop,
}

/// What waits for the running callback to return, because it needs the half of the reactor in which
/// the callback lives. The context carries these; it never calls what is in them.
pub(crate) enum Pending {
    /// A filter was added to a connection: put it above the others.
    AddFilter(Id, Box<Added>),
    /// A connection attempt has failed: tell its factory.
    ConnectFailed(Id, Error),
    /// Something has happened to a datagram socket: tell its protocol.
    Datagram(Id),
    /// Plaintext is queued, or a goodbye is to be said: have the filters encode it.
    Encode(Id),
    /// A connection was let go: tell its protocol, then free its slot.
    #[cfg_attr(not(unix), allow(dead_code))]
    DetachedSlot(Id),
    /// There is something to be dropped.
    Discard,
    /// The marks on what waits to be sent were crossed: tell the protocol.
    Flow(Id),
    /// A listener was closed: drop its factory, then free its slot.
    Free(Id),
    /// A connection was adopted: seat its protocol, and tell it.
    #[cfg_attr(not(unix), allow(dead_code))]
    Made(Id, Box<dyn Protocol>),
    /// A connection has ended: tell its protocol, then free its slot.
    Lost(Id),
    /// A channel was opened: seat its receiver.
    Open(ChannelId, Box<dyn Receiver>),
    /// A producer was registered: seat it.
    Produce(Id, u32, Box<dyn Producer>),
    /// A producer was unregistered: drop it.
    Produced(Id),
    /// A listener or connector was made: seat its factory.
    Seat(Id, Box<dyn Factory>),
    /// A producer came too late: tell it.
    StopProducing(Id, Box<dyn Producer>),
    /// A datagram socket was made: seat its protocol, and have it start.
    Start(Id, Box<dyn DatagramProtocol>),
    /// A watch has ended: tell its watcher, then free its slot.
    #[cfg(unix)]
    Unwatched(Id, Reason),
    /// A watch has begun: seat its watcher.
    #[cfg(unix)]
    Watch(Id, Box<dyn Watcher>),
}

impl Pending {
    /// Whether it makes a callback, and so may be held. The others seat an owner, which an event may need in this
    /// very turn, or drop a user's value, which cannot cause another notice, or have filters encode, which is bounded by what was
    /// written.
    pub(crate) fn calls(&self) -> bool {
        match self {
            Self::AddFilter(..)
            | Self::Discard
            | Self::Encode(_)
            | Self::Free(_)
            | Self::Open(..)
            | Self::Produced(_)
            | Self::Seat(..) => false,
            #[cfg(unix)]
            Self::Watch(..) => false,
            _ => true,
        }
    }
}

/// How far the end of a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    No,
    /// End in order.
    Wanted,
    /// End without waiting for anybody: a second signal asks for it.
    #[cfg_attr(not(feature = "signals"), allow(dead_code))]
    AtOnce,
}

impl Context {
    pub(crate) fn new(backend: SharedBackend, handle: Handle) -> Self {
        let now = backend.now();
        Self {
            backend,
            now,
            sources: Sources::default(),
            spares: Spares::default(),
            gathered: Gathered::new(),
            running: Id::NONE,
            #[cfg(unix)]
            descriptors_lost_on: None,
            timers: TimerQueue::new(now),
            ready: VecDeque::new(),
            unflushed: Vec::new(),
            discarded: Vec::new(),
            pending: VecDeque::new(),
            held: VecDeque::new(),
            totals: Statistics::default(),
            channels: 0,
            handle,
            stop: Stop::No,
        }
    }

    /// The time at which this turn's events were fetched. All that happens in a turn happens at
    /// this instant: it stays the same while callbacks run, however long they take.
    ///
    /// Delays do not count from it, but from the call that takes them, which reads the clock
    /// ([`call_later`](Self::call_later), [`reset`](Self::reset), [`close_within`](crate::Transport::close_within),
    /// [`ConnectOptions::timeout`](crate::ConnectOptions::timeout)). What is to come at the same distance
    /// from one event each time is scheduled by [`call_at`](Self::call_at).
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// let before = reactor.context().now();
    /// reactor.turn(Some(std::time::Duration::from_millis(1)))?;
    /// assert!(reactor.context().now() > before);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Reads the clock anew.
    pub(crate) fn refresh(&mut self) -> Instant {
        self.now = self.backend.now();
        self.now
    }

    /// A handle to this reactor for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the run, in order: listeners close, connections send what waits, each protocol hears
    /// `connection_lost` with [`Stopped`](crate::Reason::Stopped), and
    /// [`Reactor::run`](crate::Reactor::run) returns. See there. If this reactor is of a
    /// [`ReactorGroup`](crate::ReactorGroup), the run of all ends.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// # use std::time::Duration;
    /// let mut reactor = Reactor::new()?;
    /// reactor.context().call_later(Duration::from_millis(1), |context| context.stop());
    /// reactor.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn stop(&mut self) {
        self.stop = self.stop.max(Stop::Wanted);
    }

    /// Whether a stop was asked for. From then on until the run has ended nobody can listen or
    /// connect.
    pub fn is_stopping(&self) -> bool {
        self.stop != Stop::No
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("sockets", &self.sources.iter().count())
            .field("timers", &self.timers.len())
            .field("ready", &self.ready.len())
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}
