//! Backends: the trait between a reactor and everything outside it, the seam.
//!
//! The system implements [`Backend`] like any other backend: see [`System`]. A simulated network is another
//! implementation; a recording one wraps any other. No code above `sys` distinguishes them. Default methods return
//! [`Unsupported`](std::io::ErrorKind::Unsupported) for requests that only a system can serve.
//!
//! Streams are the one exception to trait objects. [`StreamSocket`] holds either a socket of the system or a boxed
//! [`StreamBackend`], so that the read and the write of an echo are inlined. A call through a trait object would
//! return after the system call, and the first such return is slow on some machines (docs/costs.md).

mod answer;
mod arrival;
mod event;
mod option;
#[cfg(all(unix, feature = "process"))]
mod process;
mod request;
#[cfg(feature = "signals")]
mod signals;
mod socket;
mod stream;
mod thread_job;

#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::thread_options::ThreadOptions;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(all(unix, feature = "process"))]
use std::process::Command;
use std::task::Waker;
use std::time::{Duration, Instant};

#[cfg(feature = "system")]
pub use crate::sys::System;
#[cfg(unix)]
pub use crate::sys::received::ReceivedMessage;
#[cfg(all(unix, feature = "process"))]
pub use crate::values::process::ProcessSettings;
pub use crate::values::readiness::Readiness;
#[cfg(unix)]
pub use crate::values::watch::Ready;
pub(crate) use answer::no_service;
pub use answer::{Answer, Answered};
pub use arrival::{ArrivalBackend, Incoming, SentKind};
pub use event::{Event, EventIter, Events};
pub use option::set_option;
pub(crate) use option::unsupported;
#[cfg(all(unix, feature = "process"))]
pub use process::{ProcessBackend, Spawned};
pub use request::*;
#[cfg(feature = "signals")]
pub use signals::{SignalBackend, SignalWatchBackend};
#[cfg(unix)]
pub use socket::WatchBackend;
pub use socket::{DatagramBackend, ListenerBackend, Multicast, SocketBackend, StreamBackend};
pub use stream::StreamSocket;
pub(crate) use thread_job::JobWork;
pub use thread_job::{JobRefused, ThreadJob, too_many_jobs};

/// The environment of a reactor: the poll, the clock, names and sockets.
///
/// A reactor made with [`Reactor::with_backend`](crate::Reactor::with_backend) does all input and output through
/// these methods, and through those of the sockets that they return. Protocols cannot distinguish backends.
///
/// Errors have the same meaning as from the system: [`WouldBlock`](io::ErrorKind::WouldBlock) means that nothing can
/// be done now and that an event will follow when it can, `ConnectionReset` that the peer has reset the connection.
pub trait Backend: fmt::Debug {
    /// Returns the current time, which never decreases.
    fn now(&self) -> Instant;

    /// Appends the events since the last call to `events`. If there are none, it may wait for one, at most
    /// `limit`; `None` is without limit. It may return without events.
    ///
    /// # Errors
    ///
    /// [`Interrupted`](io::ErrorKind::Interrupted) counts as a wait without events. Any other error ends the
    /// run.
    fn wait(&self, limit: Option<Duration>, events: &mut Events) -> io::Result<()>;

    /// Returns a descriptor that is readable while [`wait`](Self::wait) would return events. Default: `None`.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns the waker that other threads use to end a wait: it must cause [`Event::WOKEN`].
    fn waker(&self) -> Waker;

    /// Returns what notes the arrivals from other threads. It is called once. Default: `None`.
    fn arrivals(&self) -> Option<Box<dyn ArrivalBackend>> {
        None
    }

    /// Returns true if the reactor calls [`called`](Self::called) after every callback. Each callback is then
    /// timed separately, so reading the clock should be cheap. Default: false.
    fn observes_callbacks(&self) -> bool {
        false
    }

    /// Notes that user code has returned: `callback` of `owner`, a type or a function. `id` is the socket that it
    /// belongs to, if any. Called only if the backend [observes callbacks](Self::observes_callbacks).
    fn called(&self, id: Option<Id>, owner: &'static str, callback: &'static str) {
        let _ = (id, owner, callback);
    }

    /// Notes that user code has panicked, with the panic's message. `callback` is `drop` if a user's value was
    /// being dropped. The reactor continues; a backend that runs tests may fail them.
    fn panicked(&self, id: Option<Id>, owner: &'static str, callback: &'static str, message: &str) {
        let _ = (id, owner, callback, message);
    }

    /// Returns the addresses of a name, in the order in which they are to be tried. It may block, so it is not
    /// called while the reactor runs. It is not called for a numeric address, unless an IPv6 address carries the name
    /// of an interface, `fe80::1%eth0`, which must not block.
    ///
    /// # Errors
    ///
    /// If the name does not exist.
    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// Begins to look up the addresses of a name. It must not block: `answer` reports them now or later, from any
    /// thread. Default: [`look_up`](Self::look_up), for backends that do not block in it.
    fn begin_look_up(&self, name: &str, port: u16, answer: Answer) {
        match self.look_up(name, port) {
            Ok(found) => answer.succeed(found),
            Err(error) => answer.fail(error),
        }
    }

    /// Returns the port of a service of `tcp` or `udp`, such as 443 for `https`. It must not block.
    ///
    /// # Errors
    ///
    /// If the service is unknown. By default all are.
    fn service_port(&self, service: &str, protocol: &str) -> io::Result<u16> {
        Err(no_service(service, protocol))
    }

