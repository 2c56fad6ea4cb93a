//! Servers of stream connections: a handler for each, on a thread.

use crate::Connection;
use crate::handler::{HandlerError, StreamRequestHandler};
use crate::link::{HandlerLink, Link};
use crate::running::{Handler, Running};
use log::{debug, warn};
use ropewalk::{Address, Factory, Protocol, Reason, TimerId, Transport};
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What an error of a handler is passed to.
type OnError = Arc<dyn Fn(&Address, &HandlerError) + Send + Sync>;
/// Makes the handler of a connection.
type Make<H> = Rc<dyn Fn() -> H>;

/// The default number of handlers at a time, each with a thread: few enough for the system's default limits.
const MAX_HANDLERS: usize = 1000;

/// How long a connection waits for a thread or a process by default.
pub(crate) const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);

/// A [`Factory`] that serves each connection by a [`StreamRequestHandler`], on a thread of its own.
///
/// It can be passed to everything that takes a factory, beside others in the same reactor. The number of threads has a
/// limit, [`max_handlers`](Self::max_handlers). A [`SocketServer`](crate::SocketServer)
/// does that for a program that has nothing else to do.
///
/// When the reactor stops, the input of all handlers ends. Their connections stay open until the handlers have
/// ended, and the stop waits for handlers without a connection too, within the
/// [grace period](ropewalk::Reactor::set_grace). Then those that have not ended are named in the log and left behind.
///
/// ```
/// use ropewalk::Reactor;
/// use ropewalk_socketserver::{Connection, StreamRequestHandler, StreamServer};
/// use std::io::{self, Write};
///
/// struct Greet;
///
/// impl StreamRequestHandler for Greet {
///     fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
///         let peer = connection.peer().clone();
///         writeln!(connection, "hello, {peer}")
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let server = StreamServer::new(|| Greet).max_handlers(500);
/// reactor.listen_tcp("127.0.0.1:0", server)?;
/// # reactor.context().stop();
/// # reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[doc(alias = "ThreadingMixIn")]
#[doc(alias = "ThreadingTCPServer")]
#[doc(alias = "TCPServer")]
pub struct StreamServer<H> {
    make: Make<H>,
    verify: Rc<dyn Fn(&Address) -> bool>,
    on_error: OnError,
    in_pool: bool,
    max_handlers: usize,
    queue_timeout: Duration,
    pub(crate) running: Running,
    /// The number of requests that are over.
    pub(crate) served: Rc<Cell<u64>>,
}

impl<H: StreamRequestHandler> StreamServer<H> {
    /// Makes a factory. `make` is called for each connection, on the reactor's thread.
    pub fn new(make: impl Fn() -> H + 'static) -> Self {
        Self {
            make: Rc::new(make),
            verify: Rc::new(|_| true),
            on_error: Arc::new(|peer, error| warn!("the handler of {peer} failed: {error}")),
            in_pool: false,
            max_handlers: MAX_HANDLERS,
            queue_timeout: QUEUE_TIMEOUT,
            running: Running::default(),
            served: Rc::default(),
        }
    }

    /// Has handlers run on the threads of the reactor's pool ([`Reactor::set_threads`](ropewalk::Reactor::set_threads)):
    /// connections wait until a thread is free, for a minute at most
    /// ([`queue_timeout`](Self::queue_timeout)). A connection for which there is no place in the pool's queue is closed.
    #[must_use]
    pub fn in_pool(mut self) -> Self {
        self.in_pool = true;
        self
    }

    /// Sets how long a connection waits for a thread of the [pool](Self::in_pool). Then it is closed. Default: a minute.
    ///
    /// Clients beyond [`ListenOptions::max_connections`](ropewalk::ListenOptions::max_connections) wait in the backlog
    /// of the listener, as in Python, and only they decide for how long.
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// Sets how many handlers run at a time. Connections beyond it are closed. A handler counts until it has ended, which
    /// may be long after its connection: so
    /// [`ListenOptions::max_connections`](ropewalk::ListenOptions::max_connections) does not limit the threads.
    /// Default: 1,000.
    #[must_use]
    pub fn max_handlers(mut self, count: usize) -> Self {
        self.max_handlers = count;
        self
    }

    /// Sets which peers are served. The connections of others are closed. Default: all.
    #[doc(alias = "verify_request")]
    #[must_use]
    pub fn verify(mut self, verify: impl Fn(&Address) -> bool + 'static) -> Self {
        self.verify = Rc::new(verify);
        self
    }

