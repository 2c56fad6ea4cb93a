//! What another world than the system's has to bring. The world's seam, as those see it who stand on
//! the other side.

use crate::sys::options::set_by;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::interface::Interface;
use crate::values::socket_option::SocketOption;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A world in which a reactor can live: where its sockets come from, what happens to them, and what
/// time it is. A reactor made with [`Reactor::in_world`](crate::Reactor::in_world) does nothing but by
/// these methods, and its protocols cannot tell the difference: that is what simulations are made of.
///
/// Whatever is returned as an error means what it means from the system:
/// [`WouldBlock`](io::ErrorKind::WouldBlock) that nothing can be done now and an event will tell
/// when, [`ConnectionReset`](io::ErrorKind::ConnectionReset) that the peer has reset it, and so on.
pub trait Backend: fmt::Debug {
    /// What time it is. It never goes back.
    fn now(&self) -> Instant;

    /// Adds to `events` what has happened since it was asked last. If nothing has, it may wait for it,
    /// but not longer than `limit`; `None` is without limit. It may as well return with nothing.
    ///
    /// # Errors
    ///
    /// If the world has come to an end, and the reactor with it.
    fn wait(&self, limit: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// What other threads call to have the reactor attend to what they have sent: it has to bring
    /// [`Event::Woken`].
    fn waker(&self) -> Waker;

    /// Code of a user's has returned: `callback` of `who`, a type or a function, that belongs to the
    /// socket `id` if it belongs to one. For those who watch.
    fn called(&self, id: Option<Id>, who: &'static str, callback: &'static str) {
        let _ = (id, who, callback);
    }

    /// Code of a user's has panicked: as in [`called`](Self::called), which came before; `callback` is
    /// `drop` if a value of a user's was being dropped. With the message of the panic. The reactor goes on;
    /// a world in which tests are run may want to fail.
    fn panicked(&self, id: Option<Id>, who: &'static str, callback: &'static str, message: &str) {
        let _ = (id, who, callback, message);
    }

    /// The addresses of a name, in the order in which they are to be tried. An address in digits is
    /// not asked for, but an IPv6 address with the name of an interface is: `fe80::1%eth0`.
    ///
    /// # Errors
    ///
    /// If there is no such name.
    fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// Listens on an address, with at most `backlog` connections that have not been accepted. Port 0
    /// is one of the world's choice.
    ///
    /// # Errors
    ///
    /// If the address is in use or not ours.
    fn listen(
        &self,
        address: &Address,
        backlog: u32,
        options: &[SocketOption],
    ) -> io::Result<Box<dyn ListenerBackend>>;

    /// Begins to connect, from an address of our choice if `local` is there. The outcome is told as
    /// [`StreamBackend::connected_to`] says.
    ///
    /// # Errors
    ///
    /// If it fails at once.
    fn connect(
        &self,
        peer: &Address,
        local: Option<SocketAddr>,
        options: &[SocketOption],
    ) -> io::Result<Box<dyn StreamBackend>>;

    /// A socket for datagrams that is bound to an address.
    ///
    /// # Errors
    ///
    /// If the address is in use or not ours.
    fn bind_datagram(
        &self,
        local: &Address,
        options: &[SocketOption],
    ) -> io::Result<Box<dyn DatagramBackend>>;

    /// A socket for datagrams that is connected with a peer.
    ///
    /// # Errors
    ///
    /// If there is no way to it.
    fn connect_datagram(
        &self,
        peer: &Address,
        options: &[SocketOption],
    ) -> io::Result<Box<dyn DatagramBackend>>;
}

/// Sets an option by `set`, if its value makes sense for any socket. An error tells of the option, as one of the
/// system's world does: a [`Backend`] and its sockets set all options so.
///
/// # Errors
///
/// If the value makes no sense, or if `set` fails.
pub fn set_option(option: &SocketOption, set: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    set_by(option, set)
}

/// What a wait of a [`Backend`] brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The [waker](Backend::waker) was called.
    Woken,
    /// Something has happened to the socket that was registered as `id`.
    Ready(Id, Happening),
}

