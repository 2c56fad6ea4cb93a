//! The backend of a simulated node's reactor.

use crate::net::{Shared, SimulatedDatagram, SimulatedListener, SimulatedStream, nanos};
use crate::node::NodeId;
use crate::trace::What;
use ropewalk::backend::{
    Backend, ConnectRequest, DatagramBackend, DatagramRequest, Events, JobRefused, ListenRequest,
    ListenerBackend, StreamSocket, ThreadJob,
};
use ropewalk::{Address, Answer, Id, SocketOption, ThreadOptions};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// The nodes with woken reactors, possibly by another thread.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    is_set: AtomicBool,
    woken: Mutex<Vec<NodeId>>,
}

impl Wakeups {
    /// Returns the nodes that were woken since the last call.
    pub(crate) fn take(&self) -> Option<Vec<NodeId>> {
        if !self.is_set.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut woken))
    }
}

#[derive(Debug)]
struct NodeWaker {
    node: NodeId,
    wakeups: Arc<Wakeups>,
}

impl Wake for NodeWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.wakeups.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self.node);
        self.wakeups.is_set.store(true, Ordering::Release);
    }
}

/// The backend of one node's reactor: see [`World::set_reactor`](crate::World::set_reactor).
pub struct NodeBackend {
    pub(crate) net: Shared,
    pub(crate) node: NodeId,
    pub(crate) wakeups: Arc<Wakeups>,
}

impl fmt::Debug for NodeBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBackend").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Backend for NodeBackend {
    fn now(&self) -> Instant {
        self.net.borrow().clock(self.node)
    }

    /// Never waits: the world runs a turn of the reactor when there is work.
    fn wait(&self, _limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        self.net.borrow_mut().take_events(self.node, events);
        Ok(())
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::new(NodeWaker { node: self.node, wakeups: Arc::clone(&self.wakeups) }))
    }

    fn observes_callbacks(&self) -> bool {
        true
    }

    fn called(&self, id: Option<Id>, owner: &'static str, callback: &'static str) {
        let mut net = self.net.borrow_mut();
        net.spent += nanos(net.costs.callback);
        net.note(self.node, id, What::Called(owner, callback));
    }

    fn panicked(&self, id: Option<Id>, owner: &'static str, callback: &'static str, message: &str) {
        let net = &mut *self.net.borrow_mut();
        net.note(self.node, id, What::Panics(owner, callback, message));
        net.panics.note(&net.hosts[self.node.index()].name, owner, callback, message);
    }

    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.net.borrow().look_up(self.node, name, port)
    }

    fn begin_look_up(&self, name: &str, port: u16, answer: Answer) {
        self.net.borrow_mut().begin_look_up(self.node, name, port, answer);
    }

    /// Knows the services that tests and examples use, on every system.
    fn service_port(&self, service: &str, protocol: &str) -> io::Result<u16> {
        match (service, protocol) {
            ("domain", _) => Ok(53),
            ("http", "tcp") => Ok(80),
            ("https", _) => Ok(443),
            ("ntp", "udp") => Ok(123),
            ("smtp", "tcp") => Ok(25),
            _ => {
                let text = format!("there is no service `{service}` of {protocol}");
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }

    fn host_name(&self) -> io::Result<String> {
        Ok(self.net.borrow().host(self.node).name.clone())
    }

    fn run_job(&self, job: ThreadJob, options: &ThreadOptions) -> Result<(), JobRefused> {
        self.net.borrow_mut().start_job(self.node, job, options)
    }

    fn end_jobs(&self, _running: usize) {
        let jobs = self.net.borrow_mut().take_jobs(self.node);
        drop(jobs);
    }

    fn listen(
        &self,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>> {
        let mut options = request.options.to_vec();
        if address.ip().is_some() {
            options.push(SocketOption::ReuseAddress(request.reuse_address));
            options.push(SocketOption::ReusePort(request.reuse_port));
        }
        let (net, backlog) = (&self.net, request.backlog);
        Ok(Box::new(SimulatedListener::listen(net, self.node, address, backlog, &options)?))
    }

    fn connect(&self, peer: &Address, request: &ConnectRequest<'_>) -> io::Result<StreamSocket> {
        let stream = SimulatedStream::connect(&self.net, self.node, peer, request)?;
        Ok(StreamSocket::new(stream))
    }

    #[cfg(all(unix, feature = "process"))]
    fn spawn_process(
        &self,
        command: &mut std::process::Command,
        settings: ropewalk::backend::ProcessSettings,
    ) -> io::Result<ropewalk::backend::Spawned> {
        let program = command.get_program().to_string_lossy();
        crate::net::Net::spawn(&self.net, self.node, &program, settings)
    }

    fn bind_datagram(
        &self,
        local: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SimulatedDatagram::bind(&self.net, self.node, local, request.options)?))
    }

    fn connect_datagram(
        &self,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SimulatedDatagram::connected(&self.net, self.node, peer, request.options)?))
    }
}