    /// Sets what happens when a handler has failed or panicked. It is called on the handler's thread. Default: a
    /// warning in the log.
    #[doc(alias = "handle_error")]
    #[must_use]
    pub fn on_error(
        mut self,
        on_error: impl Fn(&Address, &HandlerError) + Send + Sync + 'static,
    ) -> Self {
        self.on_error = Arc::new(on_error);
        self
    }
}

impl<H: StreamRequestHandler> Factory for StreamServer<H> {
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        if !(self.verify)(peer) {
            debug!("{peer} refused");
            return None;
        }
        if self.running.count() >= self.max_handlers {
            warn!("{peer} refused: {} handlers are running, which is the limit", self.max_handlers);
            return None;
        }
        Some(Box::new(Blocking {
            make: Rc::clone(&self.make),
            on_error: Arc::clone(&self.on_error),
            queue_timeout: self.in_pool.then_some(self.queue_timeout),
            running: self.running.clone(),
            served: Rc::clone(&self.served),
            link: None,
        }))
    }
}

impl<H> fmt::Debug for StreamServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamServer").field("in_pool", &self.in_pool).finish_non_exhaustive()
    }
}

/// The protocol of a connection with a handler: it moves bytes from and to the link.
struct Blocking<H> {
    make: Make<H>,
    on_error: OnError,
    /// How long it waits for a thread of the pool; `None` without the pool.
    queue_timeout: Option<Duration>,
    running: Running,
    served: Rc<Cell<u64>>,
    link: Option<Arc<Link>>,
}

impl<H: StreamRequestHandler> Protocol for Blocking<H> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let link = self.link.insert(Link::new(transport));
        let (peer, local) = (transport.peer(), transport.local_address());
        let job = Job {
            handler: (self.make)(),
            _running: self.running.begin(transport.context(), peer.to_string()),
            connection: Connection::new(HandlerLink(Arc::clone(link)), peer.clone(), local),
            on_error: Arc::clone(&self.on_error),
        };
        let started = match self.queue_timeout {
            Some(timeout) => {
                transport.set_timer(timeout);
                transport.call_in_thread(move || job.run(), |_, _| {}).map_err(|e| e.to_string())
            }
            None => {
                let thread = thread::Builder::new().name(format!("handler of {peer}"));
                thread.spawn(move || job.run()).map(drop).map_err(|error| error.to_string())
            }
        };
        if let Err(error) = started {
            warn!("{peer} closed: no thread for its handler: {error}");
            transport.close();
        }
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Some(link) = &self.link {
            link.receive(transport, data);
        }
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        if !self.link.as_ref().is_some_and(|link| link.has_begun()) {
            warn!("{} closed: no thread was free in time", transport.peer());
            transport.close();
        }
    }

    /// The handler reads the end, and can still write.
    fn eof_received(&mut self, _transport: &mut Transport<'_>) {
        self.end_input();
    }

    fn pause_writing(&mut self, _transport: &mut Transport<'_>) {
        if let Some(link) = &self.link {
            link.set_full(true);
        }
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        if let Some(link) = &self.link {
            link.set_full(false);
            link.look(transport.context());
        }
    }

    /// The input ends; the connection stays until the handler has ended.
    fn draining(&mut self, _transport: &mut Transport<'_>) -> bool {
        self.end_input();
        true
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.served.set(self.served.get() + 1);
        if let Some(link) = &self.link {
            link.lose(&reason);
        }
    }
}

impl<H> Blocking<H> {
    fn end_input(&self) {
        if let Some(link) = &self.link {
            link.end_input();
        }
    }
}

/// The work of a handler's thread.
struct Job<H> {
    handler: H,
    /// Dropped before the connection, since the end of the connection may end the run.
    _running: Handler,
    connection: Connection,
    on_error: OnError,
}

impl<H: StreamRequestHandler> Job<H> {
    fn run(mut self) {
        self.connection.begin();
        let served = self.serve();
        if let Err(error) = served {
            // The user's function may panic as well.
            let report = || (self.on_error)(self.connection.peer(), &error);
            let _ = catch_unwind(AssertUnwindSafe(report));
        }
    }

    fn serve(&mut self) -> Result<(), HandlerError> {
        let Self { handler, connection, .. } = self;
        guarded(|| handler.setup(connection))?;
        let handled = guarded(|| handler.handle(connection));
        let finished = guarded(|| handler.finish(connection));
        handled.and(finished)
    }
}

fn guarded(code: impl FnOnce() -> std::io::Result<()>) -> Result<(), HandlerError> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(HandlerError::Failed(error)),
        Err(panic) => Err(HandlerError::of_panic(&*panic)),
    }
}
