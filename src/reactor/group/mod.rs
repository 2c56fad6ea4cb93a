//! More processors: several reactors, each on a thread of its own, that serve the same ports. Floor
//! 5.

mod handle;
mod member;

use crate::api::connector::resolve;
use crate::api::handle::Handle;
use crate::api::protocol::Factory;
use crate::reactor::Reactor;
use crate::sys::look_up;
use crate::values::error::{Action, Error};
use crate::values::options::ListenOptions;
use crate::values::to_addresses::ToAddresses;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use handle::{GroupHandle, GroupPort};
pub use member::Member;

use handle::StopAll;
use member::Worker;

/// Several reactors, each on a thread of its own: for a server that is more than one processor's
/// work.
///
/// ```
/// use ropewalk::{Error, Protocol, ReactorGroup, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut group = ReactorGroup::new(2)?;
/// let port = group.listen_tcp("127.0.0.1:0", |_member| || Echo)?;
/// println!("listening on {}", port.address());
/// # group.handle().stop().unwrap();
/// group.run()?; // until it is stopped
/// # Ok::<(), Error>(())
/// ```
///
/// Each reactor is as a reactor is, and knows nothing of the others: its connections, its timers
/// and what its protocols share live on its thread. What is to reach another one is sent there, by
/// a [`Handle::call`] or through a [channel](crate::Context::channel).
///
/// The threads are named `ropewalk-0`, `ropewalk-1` and so on. They are there from the beginning,
/// and wait until the group is run. It ends as one: when a run ends on one of them, for whatever
/// reason, it ends on all, each in the order that [`Reactor::run`] states. A group that is dropped
/// without a run drops its reactors, and waits for the threads to end.
///
/// # Who gets which connection
///
/// Each reactor has a listener of its own on the same port (SO_REUSEPORT), and the system chooses
/// by a hash of the client's address and ours: neither by turns nor by load. Many connections
/// spread evenly, a handful does not: of 4 clients of 2 reactors, all 4 are with one of them once
/// in 8 times. A connection stays where it is, and a reactor that is busy gets as many new ones as
/// an idle one.
///
/// When one of several listeners on a port is closed, connections that it has not accepted are
/// reset, though others still listen (Linux can be told to move them to those:
/// `net.ipv4.tcp_migrate_req`). So they are best closed together, as [`GroupPort::close`] and a
/// stop do.
#[derive(Debug)]
pub struct ReactorGroup {
    handle: GroupHandle,
    workers: Vec<Worker>,
    /// A call has panicked and ended its thread. What is left must not be run: it would be waited
    /// for.
    poisoned: bool,
}

