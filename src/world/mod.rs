//! The world outside: the poll, the clock and the sockets. Floor 1, and the seam of the house.
//!
//! Whatever the reactor learns from outside or does to it goes through the types of this folder and
//! through nothing else. They are concrete and thin, so the way to the real system costs nothing;
//! a simulated world enters here, as a second variant behind the same methods.

#[cfg(unix)]
mod adopted;
mod clock;
mod datagram;
#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
mod descriptors;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod inherited;
mod listener;
mod multicast;
mod options;
mod poll;
mod readiness;
#[cfg(unix)]
mod socket_file;
mod stream;
#[cfg(unix)]
mod unix;

use crate::address::Address;
use crate::datagram_options::DatagramOptions;
use crate::id::Id;
use crate::logging::REACTOR;
use crate::options::{ConnectOptions, ListenOptions};
use crate::socket_option::SocketOption;
#[cfg(unix)]
use crate::unix_address::UnixAddress;
#[cfg(unix)]
use crate::unix_options::UnixListenOptions;
use log::debug;
use mio::event::Source;
use mio::{Interest, Registry};
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, SocketAddr};

pub(crate) use clock::Clock;
pub(crate) use datagram::{Arrived, DatagramSocket};
#[cfg(unix)]
pub(crate) use descriptor::{Descriptor, Ready};
pub(crate) use listener::ListenerSocket;
pub(crate) use mio::Token;
pub(crate) use poll::{Event, Poller, Waker};
pub(crate) use readiness::Readiness;
pub(crate) use stream::StreamSocket;

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
    ) -> io::Result<ListenerSocket> {
        ListenerSocket::bind(address, options)
    }

    /// A socket that listens on a Unix address.
    #[cfg(unix)]
    pub(crate) fn listen_unix(
        &self,
        address: &UnixAddress,
        options: &UnixListenOptions,
    ) -> io::Result<ListenerSocket> {
        ListenerSocket::bind_unix(address, options)
    }

    /// A socket that has begun to connect to `address`; whether it takes descriptors, if they can be
    /// passed there.
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub(crate) fn connect(
        &self,
        address: &Address,
        options: &ConnectOptions,
        takes_descriptors: bool,
    ) -> io::Result<StreamSocket> {
        match address {
            Address::Inet(address) => StreamSocket::connect(*address, options),
            #[cfg(unix)]
            Address::Unix(address) => StreamSocket::connect_unix(address, takes_descriptors),
        }
    }

    /// A UDP socket that is bound to `address`.
    pub(crate) fn bind_datagram(
        &self,
        address: &Address,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        DatagramSocket::bind(address, options)
    }

    /// A UDP socket that is connected with `peer`.
    pub(crate) fn connect_datagram(
        &self,
        peer: &Address,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        DatagramSocket::connected(peer, options)
    }

    /// A raw socket for an IP protocol.
    pub(crate) fn raw_datagram(
        &self,
        local: IpAddr,
        number: u8,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        DatagramSocket::raw(local, number, options)
    }

    /// A socket for ICMP echoes.
    pub(crate) fn ping_datagram(
        &self,
        local: IpAddr,
        options: &DatagramOptions,
    ) -> io::Result<DatagramSocket> {
        DatagramSocket::ping(local, options)
    }

    /// A socket that listens already.
    #[cfg(unix)]
    pub(crate) fn adopt_listener(&self, descriptor: OwnedFd) -> io::Result<ListenerSocket> {
        adopted::listener(descriptor)
    }

    /// A socket that is connected already, and its peer's address.
    #[cfg(unix)]
    pub(crate) fn adopt_connection(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(StreamSocket, Address)> {
        adopted::connection(descriptor)
    }

    /// A datagram socket, and whom it is connected with.
    #[cfg(unix)]
    pub(crate) fn adopt_datagram(
        &self,
        descriptor: OwnedFd,
    ) -> io::Result<(DatagramSocket, Option<Address>)> {
        adopted::datagram(descriptor)
    }

    /// A copy of a descriptor, to be watched.
    #[cfg(unix)]
    pub(crate) fn copy(&self, descriptor: Borrowed<'_>) -> io::Result<Descriptor> {
        Descriptor::new(descriptor)
    }

    /// Has the poll watch a socket, and name it by `id`.
    pub(crate) fn watch(&self, socket: &mut dyn Watched, id: Id) -> io::Result<()> {
        let interest = socket.interest();
        self.registry.register(socket.source(), id.token(), interest)
    }

    /// Has the poll watch a socket for something else than before.
    pub(crate) fn watch_anew(&self, socket: &mut dyn Watched, id: Id) -> io::Result<()> {
        let interest = socket.interest();
        self.registry.reregister(socket.source(), id.token(), interest)
    }

    /// Sets an option of a socket.
    pub(crate) fn set_option(&self, socket: &dyn Watched, option: &SocketOption) -> io::Result<()> {
        options::set_option(&SockRef::from(&socket.descriptor()), option)
    }

    #[cfg(all(unix, feature = "signals"))]
    pub(crate) fn watch_signals(&self, signals: &mut impl Source) -> io::Result<()> {
        self.registry.register(signals, poll::SIGNALS, Interest::READABLE)
    }

    /// Has the poll watch a socket no longer.
    pub(crate) fn forget(&self, socket: &mut dyn Watched) {
        if let Err(error) = self.registry.deregister(socket.source()) {
            debug!(target: REACTOR, "deregistering a socket: {error}");
        }
    }
}

/// What the poll can watch.
pub(crate) trait Watched {
    /// What it is watched for.
    fn interest(&self) -> Interest;

    /// As the poll takes it.
    fn source(&mut self) -> &mut dyn Source;

    /// As other system calls take it.
    fn descriptor(&self) -> Borrowed<'_>;
}
