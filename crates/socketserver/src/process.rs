//! Servers that run a process for each connection.

use crate::HandlerError;
use crate::stream::QUEUE_TIMEOUT;
use log::{info, warn};
use ropewalk::{
    Address, Context, Factory, Id, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport,
    Protocol, Reason, TimerId, Transport,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// The default number of processes: that of Python's `ForkingMixIn`.
const MAX_CHILDREN: usize = 40;

/// A [`Factory`] that runs a process for each connection, with the connection as its standard input and output, as
/// inetd(8) does.
///
/// The socket itself is handed to the process, so the data does not pass through this program. Connections beyond the
/// number of processes wait, for a minute at most ([`queue_timeout`](Self::queue_timeout));
/// [`ListenOptions::max_connections`](ropewalk::ListenOptions::max_connections) limits how many. A stop of the reactor
/// ends the processes: SIGTERM, and SIGKILL after the grace period. Linux only.
///
/// Other than in Python, the process runs a program: a copy of this process by fork(2) alone is unsafe in a program
/// with threads.
///
/// ```
/// use ropewalk::{ListenOptions, ProcessOptions, Reactor};
/// use ropewalk_socketserver::ProcessServer;
///
/// let mut reactor = Reactor::new()?;
/// let server = ProcessServer::new(|_peer| ProcessOptions::new("cat")).max_children(10);
/// ListenOptions::new().max_connections(100).listen_tcp(reactor.context(), "127.0.0.1:0", server)?;
/// # reactor.context().stop();
/// # reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[doc(alias = "ForkingMixIn")]
#[doc(alias = "ForkingTCPServer")]
#[doc(alias = "inetd")]
pub struct ProcessServer {
    service: Service,
}

type Service = Rc<RefCell<State>>;

struct State {
    make: Box<dyn Fn(&Address) -> ProcessOptions>,
    /// The number of processes that may be started now.
    left: usize,
    queue_timeout: Duration,
    /// The connections that wait for a process.
    waiting: VecDeque<Id>,
}

impl ProcessServer {
    /// Makes a factory. `make` is called for each connection; its standard input and output are replaced, and standard
    /// error is logged unless it is set otherwise. A panic of `make` is logged and costs the connection.
    pub fn new(make: impl Fn(&Address) -> ProcessOptions + 'static) -> Self {
        let state = State {
            make: Box::new(make),
            left: MAX_CHILDREN,
            queue_timeout: QUEUE_TIMEOUT,
            waiting: VecDeque::new(),
        };
        Self { service: Rc::new(RefCell::new(state)) }
    }

    /// Sets how many processes run at a time. Default: 40.
    #[must_use]
    pub fn max_children(self, count: usize) -> Self {
        self.service.borrow_mut().left = count;
        self
    }

    /// Sets how long a connection waits for a process. Then it is closed. Default: a minute.
    #[must_use]
    pub fn queue_timeout(self, timeout: Duration) -> Self {
        self.service.borrow_mut().queue_timeout = timeout;
        self
    }
}

impl Factory for ProcessServer {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Waiting(Rc::clone(&self.service))))
    }
}

impl fmt::Debug for ProcessServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessServer")
            .field("left", &self.service.borrow().left)
            .finish_non_exhaustive()
    }
}

/// A connection until it is handed over. It is not read.
struct Waiting(Service);

impl Protocol for Waiting {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.pause();
        transport.set_timer(self.0.borrow().queue_timeout);
        self.0.borrow_mut().waiting.push_back(transport.id());
        serve(transport.context(), &self.0);
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        warn!("{} closed: no process was free in time", transport.peer());
        transport.close();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        let id = transport.id();
        self.0.borrow_mut().waiting.retain(|waiting| *waiting != id);
    }
}

/// Hands waiting connections to processes, as many as the limit allows. A failure costs its connection only.
fn serve(context: &mut Context, service: &Service) {
    loop {
        let mut state = service.borrow_mut();
        if state.left == 0 {
            return;
        }
        let Some(connection) = state.waiting.pop_front() else { return };
        let peer = context.transport(connection).peer();
        // This may be the callback of another connection, which a panic must not cost.
        let options = match catch_unwind(AssertUnwindSafe(|| (state.make)(&peer))) {
            Ok(options) => options,
            Err(panic) => {
                warn!("{peer} closed: {}", HandlerError::of_panic(&*panic));
                context.abort(connection);
                continue;
            }
        };
        match hand_over(context, connection, options, service, &peer) {
            Ok(_) => state.left -= 1,
            Err(error) => warn!("{peer} closed: {error}"),
        }
    }
}

fn hand_over(
    context: &mut Context,
    connection: Id,
    options: ProcessOptions,
    service: &Service,
    peer: &Address,
) -> io::Result<Id> {
    let detached =
        context.transport(connection).detach().inspect_err(|_| context.abort(connection))?;
    let socket = TcpStream::from(detached.socket);
    // Programs do not expect a non-blocking standard input.
    socket.set_nonblocking(false)?;
    let child = Child { service: Rc::clone(service), peer: peer.clone() };
    let copy = OwnedFd::from(socket.try_clone()?);
    Ok(options.stdin(copy).stdout(OwnedFd::from(socket)).spawn(context, child)?)
}

/// The process of a connection.
struct Child {
    service: Service,
    peer: Address,
}

impl ProcessProtocol for Child {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        info!("{}: process {}", self.peer, process.number().unwrap_or_default());
    }

    fn err_received(&mut self, _process: &mut ProcessTransport<'_>, data: &[u8]) {
        warn!("{}: {}", self.peer, String::from_utf8_lossy(data).trim_end());
    }

    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        info!("{}: {exit}", self.peer);
        self.service.borrow_mut().left += 1;
        serve(process.context(), &self.service);
    }
}
