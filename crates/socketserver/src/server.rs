//! Servers that have a reactor of their own: the methods of Python's `BaseServer`.

use crate::handler::{DatagramRequestHandler, StreamRequestHandler};
use crate::running::Running;
use crate::{DatagramServer, StreamServer};
use ropewalk::{Context, Error, Handle, ListenOptions, Port, Reactor, TimerId};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How often the service actions are done: as often as in Python.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many connections a listener serves at a time: as many as handlers run by default.
const MAX_CONNECTIONS: usize = 1000;

/// How long the end of a server waits for handlers after the grace period, when their connections have been aborted. A
/// handler notices that in its next call of the connection.
const MOMENT: Duration = Duration::from_millis(250);

/// What is done regularly while a server serves.
type Actions = Rc<dyn Fn(&mut Context)>;

/// A server of blocking handlers, with a reactor of its own. It may have several addresses.
///
/// See [`crate`] for an example.
pub struct SocketServer {
    reactor: Reactor,
    options: ListenOptions,
    running: Vec<Running>,
    served: Vec<Rc<Cell<u64>>>,
    actions: Option<Actions>,
    serving: Arc<Serving>,
}

impl SocketServer {
    /// Makes a server without an address.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            reactor: Reactor::new()?,
            options: ListenOptions::new().max_connections(MAX_CONNECTIONS),
            running: Vec::new(),
            served: Vec::new(),
            actions: None,
            serving: Arc::default(),
        })
    }

    /// Returns the reactor, for everything else: protocols with callbacks, timers, the grace period, the number of
    /// threads in its pool.
    pub fn reactor(&mut self) -> &mut Reactor {
        &mut self.reactor
    }

    /// Sets the options of listeners that are opened later. Default: at most 1,000 connections at a time for each. For the
    /// number of threads see [`StreamServer::max_handlers`].
    #[doc(alias = "allow_reuse_address")]
    #[doc(alias = "request_queue_size")]
    pub fn set_listen_options(&mut self, options: ListenOptions) {
        self.options = options;
    }

    /// Listens on a TCP address. `handlers` makes a [`StreamRequestHandler`], or is a [`StreamServer`].
    ///
    /// # Errors
    ///
    /// Those of [`Context::listen_tcp`].
    pub fn listen_tcp<H: StreamRequestHandler>(
        &mut self,
        address: impl ropewalk::ToAddresses,
        handlers: impl Into<StreamServer<H>>,
    ) -> Result<Port, Error> {
        let server = self.add(handlers.into());
        self.options.clone().listen_tcp(self.reactor.context(), address, server)
    }

    /// Listens on a Unix socket, like [`listen_tcp`](Self::listen_tcp).
    ///
    /// # Errors
    ///
    /// Those of [`Context::listen_unix`].
    #[cfg(unix)]
    #[doc(alias = "UnixStreamServer")]
    pub fn listen_unix<H: StreamRequestHandler>(
        &mut self,
        path: impl Into<ropewalk::UnixAddress>,
        handlers: impl Into<StreamServer<H>>,
    ) -> Result<Port, Error> {
        let server = self.add(handlers.into());
        self.options.clone().listen_unix(self.reactor.context(), path, server)
    }

    /// Serves datagrams on a UDP address.
    ///
    /// # Errors
    ///
    /// Those of [`Context::listen_udp`].
    pub fn bind_udp<H: DatagramRequestHandler>(
        &mut self,
        address: impl ropewalk::ToAddress,
        make: impl Fn() -> H + 'static,
    ) -> Result<Port, Error> {
        let server = DatagramServer::new(make);
        self.running.push(server.running.clone());
        self.served.push(Rc::clone(&server.served));
        self.reactor.context().listen_udp(address, server)
    }

    /// Serves datagrams on a Unix socket.
    ///
    /// # Errors
    ///
    /// Those of [`Context::listen_unix_datagram`].
    #[cfg(unix)]
    #[doc(alias = "UnixDatagramServer")]
    pub fn bind_unix_datagram<H: DatagramRequestHandler>(
        &mut self,
        path: impl Into<ropewalk::UnixAddress>,
        make: impl Fn() -> H + 'static,
    ) -> Result<(), Error> {
        let server = DatagramServer::new(make);
        self.running.push(server.running.clone());
        self.served.push(Rc::clone(&server.served));
        self.reactor.context().listen_unix_datagram(path, server).map(drop)
    }

    fn add<H: StreamRequestHandler>(&mut self, server: StreamServer<H>) -> StreamServer<H> {
        self.running.push(server.running.clone());
        self.served.push(Rc::clone(&server.served));
        server
    }

    /// Sets what is done twice a second while the server serves, on the reactor's thread.
    pub fn service_actions(&mut self, actions: impl Fn(&mut Context) + 'static) {
        self.actions = Some(Rc::new(actions));
    }

    /// Serves until [`Shutdown::shutdown`]; with `Reactor::stop_on_signals`, until a signal. Waits for the handlers
    /// within the reactor's grace period, and logs a warning with the peers of those that have not ended.
    ///
    /// At its end all addresses are closed, unlike in Python. The server can listen and serve again.
    ///
    /// # Errors
    ///
    /// Those of [`Reactor::run`].
    pub fn serve_forever(&mut self) -> Result<(), Error> {
        let _begun = self.serving.begin();
        let timer = Rc::new(Cell::new(None));
        if let Some(actions) = self.actions.clone() {
            repeat(self.reactor.context(), actions, Rc::clone(&timer));
        }
        let ended = self.run();
        if let Some(timer) = timer.take() {
            self.reactor.context().cancel(timer);
        }
        ended
    }

    /// Runs the reactor until a stop, which waits for the handlers within the grace period.
    fn run(&mut self) -> Result<(), Error> {
        let ended = self.reactor.run();
        let begin = Instant::now();
        for running in &self.running {
            running.wait(MOMENT.saturating_sub(begin.elapsed()));
        }
        ended
    }

    /// Serves until a request is over: a connection has ended, or a datagram was answered. Requests of others are
    /// served meanwhile. Returns true if a request is over.
    ///
    /// Returns false if there was none for this time, where Python calls `handle_timeout`; with `None` it waits without
    /// limit. Returns false after a [shutdown](Shutdown::shutdown) too, which ends the server as it ends
    /// [`serve_forever`](Self::serve_forever). Service actions are not called.
    ///
    /// # Errors
    ///
    /// Those of [`Reactor::turn`].
    #[doc(alias = "handle_timeout")]
    pub fn handle_request(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        let _begun = self.serving.begin();
        let (begin, before) = (Instant::now(), self.served());
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()));
            self.reactor.turn(left)?;
            if self.reactor.context().is_stopping() {
                self.run()?;
                return Ok(false);
            }
            if self.served() != before {
                return Ok(true);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    fn served(&self) -> u64 {
        self.served.iter().map(|served| served.get()).sum()
    }

    /// Returns what ends [`serve_forever`](Self::serve_forever) and [`handle_request`](Self::handle_request) from
    /// another thread.
    pub fn shutdown_handle(&self) -> Shutdown {
        Shutdown { handle: self.reactor.handle(), serving: Arc::clone(&self.serving) }
    }
}

