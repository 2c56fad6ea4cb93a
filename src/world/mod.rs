//! The world outside: the poll, the clock and the sockets. Floor 1, and the seam of the house.
//!
//! Whatever the reactor learns from outside or does to it goes through the types of this folder and
//! through nothing else. They are concrete and thin, so the way to the real system costs nothing;
//! a simulated world enters here, as a second variant behind the same methods.

mod clock;
mod poll;
mod tcp;

use crate::id::Id;
use crate::logging::REACTOR;
use crate::options::ListenOptions;
use log::debug;
use mio::event::Source;
use mio::{Interest, Registry};
use std::io;
use std::net::SocketAddr;

pub(crate) use clock::Clock;
pub(crate) use poll::{Event, Poller, Readiness, Waker};
pub(crate) use tcp::{TcpListener, TcpStream};

/// Where sockets come from, and who tells the poll to watch them.
///
/// Each socket is watched from its beginning to its end, for everything and edge-triggered. It is
/// forgotten before it is closed: were its descriptor held elsewhere too, say by a child, the poll
/// would go on reporting.
#[derive(Debug)]
pub(crate) struct World {
    registry: Registry,
    clock: Clock,
}

impl World {
    fn new(registry: Registry) -> Self {
        Self { registry, clock: Clock }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// A socket that listens on `address`.
    pub(crate) fn listen(
        &self,
        address: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<TcpListener> {
        TcpListener::bind(address, options)
    }

    /// A socket that has begun to connect to `address`.
    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address)
    }

    pub(crate) fn watch_listener(&self, listener: &mut TcpListener, id: Id) -> io::Result<()> {
        self.registry.register(listener.source(), id.token(), Interest::READABLE)
    }

    pub(crate) fn watch_stream(&self, stream: &mut TcpStream, id: Id) -> io::Result<()> {
        // Urgent data is watched for because a read stops short before it (see `more_follows`).
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(stream.source(), id.token(), interest)
    }

    #[cfg(all(unix, feature = "signals"))]
    pub(crate) fn watch_signals(&self, signals: &mut impl Source) -> io::Result<()> {
        self.registry.register(signals, poll::SIGNALS, Interest::READABLE)
    }

    pub(crate) fn forget_listener(&self, listener: &mut TcpListener) {
        self.forget(listener.source());
    }

    pub(crate) fn forget_stream(&self, stream: &mut TcpStream) {
        self.forget(stream.source());
    }

    fn forget(&self, source: &mut impl Source) {
        if let Err(error) = self.registry.deregister(source) {
            debug!(target: REACTOR, "deregistering a socket: {error}");
        }
    }
}