impl ReactorGroup {
    /// A group of `count` reactors with nothing to do.
    ///
    /// # Errors
    ///
    /// If `count` is 0, or the system has no threads or descriptors left.
    pub fn new(count: usize) -> Result<Self, Error> {
        if count == 0 {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "a group has at least one");
            return Err(Error::new(Action::Start, "", cause));
        }
        let started: Result<Vec<_>, _> = (0..count).map(Worker::start).collect();
        let (workers, handles): (Vec<_>, Vec<_>) = started?.into_iter().unzip();
        Ok(Self { handle: GroupHandle::new(handles), workers, poisoned: false })
    }

    /// A group of as many reactors as this process may use processors at once; of one, if the
    /// system does not tell.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn for_each_processor() -> Result<Self, Error> {
        Self::new(thread::available_parallelism().map_or(1, |count| count.get()))
    }

    /// Listens on `address` with every reactor. `make` is called on the thread of each, and makes
    /// the factory of its protocols, which need not be sent anywhere.
    ///
    /// Of port 0 the system chooses one port for all. Connections are taken in once the group is
    /// run.
    ///
    /// ```
    /// use ropewalk::{Error, Protocol, ReactorGroup, Transport};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// /// Tells everyone how many were here before, as far as this reactor knows.
    /// struct Counter(Rc<Cell<u32>>);
    ///
    /// impl Protocol for Counter {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         writeln!(transport, "{}", self.0.replace(self.0.get() + 1));
    ///     }
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    ///
    /// let mut group = ReactorGroup::new(2)?;
    /// group.listen_tcp("127.0.0.1:0", |member| {
    ///     println!("reactor {} is here", member.index());
    ///     let count = Rc::default(); // one on each thread
    ///     move || Counter(Rc::clone(&count))
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the system answers to one of them, as
    /// [`Context::listen_tcp`](crate::Context::listen_tcp) says: then none listens. A port that
    /// another server listens on is refused, even if that one would share it. Where the system
    /// cannot share a port between several listeners, only a group of one can listen: see
    /// [`ListenOptions::reuse_port`].
    ///
    /// # Panics
    ///
    /// If `make` does, on any of the threads; the group is of no use then.
    #[doc(alias = "listenTCP")]
    pub fn listen_tcp<F: Factory>(
        &mut self,
        address: impl ToAddresses,
        make: impl Fn(&mut Member<'_>) -> F + Send + Sync + 'static,
    ) -> Result<GroupPort, Error> {
        self.listen_tcp_with(address, &ListenOptions::new(), make)
    }

    /// [`listen_tcp`](Self::listen_tcp) with other options than the defaults. With
    /// [`reuse_port`](ListenOptions::reuse_port) the port may be shared with others than this
    /// group.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn listen_tcp_with<F: Factory>(
        &mut self,
        address: impl ToAddresses,
        options: &ListenOptions,
        make: impl Fn(&mut Member<'_>) -> F + Send + Sync + 'static,
    ) -> Result<GroupPort, Error> {
        let addresses = resolve(Action::Listen, address, &look_up)?;
        let make = Arc::new(make);
        // The first asks whether the port is free, and finds out which it is; the others join it.
        let (mut first, mut other) = (options.clone(), options.clone());
        if self.workers.len() > 1 && !options.reuse_port {
            (first.reuse_port, first.claim, other.reuse_port) = (true, true, true);
        }
        let listen = make.clone();
        let port = self.on(0, move |member| member.listen(&addresses[..], &first, &*listen))?;
        let address = port.address().clone();
        let mut ids = vec![port.id()];
        for index in 1..self.workers.len() {
            let (listen, options, address) = (make.clone(), other.clone(), address.clone());
            match self.on(index, move |member| member.listen(address, &options, &*listen)) {
                Ok(port) => ids.push(port.id()),
                Err(error) => {
                    for (index, id) in ids.into_iter().enumerate() {
                        self.on(index, move |member| member.context().close(id));
                    }
                    return Err(error);
                }
            }
        }
        Ok(GroupPort { address, ids, group: self.handle() })
    }

    /// Makes `call` on each reactor's thread, and returns what it returned, in the order of the
    /// reactors: for timers, connections and whatever else each of them is to have before the run.
    ///
    /// ```
    /// # use ropewalk::{Error, ReactorGroup};
    /// # use std::time::Duration;
    /// let mut group = ReactorGroup::new(2)?;
    /// let timers = group.each(|member| {
    ///     let index = member.index();
    ///     member.context().call_later(Duration::from_millis(1), move |context| {
    ///         println!("{index} has had enough");
    ///         context.stop(); // ends the run for all
    ///     })
    /// });
    /// assert_eq!(timers.len(), 2);
    /// group.run()?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `call` does, on any of the threads; the group is of no use then.
    pub fn each<T: Send + 'static>(
        &mut self,
        call: impl Fn(&mut Member<'_>) -> T + Send + Sync + 'static,
    ) -> Vec<T> {
        let call = Arc::new(call);
        let answers: Vec<_> = (0..self.workers.len())
            .map(|index| {
                let call = call.clone();
                self.order(index, move |member| call(member))
            })
            .collect();
        answers
            .into_iter()
            .enumerate()
            .map(|(index, answer)| self.await_answer(index, answer))
            .collect()
    }

    /// Sets how long a stop waits for peers that are slow to take what was written, as
    /// [`Reactor::set_grace`] does.
    pub fn set_grace(&mut self, grace: Duration) {
        self.each(move |member| member.reactor.set_grace(grace));
    }

    /// Sets how long a callback may take before it is warned of, as
    /// [`Reactor::set_slow_callback_duration`] does.
    #[doc(alias = "slow_callback_duration")]
    pub fn set_slow_callback_duration(&mut self, duration: Duration) {
        self.each(move |member| member.reactor.set_slow_callback_duration(duration));
    }

    /// SIGINT (Ctrl-C) and SIGTERM stop the run in order, and a second one ends it on all reactors
    /// without waiting for any peer, as [`Reactor::stop_on_signals`] says.
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(feature = "signals")]
    pub fn stop_on_signals(&mut self) -> Result<(), Error> {
        // Each catches them itself: a second one must reach those that still wait, whichever have ended.
        self.each(|member| member.reactor.stop_on_signals_with(member.group.handles()))
            .into_iter()
            .collect()
    }

    /// A handle to the whole group, for other threads.
    pub fn handle(&self) -> GroupHandle {
        self.handle.clone()
    }

    /// The handles of the reactors.
    pub fn handles(&self) -> &[Handle] {
        self.handle.handles()
    }

    /// Runs all reactors until the group is [stopped](GroupHandle::stop), or one of them is: by
    /// [`Context::stop`](crate::Context::stop), a signal, or an error. Then all end in order, and
    /// their threads with them.
    ///
    /// # Errors
    ///
    /// That of the first reactor whose run has failed. The others have been stopped then.
    pub fn run(mut self) -> Result<(), Error> {
        let outcomes = self.each(|member| {
            // Called or not, it is dropped when the run is about to end.
            let last = StopAll(member.group.clone());
            member.reactor.run_then(move || drop(last))
        });
        outcomes.into_iter().collect()
    }

    fn on<T: Send + 'static>(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut Member<'_>) -> T + Send + 'static,
    ) -> T {
        let answer = self.order(index, call);
        self.await_answer(index, answer)
    }

    /// Has `call` made on the thread of one reactor.
    fn order<T: Send + 'static>(
        &self,
        index: usize,
        call: impl FnOnce(&mut Member<'_>) -> T + Send + 'static,
    ) -> Receiver<T> {
        assert!(!self.poisoned, "a reactor of this group has ended by a panic");
        let (tell, answer) = mpsc::channel();
        let group = self.handle();
        let order = move |reactor: &mut Reactor| {
            // Nobody listens any more if another thread's panic has ended the wait.
            let _ = tell.send(call(&mut Member { index, group: &group, reactor }));
        };
        // If the thread is gone, so is the order, and its answer will not come.
        let _ = self.workers[index].orders.as_ref().map(|orders| orders.send(Box::new(order)));
        answer
    }

    fn await_answer<T>(&mut self, index: usize, answer: Receiver<T>) -> T {
        if let Ok(answer) = answer.recv() {
            return answer;
        }
        // The call has panicked. It was made for the caller of this, so here the panic goes on.
        self.poisoned = true;
        match self.workers[index].thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => unreachable!("a thread ends by a panic, or when nobody can give it orders"),
        }
    }
}

/// A run that could not begin everywhere goes on nowhere, or else the threads would never end.
impl Drop for ReactorGroup {
    fn drop(&mut self) {
        let _ = self.handle.stop();
    }
}