    /// Returns the name of this host.
    ///
    /// # Errors
    ///
    /// If it is not known. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    fn host_name(&self) -> io::Result<String> {
        Err(unsupported())
    }

    /// Has a job [run](ThreadJob::run) on another thread, or later. It must not block, nor run the job itself.
    ///
    /// # Errors
    ///
    /// If too many jobs wait ([`too_many_jobs`]), or no thread can be started; the job is returned. Default:
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    fn run_job(&self, job: ThreadJob, _options: &ThreadOptions) -> Result<(), JobRefused> {
        Err((job, unsupported()))
    }

    /// Drops waiting jobs, and waits for the end of all threads but `running`: a run has ended. Default: nothing.
    fn end_jobs(&self, _running: usize) {}

    /// Opens a socket that listens on an address. Port 0 means any free port.
    ///
    /// # Errors
    ///
    /// If the address is in use or not local.
    fn listen(
        &self,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Box<dyn ListenerBackend>>;

    /// Begins to connect. [`StreamBackend::connected_to`] reports the outcome.
    ///
    /// # Errors
    ///
    /// If the attempt fails immediately.
    fn connect(&self, peer: &Address, request: &ConnectRequest<'_>) -> io::Result<StreamSocket>;

    /// Opens a datagram socket that is bound to an address.
    ///
    /// # Errors
    ///
    /// If the address is in use or not local.
    fn bind_datagram(
        &self,
        local: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>>;

    /// Opens a datagram socket that is connected to a peer.
    ///
    /// # Errors
    ///
    /// If the peer cannot be reached.
    fn connect_datagram(
        &self,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>>;

    /// Opens a raw socket for an IP protocol.
    ///
    /// # Errors
    ///
    /// Default: [`Unsupported`](io::ErrorKind::Unsupported).
    fn open_raw(
        &self,
        local: IpAddr,
        protocol: u8,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let _ = (local, protocol, request);
        Err(unsupported())
    }

    /// Opens a socket for ICMP echoes.
    ///
    /// # Errors
    ///
    /// Default: [`Unsupported`](io::ErrorKind::Unsupported).
    fn open_ping(
        &self,
        local: IpAddr,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Box<dyn DatagramBackend>> {
        let _ = (local, request);
        Err(unsupported())
    }

    /// Adopts a descriptor of a socket that listens.
    ///
    /// # Errors
    ///
    /// If it is anything else. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn adopt_listener(&self, request: AdoptRequest) -> io::Result<Box<dyn ListenerBackend>> {
        drop(request);
        Err(unsupported())
    }

    /// Adopts a descriptor of a connected stream socket. Returns the peer's address as well.
    ///
    /// # Errors
    ///
    /// If it is anything else. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn adopt_connection(&self, request: AdoptRequest) -> io::Result<(StreamSocket, Address)> {
        drop(request);
        Err(unsupported())
    }

    /// Adopts a descriptor of a datagram socket. Returns the address of the peer as well, if the socket is
    /// connected.
    ///
    /// # Errors
    ///
    /// If it is anything else. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(Box<dyn DatagramBackend>, Option<Address>)> {
        drop(descriptor);
        Err(unsupported())
    }

    /// Makes a stream that reads `input` and writes `output`. They may be descriptors of any kind.
    ///
    /// # Errors
    ///
    /// If one cannot be used. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn adopt_pipes(
        &self,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
    ) -> io::Result<StreamSocket> {
        drop((input, output));
        Err(unsupported())
    }

    /// Starts a process. Its pipes are those for which `command` asks. With a pseudo-terminal, that is standard input and
    /// output, there is no standard error, and `command` is replaced.
    ///
    /// # Errors
    ///
    /// If the program cannot be executed. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(all(unix, feature = "process"))]
    fn spawn_process(
        &self,
        command: &mut Command,
        settings: ProcessSettings,
    ) -> io::Result<Spawned> {
        let _ = (command, settings);
        Err(unsupported())
    }

    /// Makes a stream of standard input and output. Once one of the two has ended, the null device takes its place.
    ///
    /// # Errors
    ///
    /// If the process has none. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(all(unix, feature = "process"))]
    fn standard_io(&self) -> io::Result<StreamSocket> {
        Err(unsupported())
    }

    /// Copies a descriptor in order to watch it.
    ///
    /// # Errors
    ///
    /// If it cannot be copied. Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn watch(&self, descriptor: BorrowedFd<'_>) -> io::Result<Box<dyn WatchBackend>> {
        let _ = descriptor;
        Err(unsupported())
    }

    /// Returns true if descriptors can be passed over its Unix connections. Default: false.
    #[cfg(unix)]
    fn passes_descriptors(&self) -> bool {
        false
    }

    /// Catches SIGINT and SIGTERM from now on; [`Event::SIGNALLED`] reports them. Default: `None`, no signals.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    #[cfg(feature = "signals")]
    fn catch_signals(&self) -> io::Result<Option<Box<dyn SignalBackend>>> {
        Ok(None)
    }

    /// Catches a signal from now on; [`Event::SIGNALLED`] reports it.
    ///
    /// # Errors
    ///
    /// If the signal cannot be caught, or the system has no descriptors left. Default:
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(feature = "signals")]
    fn watch_signal(&self, signal: i32) -> io::Result<Box<dyn SignalWatchBackend>> {
        let _ = signal;
        Err(unsupported())
    }
}
