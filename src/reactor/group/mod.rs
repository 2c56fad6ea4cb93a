//! Groups: several reactors, each on its own thread, that serve the same ports.

mod handle;
mod member;

use crate::api::factory::Factory;
use crate::api::handle::Handle;
use crate::api::listener::cannot_listen;
use crate::api::names::name;
use crate::reactor::Reactor;
use crate::sys::error::failed_plainly;
use crate::values::error::Error;
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

/// Several reactors, each on its own thread, for a server that needs more than one processor.
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
/// Each reactor works alone: its connections, its timers and the state that its protocols share live on its
/// thread. [`Handle::call`] and [channels](crate::Context::channel) send calls and messages to another reactor.
///
/// The threads are named `ropewalk-0`, `ropewalk-1` and so on. They start with the group and wait until it is
/// run. The group ends as a whole: when the run of one reactor ends, for any reason, the runs of all end, each
/// in the order of [`Reactor::run`]. Dropping a group without a run drops its reactors and joins the threads.
///
/// # Distribution of connections
///
/// Each reactor has its own listener on the same port (SO_REUSEPORT). The system chooses one by a hash of the
/// client's address and ours, neither by turns nor by load. Many connections spread evenly, a few do not: with
/// 4 clients and 2 reactors, all 4 are on one of them once in 8 times. A connection stays on its reactor, and a
/// busy reactor gets as many new ones as an idle one.
///
/// When one of several listeners on a port is closed, connections that it has not accepted are
/// reset, although the others still listen (the Linux setting `net.ipv4.tcp_migrate_req` moves them instead).
/// So close all of them together, as [`GroupPort::close`] and a stop do.
#[derive(Debug)]
pub struct ReactorGroup {
    handle: GroupHandle,
    workers: Vec<Worker>,
    /// A call has panicked and ended its thread. The group must not run: it would wait for that thread.
    poisoned: bool,
}

impl ReactorGroup {
    /// Makes a group of `count` reactors.
    ///
    /// # Errors
    ///
    /// If `count` is 0, or the system has no threads or descriptors left.
    pub fn new(count: usize) -> Result<Self, Error> {
        if count == 0 {
            let cause =
                io::Error::new(io::ErrorKind::InvalidInput, "a group needs at least one reactor");
            return Err(failed_plainly("start a reactor", "", cause));
        }
        let started: Result<Vec<_>, _> = (0..count).map(Worker::start).collect();
        let (workers, handles): (Vec<_>, Vec<_>) = started?.into_iter().unzip();
        Ok(Self { handle: GroupHandle::new(handles), workers, poisoned: false })
    }