impl fmt::Debug for SocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketServer").field("reactor", &self.reactor).finish_non_exhaustive()
    }
}

impl<H: StreamRequestHandler, F: Fn() -> H + 'static> From<F> for StreamServer<H> {
    fn from(make: F) -> Self {
        Self::new(make)
    }
}

/// Calls the actions at each interval. `timer` holds the id of the next call.
fn repeat(context: &mut Context, actions: Actions, timer: Rc<Cell<Option<TimerId>>>) {
    let next = Rc::clone(&timer);
    let id = context.call_later(INTERVAL, move |context| {
        actions(context);
        repeat(context, actions, next);
    });
    timer.set(Some(id));
}

/// Ends a server from another thread.
#[derive(Clone, Debug)]
pub struct Shutdown {
    handle: Handle,
    serving: Arc<Serving>,
}

impl Shutdown {
    /// Ends [`SocketServer::serve_forever`] or [`SocketServer::handle_request`], and waits until it has returned. It
    /// does not wait on the server's own thread. If the server does not serve now, its next call ends at once.
    pub fn shutdown(&self) {
        let call = self.serving.call();
        if self.handle.stop().is_ok() {
            call.into_iter().for_each(|call| self.serving.wait(call));
        }
    }
}

/// The calls of a server that serve.
#[derive(Debug, Default)]
struct Serving {
    state: Mutex<ServingState>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct ServingState {
    /// The thread of the present call.
    thread: Option<ThreadId>,
    /// The number of calls that have ended.
    ended: u64,
}

impl Serving {
    fn lock(&self) -> MutexGuard<'_, ServingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>) -> Begun {
        self.lock().thread = Some(thread::current().id());
        Begun(Arc::clone(self))
    }

    /// Returns the number of the present call, if there is one, and on another thread.
    fn call(&self) -> Option<u64> {
        let state = self.lock();
        state.thread.filter(|thread| *thread != thread::current().id()).map(|_| state.ended)
    }

    /// Waits for the end of a call. Another one may have begun by then.
    fn wait(&self, call: u64) {
        let waited = self.ended.wait_while(self.lock(), |state| state.ended == call);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The time in which a server serves.
struct Begun(Arc<Serving>);

impl Drop for Begun {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.thread = None;
        state.ended += 1;
        drop(state);
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop of calls begins the next one before a waiting thread wakes up.
    #[test]
    fn wait_ends_with_its_call_alone() {
        let serving = Arc::new(Serving::default());
        let begun = serving.begin();
        assert_eq!(serving.call(), None, "it is on this thread");
        let other = Arc::clone(&serving);
        let call = thread::spawn(move || other.call()).join().unwrap();
        drop(begun);
        let _next = serving.begin();
        serving.wait(call.unwrap());
    }
}
