//! The context: the half of the reactor that callbacks may use. It never calls a user.

use crate::api::channel::{ChannelId, Receiver};
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::discard::Discarded;
use crate::api::factory::Factory;
use crate::api::filter::Added;
use crate::api::handle::Handle;
use crate::api::names::{Found, Resolution};
#[cfg(all(unix, feature = "process"))]
use crate::api::process_protocol::ProcessProtocol;
use crate::api::producer::Producer;
use crate::api::protocol::Protocol;
use crate::api::thread_job::Jobs;
use crate::api::timer::{Call, Job};
use crate::api::trigger::Triggers;
#[cfg(unix)]
use crate::api::watch::Watcher;
use crate::source::gathered::Gathered;
use crate::source::listener::Established;
use crate::source::send_buffer::Spares;
use crate::source::table::Sources;
use crate::source::timer::{TimerId, TimerQueue};
use crate::sys::{Answer, SharedBackend};
use crate::values::error::Error;
use crate::values::filter::FilterOptions;
use crate::values::id::Id;
use crate::values::journal::{Journal, StopPhase};
#[cfg(unix)]
use crate::values::reason::Reason;
use crate::values::statistics::Statistics;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The part of the reactor that callbacks, timers and calls from other threads can use.
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
///   related methods.
///
/// [`channel`](Self::channel) opens a channel for messages from other threads.
///
/// # Callbacks never run inside callbacks
///
/// No method of a `Context` calls a protocol, a factory or a timer: the context does not own them. The
/// callbacks that a request causes follow after the running callback has returned. So a `RefCell` of your
/// own may stay borrowed while you call these methods.
///
/// No method drops a value that it was given either. The closure of a timer that is
/// [cancelled](Self::cancel), or the factory of a listener that could not be opened, is dropped once the
/// running callback has returned; between two turns, in the next turn. Only values that have to be converted
/// are used within the call, before anything else is done: an address, an iterator of descriptors, the
/// descriptor of a `Watcher`.
///
/// # Where to get one
///
/// From [`Transport::context`](crate::Transport::context) in a protocol's callback, from
/// [`Reactor::context`](crate::Reactor::context) before and between runs; timers, receivers and
/// [`Handle::call`] receive one.
pub struct Context {
    /// What sockets, names and the time come from.
    pub(crate) backend: SharedBackend,
    /// The time at which the poll of this turn returned.
    pub(super) now: Instant,

    pub(crate) sources: Sources,
    pub(super) established: Established,
    pub(super) spares: Spares,
    /// The bytes that the running callback has written to its own connection: see `gather.rs`.
    pub(super) gathered: Gathered,
    /// The connection of the running callback. Its end of data is not sent before the callback has
    /// returned: a panic can still turn it into a reset.
    pub(super) running: Id,
    /// The connection that was notified of lost descriptors and has not received their data yet.
    #[cfg(unix)]
    pub(crate) descriptors_lost_on: Option<Id>,
    pub(super) timers: TimerQueue<Job>,
    /// The timers that are removed with their sockets.
    pub(super) owned_timers: BTreeSet<(Id, TimerId)>,
    /// The registration of the producer whose callback is running.
    pub(crate) running_producer: Option<u32>,

    /// The ready queue: sources with work left beyond their budget, or with a new request.
    pub(crate) ready: VecDeque<Id>,
    /// Connections that were written to by id: they are flushed when the turn ends.
    pub(super) unflushed: Vec<Id>,
    /// Values to drop once the running callback has returned: see [`Discarded`].
    pub(crate) discarded: Vec<Discarded>,
    /// Pending callbacks, and owners to set, once the running callback has returned.
    pub(crate) pending: VecDeque<Pending>,
    /// Pending callbacks beyond the budget of the turn. They precede `pending`.
    pub(crate) held: VecDeque<Pending>,

    pub(crate) journal: Journal,
    /// The counts of closed sockets, and those of the whole reactor.
    pub(crate) totals: Statistics,
    /// The number of channels opened so far.
    pub(super) channels: u64,
    pub(super) handle: Handle,
    /// True if names are looked up by a resolver of the user's.
    pub(crate) has_resolver: bool,
    /// True before and between runs, when a look-up may block this thread.
    pub(crate) may_block: bool,
    /// Whether the run is to stop, and how urgently.
    pub(crate) stop: Stop,
    pub(crate) triggers: Triggers,
    /// The jobs on other threads.
    pub(crate) jobs: Jobs,
}