/// What may have happened to a socket. All of it are hints, told once when they come to be true, as an
/// edge-triggered poll does: only reading or writing tells the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happening {
    /// There is something to read or to accept, or the end of it. Whoever has read less than asked
    /// for, or was told `WouldBlock`, is told anew when there is more.
    pub readable: bool,
    /// There is room to write, or the attempt to connect has an outcome. Whoever could write less than
    /// wanted, or was told `WouldBlock`, is told anew when there is room.
    pub writable: bool,
    /// The peer has ended its side. What it sent before may still be unread.
    pub ended: bool,
    /// There is an error. Reading tells which, or [`SocketBackend::take_error`].
    pub failed: bool,
}

/// What all sockets of a [`Backend`] have. One is closed when it is dropped.
pub trait SocketBackend: fmt::Debug {
    /// Has events told from now on, under this name: what is true already, at once.
    fn register(&mut self, id: Id);

    /// Has no more events told.
    fn deregister(&mut self);

    /// Its own address.
    ///
    /// # Errors
    ///
    /// If it has none.
    fn local_address(&self) -> io::Result<Address>;

    /// The error that it holds, taken from it.
    ///
    /// # Errors
    ///
    /// If it cannot be asked.
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// If there is no such option, or not this value.
    fn set_option(&self, option: &SocketOption) -> io::Result<()>;
}

/// A socket of a [`Backend`] that listens.
pub trait ListenerBackend: SocketBackend {
    /// The connection that has waited longest, and its peer's address.
    ///
    /// # Errors
    ///
    /// What accept(2) has.
    fn accept(&self) -> io::Result<(Box<dyn StreamBackend>, Address)>;
}

/// A connection of a [`Backend`], or one in the making.
pub trait StreamBackend: SocketBackend {
    /// The peer; `None` while the attempt goes on.
    ///
    /// # Errors
    ///
    /// Why the attempt has failed.
    fn connected_to(&self) -> io::Result<Option<Address>>;

    /// Reads. Zero bytes are the end.
    ///
    /// # Errors
    ///
    /// What recv(2) has.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what the slices hold, one after the other.
    ///
    /// # Errors
    ///
    /// What send(2) has.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends the end of our side, behind what was written.
    ///
    /// # Errors
    ///
    /// If it is not connected any more.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Makes the closing of this socket a reset, which drops what is on its way.
    fn reset_on_close(&self);
}

/// A socket of a [`Backend`] for datagrams.
pub trait DatagramBackend: SocketBackend {
    /// Receives the next datagram. Returns how long it is, who sent it, and puts into `buffer` what has
    /// room there.
    ///
    /// # Errors
    ///
    /// What recv(2) has.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)>;

    /// Sends a datagram, to the peer with which the socket is connected or to another.
    ///
    /// # Errors
    ///
    /// What send(2) has.
    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()>;

    /// Sends to `peer` from now on, and receives from nobody else.
    ///
    /// # Errors
    ///
    /// If there is no way to it.
    fn connect(&self, peer: &Address) -> io::Result<()>;

    /// Changes what the socket has to do with multicast.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) has.
    fn multicast(&self, change: Multicast<'_>) -> io::Result<()>;
}

/// What can be changed about a socket's multicast: see [`DatagramTransport::join_group`](crate::DatagramTransport::join_group)
/// and what follows there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Multicast<'a> {
    Join(IpAddr, &'a Interface),
    Leave(IpAddr, &'a Interface),
    /// The group, and the source.
    JoinSource(IpAddr, IpAddr, &'a Interface),
    LeaveSource(IpAddr, IpAddr, &'a Interface),
    Interface(&'a Interface),
    Loopback(bool),
    Ttl(u8),
}