    /// Makes a group with one reactor for each processor that this process may use; with one reactor if the
    /// system does not report the number.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn for_each_processor() -> Result<Self, Error> {
        Self::new(thread::available_parallelism().map_or(1, |count| count.get()))
    }

    /// Listens on `address` with every reactor. `make` runs on the thread of each reactor and makes the factory
    /// of its protocols, which need not be `Send`.
    ///
    /// For port 0 the system chooses one port for all. Connections are accepted when the group runs.
    ///
    /// ```
    /// use ropewalk::{Error, Protocol, ReactorGroup, Transport};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// /// Sends each client the number of earlier clients of this reactor.
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
    /// The error of the first reactor that cannot listen, as in
    /// [`Context::listen_tcp`](crate::Context::listen_tcp); then none listens. A port on which another server
    /// listens is refused, even if that server would share it. Where the system cannot share a port between
    /// several listeners, only a group of one can listen: see [`ListenOptions::reuse_port`].
    ///
    /// # Panics
    ///
    /// If `make` panics on a thread. The group cannot be used then.
    #[doc(alias = "listenTCP")]
    pub fn listen_tcp<F: Factory>(
        &mut self,
        address: impl ToAddresses,
        make: impl Fn(&mut Member<'_>) -> F + Send + Sync + 'static,
    ) -> Result<GroupPort, Error> {
        ListenOptions::new().listen_tcp_group(self, address, make)
    }

    /// Runs `call` on each reactor's thread and returns the results, in the order of the reactors. It is for
    /// timers, connections and other things that each reactor needs before the run.
    ///
    /// ```
    /// # use ropewalk::{Error, ReactorGroup};
    /// # use std::time::Duration;
    /// let mut group = ReactorGroup::new(2)?;
    /// let timers = group.each(|member| {
    ///     let index = member.index();
    ///     member.context().call_later(Duration::from_millis(1), move |context| {
    ///         println!("reactor {index} stops the group");
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
    /// If `call` panics on a thread. The group cannot be used then.
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

    /// Sets the grace period of a stop, as [`Reactor::set_grace`].
    pub fn set_grace(&mut self, grace: Duration) {
        self.each(move |member| member.reactor.set_grace(grace));
    }

    /// Returns the grace period of a stop.
    pub fn grace(&mut self) -> Duration {
        self.on(0, |member| member.reactor.grace()) // All have the same.
    }

    /// Sets the duration above which a callback is logged as slow, as [`Reactor::set_slow_callback_duration`].
    #[doc(alias = "slow_callback_duration")]
    pub fn set_slow_callback_duration(&mut self, duration: Duration) {
        self.each(move |member| member.reactor.set_slow_callback_duration(duration));
    }

    /// Returns the duration above which a callback is logged as slow.
    pub fn slow_callback_duration(&mut self) -> Duration {
        self.on(0, |member| member.reactor.slow_callback_duration()) // All have the same.
    }

    /// Lets SIGINT (Ctrl-C) and SIGTERM stop the run gracefully. A second signal ends it on all reactors
    /// without waiting for any peer, as in [`Reactor::stop_on_signals`].
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left for it.
    #[cfg(feature = "signals")]
    pub fn stop_on_signals(&mut self) -> Result<(), Error> {
        // Each reactor catches signals: a second one must reach those that still wait, whichever have ended.
        self.each(|member| member.reactor.stop_on_signals_with(member.group.handles()))
            .into_iter()
            .collect()
    }

    /// Returns a handle to the whole group, for other threads.
    pub fn handle(&self) -> GroupHandle {
        self.handle.clone()
    }

    /// Returns the handles of the reactors.
    pub fn handles(&self) -> &[Handle] {
        self.handle.handles()
    }

    /// Runs all reactors until the group is [stopped](GroupHandle::stop), or one of them is: by
    /// [`Context::stop`](crate::Context::stop), a signal, or an error. Then all runs end gracefully, and the
    /// threads end.
    ///
    /// # Errors
    ///
    /// The error of the first reactor that failed. The others have been stopped then.
    pub fn run(mut self) -> Result<(), Error> {
        let outcomes = self.each(|member| {
            // Called or not, it is dropped when the run begins to end.
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

    /// Runs `call` on the thread of one reactor.
    fn order<T: Send + 'static>(
        &self,
        index: usize,
        call: impl FnOnce(&mut Member<'_>) -> T + Send + 'static,
    ) -> Receiver<T> {
        assert!(!self.poisoned, "a reactor of this group has panicked");
        let (tell, answer) = mpsc::channel();
        let group = self.handle();
        let order = move |reactor: &mut Reactor| {
            // The receiver is dropped if another thread's panic has ended the wait.
            let _ = tell.send(call(&mut Member { index, group: &group, reactor }));
        };
        // If the thread has ended, so has the order, and no answer arrives.
        let _ = self.workers[index].orders.as_ref().map(|orders| orders.send(Box::new(order)));
        answer
    }

    fn await_answer<T>(&mut self, index: usize, answer: Receiver<T>) -> T {
        if let Ok(answer) = answer.recv() {
            return answer;
        }
        // The call has panicked. It ran for the caller, so the panic reaches the caller.
        self.poisoned = true;
        match self.workers[index].thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => unreachable!("a thread ends by a panic, or when its queue of calls is closed"),
        }
    }
}

impl ListenOptions {
    /// Listens with every reactor of `group` with these options. All else is as for
    /// [`ReactorGroup::listen_tcp`]. With [`reuse_port`](Self::reuse_port) the port may be shared with
    /// listeners outside of the group.
    ///
    /// # Errors
    ///
    /// The error of the first reactor that cannot listen; then none listens.
    ///
    /// # Panics
    ///
    /// If `make` panics on a thread. The group cannot be used then.
    #[doc(alias = "listenTCP")]
    pub fn listen_tcp_group<F: Factory>(
        &self,
        group: &mut ReactorGroup,
        address: impl ToAddresses,
        make: impl Fn(&mut Member<'_>) -> F + Send + Sync + 'static,
    ) -> Result<GroupPort, Error> {
        let target = address.target().map_err(|cause| cannot_listen(name(&address), cause))?;
        // Looked up before the run.
        let addresses =
            group.on(0, move |member| member.context().addresses(cannot_listen, target))?;
        let make = Arc::new(make);
        // The first checks that the port is free and learns its number; the others join it.
        let (mut first, mut other) = (self.clone(), self.clone());
        if group.workers.len() > 1 && !self.reuse_port {
            (first.reuse_port, first.claim, other.reuse_port) = (true, true, true);
        }
        let listen = make.clone();
        let port = group.on(0, move |member| member.listen(&addresses[..], &first, &*listen))?;
        let address = port.address().clone();
        let mut ids = vec![port.id()];
        for index in 1..group.workers.len() {
            let (listen, options, address) = (make.clone(), other.clone(), address.clone());
            match group.on(index, move |member| member.listen(address, &options, &*listen)) {
                Ok(port) => ids.push(port.id()),
                Err(error) => {
                    for (index, id) in ids.into_iter().enumerate() {
                        group.on(index, move |member| member.context().close(id));
                    }
                    return Err(error);
                }
            }
        }
        Ok(GroupPort { address, ids, group: group.handle() })
    }
}

/// If a run cannot begin on one thread, it ends on all: otherwise the threads would never end.
impl Drop for ReactorGroup {
    fn drop(&mut self) {
        let _ = self.handle.stop();
    }
}
