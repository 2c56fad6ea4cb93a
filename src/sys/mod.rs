//! The world outside: the poll, the clock and the sockets. Floor 1, and the seam of the house.
//!
//! Whatever the reactor learns from outside or does to it goes through the types of this folder and
//! through nothing else. They are concrete and thin, so the way to the real system costs nothing;
//! a simulated world enters here, as a second variant behind the same methods.

#[cfg(unix)]
mod adopt;
pub mod backend;
mod clock;
mod datagram;
pub(crate) mod errno;
pub(crate) mod error;
#[cfg(unix)]
pub(crate) mod fd_passing;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod foreign_options;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod inherited;
mod listener;
mod multicast;
mod names;
mod options;
mod poll;
mod readiness;
#[cfg(unix)]
mod shared;
#[cfg(all(unix, feature = "signals"))]
pub(crate) mod signals;
#[cfg(unix)]
mod socket_file;
mod stream;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) mod watch;

use crate::values::address::{Address, unknown};
use crate::values::datagram_options::DatagramOptions;
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use crate::values::options::{ConnectOptions, ListenOptions};
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use log::debug;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use backend::SocketBackend;
pub(crate) use backend::{Backend, Multicast};
pub(crate) use clock::Clock;
pub(crate) use datagram::{Arrived, DatagramSocket};
pub(crate) use listener::ListenerSocket;
pub(crate) use names::look_up;
pub(crate) use poll::{Event, Poller, Waker};
pub(crate) use readiness::Readiness;
pub(crate) use stream::StreamSocket;
#[cfg(unix)]
pub(crate) use watch::{Descriptor, Ready};

/// A descriptor, lent.
#[cfg(unix)]
pub(crate) use std::os::fd::BorrowedFd as Borrowed;
#[cfg(unix)]
pub(crate) use std::os::fd::OwnedFd;
#[cfg(windows)]
pub(crate) use std::os::windows::io::BorrowedSocket as Borrowed;

/// Where sockets come from, and who tells the poll to watch them.
///
/// Each socket is watched from its beginning to its end, for everything (but see
/// [`DatagramSocket`]) and edge-triggered. It is
/// forgotten before it is closed: were its descriptor held elsewhere too, say by a child, the poll
/// would go on reporting.
#[derive(Debug)]
pub(crate) enum World {
    System(Registry),
    Other(Rc<dyn Backend>),
}

