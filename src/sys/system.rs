//! The system as a backend: the clock, names, and opening sockets.

#[cfg(unix)]
use crate::sys::adopt;
#[cfg(all(unix, feature = "process"))]
use crate::sys::backend::Spawned;
#[cfg(unix)]
use crate::sys::backend::{AdoptRequest, WatchBackend};
use crate::sys::backend::{
    Answer, Backend, ConnectRequest, DatagramBackend, DatagramRequest, Events, JobRefused,
    ListenRequest, ListenerBackend, StreamSocket, ThreadJob,
};
#[cfg(all(unix, feature = "signals"))]
use crate::sys::backend::{SignalBackend, SignalWatchBackend};
use crate::sys::datagram::SystemDatagram;
use crate::sys::listener::SystemListener;
use crate::sys::names::{self, NameWork};
use crate::sys::poll::Poller;
use crate::sys::pool::Pool;
#[cfg(all(unix, feature = "process"))]
use crate::sys::process;
#[cfg(all(unix, feature = "signals"))]
use crate::sys::signals::{CaughtSignals, WatchedSignal};
#[cfg(unix)]
use crate::sys::stream::SystemPipes;
use crate::sys::stream::SystemStream;
use crate::sys::thread_job::JobThreads;
#[cfg(unix)]
use crate::sys::watch::SystemWatch;
#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::address::{Address, unknown};
#[cfg(all(unix, feature = "process"))]
use crate::values::process::ProcessSettings;
use crate::values::thread_options::ThreadOptions;
use mio::Registry;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(all(unix, feature = "process"))]
use std::process::Command;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// The operating system as a [`Backend`], used by [`Reactor::new`](crate::Reactor::new).
///
/// Each socket is registered with the poll, edge-triggered, from opening to closing. A stream is registered for
/// all events.
///
/// ```
/// use ropewalk::backend::System;
/// use ropewalk::Reactor;
///
/// // A backend of your own can wrap the system.
/// let system = System::new().unwrap();
/// let reactor = Reactor::with_backend(system);
/// # let _ = reactor;
/// ```
#[derive(Debug)]
pub struct System {
    /// Borrowed during a wait, in which no other method is called.
    poller: RefCell<Poller>,
    registry: Rc<Registry>,
    waker: Waker,
    /// The threads that look names up.
    resolvers: Pool,
    job_threads: JobThreads,
}

impl System {
    /// Opens a poll and its waker.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let registry = Rc::new(poller.registry().try_clone()?);
        let waker = poller.waker()?;
        let resolvers = Pool::new("ropewalk-names", 0..=names::THREADS, names::WAITING);
        let job_threads = JobThreads::default();
        Ok(Self { poller: RefCell::new(poller), registry, waker, resolvers, job_threads })
    }
}

impl Backend for System {
    /// Returns the time of the monotonic clock, which does not change with the wall clock. It is read only
    /// here.
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, limit: Option<Duration>, events: &mut Events) -> io::Result<()> {
        self.poller.borrow_mut().wait(limit, events)
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.registry.as_fd())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        names::look_up(name, port)
    }

    /// Looks the name up on a thread, by getaddrinfo(3), which honours `/etc/hosts` and nsswitch.conf(5). Eight names
    /// are looked up at a time. A look-up that hangs keeps its thread, but not the reactor, nor the end of the
    /// program.
    fn begin_look_up(&self, name: &str, port: u16, answer: Answer) {
        NameWork::begin(&self.resolvers, name, port, answer);
    }

    /// Reads the file of services(5), which is local.
    fn service_port(&self, service: &str, protocol: &str) -> io::Result<u16> {
        names::service_port(service, protocol)
    }

    fn host_name(&self) -> io::Result<String> {
        names::host_name()
    }

    fn run_job(&self, job: ThreadJob, options: &ThreadOptions) -> Result<(), JobRefused> {
        self.job_threads.run(job, options)
    }

    fn end_jobs(&self, running: usize) {
        self.job_threads.end(running);
    }

    fn listen(
        &self,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>> {
        Ok(Box::new(SystemListener::bind(&self.registry, address, request)?))
    }

    fn connect(&self, peer: &Address, request: &ConnectRequest<'_>) -> io::Result<StreamSocket> {
        let poll = &self.registry;
        let stream = match peer {
            Address::Inet(peer) => {
                SystemStream::connect(poll, *peer, request.local, request.options)
            }
            #[cfg(unix)]
            Address::Unix(peer) => SystemStream::connect_unix(poll, peer, request),
            _ => Err(unknown()),
        };
        stream.map(StreamSocket::system)
    }

    fn bind_datagram(
        &self,
        local: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SystemDatagram::bind(&self.registry, local, request)?))
    }

    fn connect_datagram(
        &self,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SystemDatagram::connected(&self.registry, peer, request)?))
    }

    fn open_raw(
        &self,
        local: IpAddr,
        protocol: u8,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SystemDatagram::raw(&self.registry, local, protocol, request)?))
    }

    fn open_ping(
        &self,
        local: IpAddr,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        Ok(Box::new(SystemDatagram::ping(&self.registry, local, request)?))
    }

    #[cfg(unix)]
    fn adopt_listener(&self, request: AdoptRequest) -> io::Result<Box<dyn ListenerBackend>> {
        Ok(Box::new(adopt::listener(&self.registry, request)?))
    }

    #[cfg(unix)]
    fn adopt_connection(&self, request: AdoptRequest) -> io::Result<(StreamSocket, Address)> {
        let (socket, peer) = adopt::connection(&self.registry, request)?;
        Ok((StreamSocket::system(socket), peer))
    }

    #[cfg(unix)]
    fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(Box<dyn DatagramBackend>, Option<Address>)> {
        let (socket, peer) = adopt::datagram(&self.registry, descriptor)?;
        Ok((Box::new(socket), peer))
    }

    #[cfg(unix)]
    fn adopt_pipes(
        &self,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<StreamSocket> {
        Ok(StreamSocket::new(SystemPipes::new(&self.registry, input, output)?))
    }

    #[cfg(all(unix, feature = "process"))]
    fn spawn_process(
        &self,
        command: &mut Command,
        settings: ProcessSettings,
    ) -> io::Result<Spawned> {
        process::spawn(&self.registry, command, settings)
    }

    #[cfg(all(unix, feature = "process"))]
    fn standard_io(&self) -> io::Result<StreamSocket> {
        Ok(StreamSocket::new(SystemPipes::standard(&self.registry)?))
    }

    #[cfg(unix)]
    fn watch(&self, descriptor: BorrowedFd<'_>) -> io::Result<Box<dyn WatchBackend>> {
        Ok(Box::new(SystemWatch::new(&self.registry, descriptor)?))
    }

    #[cfg(unix)]
    fn passes_descriptors(&self) -> bool {
        true
    }

    #[cfg(all(unix, feature = "signals"))]
    fn catch_signals(&self) -> io::Result<Option<Box<dyn SignalBackend>>> {
        Ok(Some(Box::new(CaughtSignals::catch(&self.registry)?)))
    }

    #[cfg(all(unix, feature = "signals"))]
    fn watch_signal(&self, signal: i32) -> io::Result<Box<dyn SignalWatchBackend>> {
        Ok(Box::new(WatchedSignal::watch(&self.registry, signal)?))
    }
}