/// Work that follows the running callback, because it needs the dispatcher, which owns the callback's
/// object. The context only carries it.
pub(crate) enum Pending {
    /// A filter was added to a connection: put it above the others.
    AddFilter(Id, Box<Added>),
    /// A call was requested: make it.
    Call(Box<dyn Call>),
    /// A connection attempt has failed: notify its factory.
    ConnectFailed(Id, Error),
    /// A datagram socket has events: notify its protocol.
    Datagram(Id),
    /// Plaintext or a goodbye is queued: have the filters encode it.
    Encode(Id),
    /// A connection was detached: notify its protocol, then free its slot.
    #[cfg_attr(not(unix), allow(dead_code))]
    DetachedSlot(Id),
    /// Values were discarded: drop them.
    Discard,
    /// The run is stopping: ask the protocol whether the connection stays open.
    Drain(Id),
    /// The send buffer has crossed a mark: notify the protocol.
    Flow(Id),
    /// A listener was closed: drop its factory and free its slot, unless connections are in a handshake.
    Free(Id),
    /// A name is to be looked up: have the resolver do it.
    LookUp(String, u16, Answer),
    /// A connection with filters was adopted: make them.
    #[cfg_attr(not(unix), allow(dead_code))]
    MakeFilters(Id, Arc<FilterOptions>),
    /// A connection was adopted: set its protocol, and notify it.
    #[cfg_attr(not(unix), allow(dead_code))]
    Made(Id, Box<dyn Protocol>),
    /// A process has exited: notify its protocol.
    #[cfg(all(unix, feature = "process"))]
    Exited(Id),
    /// A connection has ended: notify its protocol, then free its slot.
    Lost(Id),
    /// A channel was opened: set its receiver.
    Open(ChannelId, Box<dyn Receiver>),
    /// A producer was registered: set it.
    Produce(Id, u32, Box<dyn Producer>),
    /// A producer was unregistered: drop it.
    Produced(Id),
    /// A look-up has ended: call its closure, then free its slot.
    Resolved(Id, Found),
    /// A listener or connector was made: set its factory.
    SetFactory(Id, Box<dyn Factory>),
    /// A look-up has begun: set the closure for its result.
    SetResolution(Id, Box<dyn Resolution>),
    /// A producer was registered too late: stop it.
    StopProducing(Id, Box<dyn Producer>),
    /// A process was started: set its protocol, and notify it.
    #[cfg(all(unix, feature = "process"))]
    Spawned(Id, Box<dyn ProcessProtocol>),
    /// A datagram socket was made: set its protocol, and start it.
    Start(Id, Box<dyn DatagramProtocol>),
    /// A watch has ended: notify its watcher, then free its slot.
    #[cfg(unix)]
    Unwatched(Id, Reason),
    /// A watch has begun: set its watcher.
    #[cfg(unix)]
    Watch(Id, Box<dyn Watcher>),
}

impl Pending {
    /// Returns true if it makes a callback, and so may be held. The others set an owner, which an event may need in
    /// the same turn; or drop a user's value, which causes no callback; or have filters encode, which is bounded by
    /// the written data.
    pub(crate) fn calls(&self) -> bool {
        match self {
            Self::AddFilter(..)
            | Self::Discard
            | Self::Encode(_)
            | Self::Free(_)
            | Self::Open(..)
            | Self::Produced(_)
            | Self::SetFactory(..)
            | Self::SetResolution(..) => false,
            #[cfg(unix)]
            Self::Watch(..) => false,
            _ => true,
        }
    }
}

/// Whether a run is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    No,
    /// End gracefully.
    Wanted,
    /// End without waiting for any peer: a second signal causes it.
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
            established: Established::default(),
            spares: Spares::default(),
            gathered: Gathered::new(),
            running: Id::NONE,
            #[cfg(unix)]
            descriptors_lost_on: None,
            timers: TimerQueue::new(now),
            owned_timers: BTreeSet::new(),
            running_producer: None,
            ready: VecDeque::new(),
            unflushed: Vec::new(),
            discarded: Vec::new(),
            pending: VecDeque::new(),
            held: VecDeque::new(),
            journal: Journal::new(now),
            totals: Statistics::default(),
            channels: 0,
            handle,
            has_resolver: false,
            may_block: true,
            stop: Stop::No,
            triggers: Triggers::default(),
            jobs: Jobs::default(),
        }
    }

    /// Returns the time at which this turn's events were fetched. It stays the same during the turn, however
    /// long callbacks take.
    ///
    /// Delays count from the call that takes them, which reads the clock
    /// ([`call_later`](Self::call_later), [`reset`](Self::reset), [`close_within`](crate::Transport::close_within),
    /// [`ConnectOptions::timeout`](crate::ConnectOptions::timeout)). To schedule a call at a fixed
    /// distance from an event, use [`call_at`](Self::call_at).
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

    /// Reads the clock again.
    pub(crate) fn refresh(&mut self) -> Instant {
        self.now = self.backend.now();
        self.now
    }

    /// Returns a handle to this reactor for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the run gracefully: listeners close, connections send their queued data, each protocol receives
    /// `connection_lost` with [`Stopped`](crate::Reason::Stopped), and
    /// [`Reactor::run`](crate::Reactor::run) returns. If this reactor belongs to a
    /// [`ReactorGroup`](crate::ReactorGroup), the run of the whole group ends.
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
        if self.stop == Stop::No {
            self.journal.stop(StopPhase::Requested);
        }
        self.stop = self.stop.max(Stop::Wanted);
    }

    /// Returns true from a stop until the end of the run. Sockets can be opened until the stop closes all of them.
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
            .field("triggers", &self.triggers)
            .finish_non_exhaustive()
    }
}