impl World {
    /// What time it is now.
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System(_) => Clock::System.now(),
            Self::Other(backend) => backend.now(),
        }
    }

    /// Whether it is another world than the system's.
    #[cfg(unix)]
    pub(crate) fn is_other(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::System(_) => Clock::System,
            Self::Other(backend) => Clock::Other(Rc::clone(backend)),
        }
    }

    /// Code of a user's has returned. Another world may want to tell of it; there, this comes after
    /// every callback.
    pub(crate) fn note_called(&self, id: Option<Id>, who: &'static str, callback: &'static str) {
        if let Self::Other(backend) = self {
            backend.called(id, who, callback);
        }
    }

    /// Code of a user's has panicked. Another world may want to tell of it.
    pub(crate) fn note_panicked(
        &self,
        id: Option<Id>,
        who: &'static str,
        what: &'static str,
        message: &str,
    ) {
        if let Self::Other(backend) = self {
            backend.panicked(id, who, what, message);
        }
    }

    /// The addresses of a name. It may block for as long as the system takes to find out.
    pub(crate) fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System(_) => look_up(name, port),
            Self::Other(backend) => backend.look_up(name, port),
        }
    }

    /// A socket that listens on `address`.
    pub(crate) fn listen(
        &self,
        address: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<ListenerSocket> {
        match self {
            Self::System(_) => ListenerSocket::bind(address, options),
            Self::Other(backend) => {
                let listener =
                    backend.listen(&address.into(), options.backlog, &options.before_bind())?;
                Ok(ListenerSocket::Other(listener))
            }
        }
    }

    /// A socket that listens on a Unix address.
    #[cfg(unix)]
    pub(crate) fn listen_unix(
        &self,
        address: &UnixAddress,
        options: &ListenOptions,
    ) -> io::Result<ListenerSocket> {
        match self {
            Self::System(_) => ListenerSocket::bind_unix(address, options),
            Self::Other(backend) => {
                let listener = backend.listen(&address.clone().into(), options.backlog, &[])?;
                Ok(ListenerSocket::Other(listener))
            }
        }
    }

    /// A socket that has begun to connect to `address`.
    pub(crate) fn connect(
        &self,
        address: &Address,
        options: &ConnectOptions,
    ) -> io::Result<StreamSocket> {
        if let Self::Other(backend) = self {
            let stream = backend.connect(address, options.local_address, &options.others)?;
            return Ok(StreamSocket::other(stream));
        }
        match address {
            Address::Inet(address) => StreamSocket::connect(*address, options),
            #[cfg(unix)]
            Address::Unix(address) => StreamSocket::connect_unix(address, options),
            Address::Unknown => Err(unknown()),
        }
    }

    /// A UDP socket that is bound to `address`.
    pub(crate) fn bind_datagram(
        &self,
        address: &Address,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        match self {
            Self::System(_) => DatagramSocket::bind(address, options),
            Self::Other(backend) => {
                Ok(DatagramSocket::other(backend.bind_datagram(address, &options.options)?))
            }
        }
    }

    /// A UDP socket that is connected with `peer`.
    pub(crate) fn connect_datagram(
        &self,
        peer: &Address,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        match self {
            Self::System(_) => DatagramSocket::connected(peer, options),
            Self::Other(backend) => {
                Ok(DatagramSocket::other(backend.connect_datagram(peer, &options.options)?))
            }
        }
    }

    /// A raw socket for an IP protocol.
    pub(crate) fn raw_datagram(
        &self,
        local: IpAddr,
        number: u8,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        self.registry()?;
        DatagramSocket::raw(local, number, options)
    }

    /// A socket for ICMP echoes.
    pub(crate) fn ping_datagram(
        &self,
        local: IpAddr,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        self.registry()?;
        DatagramSocket::ping(local, options)
    }

    /// A socket that listens already.
    #[cfg(unix)]
    pub(crate) fn adopt_listener(&self, descriptor: OwnedFd) -> io::Result<ListenerSocket> {
        self.registry()?;
        adopt::listener(descriptor)
    }

    /// A socket that is connected already, and its peer's address.
    #[cfg(unix)]
    pub(crate) fn adopt_connection(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(StreamSocket, Address)> {
        self.registry()?;
        adopt::connection(descriptor)
    }

    /// A datagram socket, and whom it is connected with.
    #[cfg(unix)]
    pub(crate) fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(DatagramSocket, Option<Address>)> {
        self.registry()?;
        adopt::datagram(descriptor)
    }

    /// A copy of a descriptor, to be watched.
    #[cfg(unix)]
    pub(crate) fn copy(&self, descriptor: Borrowed<'_>) -> io::Result<Descriptor> {
        self.registry()?;
        Descriptor::new(descriptor)
    }

    /// Has the poll watch a socket, and name it by `id`.
    pub(crate) fn watch(&self, socket: &mut dyn Watched, id: Id) -> io::Result<()> {
        let interest = socket.interest();
        match socket.watchable() {
            Watchable::System(source) => {
                self.registry()?.register(source, Token(id.token()), interest)
            }
            Watchable::Other(socket) => {
                socket.register(id);
                Ok(())
            }
        }
    }

    /// Has the poll watch a socket for something else than before.
    pub(crate) fn watch_anew(&self, socket: &mut dyn Watched, id: Id) -> io::Result<()> {
        let interest = socket.interest();
        match socket.watchable() {
            Watchable::System(source) => {
                self.registry()?.reregister(source, Token(id.token()), interest)
            }
            Watchable::Other(_) => Ok(()), // All is told anyway.
        }
    }

    /// Sets an option of a socket.
    pub(crate) fn set_option(
        &self,
        socket: &mut dyn Watched,
        option: &SocketOption,
    ) -> io::Result<()> {
        if let Some(descriptor) = socket.descriptor() {
            return options::set_option(&SockRef::from(&descriptor), option);
        }
        match socket.watchable() {
            Watchable::Other(socket) => socket.set_option(option),
            Watchable::System(_) => Ok(()),
        }
    }

    #[cfg(all(unix, feature = "signals"))]
    pub(crate) fn watch_signals(&self, signals: &mut impl Source) -> io::Result<()> {
        self.registry()?.register(signals, poll::SIGNALS, Interest::READABLE)
    }

    /// Has the poll watch a socket no longer.
    pub(crate) fn forget(&self, socket: &mut dyn Watched) {
        let forgotten = match socket.watchable() {
            Watchable::System(source) => self.registry().and_then(|poll| poll.deregister(source)),
            Watchable::Other(socket) => {
                socket.deregister();
                Ok(())
            }
        };
        if let Err(error) = forgotten {
            debug!(target: REACTOR, "deregistering a socket: {error}");
        }
    }

    /// The system's poll, for what only the system has.
    fn registry(&self) -> io::Result<&Registry> {
        match self {
            Self::System(registry) => Ok(registry),
            Self::Other(_) => Err(not_here()),
        }
    }
}

/// It is the system that has this, and the reactor lives in another world.
pub(crate) fn not_here() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there is no such thing in this world")
}

/// What the poll can watch.
pub(crate) trait Watched {
    /// What it is watched for.
    fn interest(&self) -> Interest;

    /// As the poll takes it.
    fn watchable(&mut self) -> Watchable<'_>;

    /// Notes that others may hold a copy of its descriptor from now on.
    #[cfg(unix)]
    fn share(&mut self) {}

    /// As other system calls take it, if it is the system's.
    fn descriptor(&self) -> Option<Borrowed<'_>>;
}

/// A socket, as the poll of its world takes it.
pub(crate) enum Watchable<'a> {
    System(&'a mut dyn Source),
    Other(&'a mut dyn SocketBackend),
}
