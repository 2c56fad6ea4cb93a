//! Sockets of a backend: the traits for each kind.

use crate::sys::backend::StreamSocket;
#[cfg(unix)]
use crate::sys::backend::unsupported;
#[cfg(unix)]
use crate::sys::received::ReceivedMessage;
#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::address::Address;
#[cfg(all(unix, feature = "credentials"))]
use crate::values::credentials::Credentials;
use crate::values::id::Id;
use crate::values::interface::Interface;
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::watch::{Interest, Ready};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::IpAddr;

/// The methods that all sockets of a [`Backend`](crate::backend::Backend) have. A socket is closed when it
/// is dropped.
pub trait SocketBackend: fmt::Debug {
    /// Begins to report events under this id. The next wait reports the present readiness.
    ///
    /// # Errors
    ///
    /// If the poll does not accept the socket.
    fn register(&mut self, id: Id) -> io::Result<()>;

    /// Stops reporting events. It is called before the socket is closed: another process may hold a copy
    /// of its descriptor, and then the poll would continue to report it.
    ///
    /// # Errors
    ///
    /// If the socket is not registered.
    fn deregister(&mut self) -> io::Result<()>;

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// If it has none.
    fn local_address(&self) -> io::Result<Address>;

    /// Returns the socket's pending error, and clears it (SO_ERROR).
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Sets an option. See [`set_option`](crate::backend::set_option).
    ///
    /// # Errors
    ///
    /// If the option does not exist, or does not take this value.
    fn set_option(&self, option: &SocketOption) -> io::Result<()>;

    /// Returns the socket's descriptor. Default: `None`.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Notes that other holders may have copies of the descriptor from now on. Default: nothing.
    #[cfg(unix)]
    fn share(&mut self) {}

    /// Turns the socket into its descriptor, which stays open.
    ///
    /// # Errors
    ///
    /// Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        Err(unsupported())
    }
}

/// A listening socket.
pub trait ListenerBackend: SocketBackend {
    /// Returns the connection that has waited longest, and its peer's address.
    ///
    /// # Errors
    ///
    /// Those of accept(2).
    fn accept(&self) -> io::Result<(StreamSocket, Address)>;
}

/// A connection, or a connection attempt.
pub trait StreamBackend: SocketBackend {
    /// Returns the peer's address; `None` while the attempt is in progress.
    ///
    /// # Errors
    ///
    /// The reason why the attempt has failed.
    fn connected_to(&self) -> io::Result<Option<Address>>;

    /// Reads. Zero bytes are the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes the bytes of the slices, in order.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Returns the socket that this one only observes: a backend that records wraps it. If it is the system's, the
    /// reactor may read and write it itself, since that is faster (see [`backend`](crate::backend)), and then calls
    /// [`has_read`](Self::has_read) or [`has_written`](Self::has_written). Default: `None`.
    fn observed(&mut self) -> Option<&mut StreamSocket> {
        None
    }

    /// Notes a read of the [observed](Self::observed) socket.
    fn has_read(&mut self, buffer: &[u8], read: &io::Result<usize>) {
        let _ = (buffer, read);
    }

    /// Notes a write to the [observed](Self::observed) socket.
    fn has_written(&mut self, bytes: &[u8], written: &io::Result<usize>) {
        let _ = (bytes, written);
    }

    /// Ends the write side, after the data that was written.
    ///
    /// # Errors
    ///
    /// If it is no longer connected.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Makes the next close a reset, which drops unsent data (SO_LINGER).
    ///
    /// # Errors
    ///
    /// If the option cannot be set.
    fn reset_on_close(&self) -> io::Result<()>;

    /// Sets whether small writes are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// If the option cannot be set.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_option(&SocketOption::Nodelay(nodelay))
    }

    /// Returns true if a read that returns less than requested has emptied the socket, and a write that
    /// takes less than offered has filled it: then an event follows. It is called once. Default: true.
    fn short_means_would_block(&self) -> bool {
        true
    }

    /// Returns true if closing the socket while data arrives resets the connection, which destroys data that the
    /// peer has not read yet. The socket then stays open for a while after the end of the connection. Default:
    /// true.
    fn lingers(&self) -> bool {
        true
    }

    /// Sends at most `count` bytes of a file from `offset` on, without copying them through user space.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this cannot be done, which is the default: the
    /// caller then reads the file and writes its bytes.
    fn write_from_file(&mut self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let _ = (file, offset, count);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns true if descriptors can be passed over this connection. Default: false.
    fn passes_descriptors(&self) -> bool {
        false
    }

    /// Returns true if the connection was opened to receive descriptors. Default: false.
    #[cfg(unix)]
    fn takes_descriptors(&self) -> bool {
        false
    }

    /// Reads, and takes the descriptors sent with the bytes if `take` is true; otherwise they are closed.
    /// Called if [`passes_descriptors`](Self::passes_descriptors) returns true.
    ///
    /// # Errors
    ///
    /// Those of recvmsg(2).
    #[cfg(unix)]
    fn read_with_descriptors(
        &mut self,
        buffer: &mut [u8],
        take: bool,
    ) -> io::Result<ReceivedMessage> {
        let _ = take;
        self.read(buffer).map(|count| ReceivedMessage { count, ..ReceivedMessage::default() })
    }

    /// Writes bytes, and `descriptors` with the first of them. If any byte was taken, all descriptors were.
    ///
    /// # Errors
    ///
    /// Those of sendmsg(2). Default: [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(unix)]
    fn write_with_descriptors(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        let _ = (slices, descriptors);
        Err(unsupported())
    }

    /// Returns true if a write failed because too many descriptors are in flight. The write is then
    /// repeated later, since no event reports when it would succeed (ETOOMANYREFS, unix(7)). Default: false.
    #[cfg(unix)]
    fn is_too_many_descriptors(&self, error: &io::Error) -> bool {
        let _ = error;
        false
    }

    /// Returns the credentials that the peer had when it connected or began to listen. Default: `None`.
    #[cfg(all(unix, feature = "credentials"))]
    fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        None
    }
}

/// A datagram socket.
pub trait DatagramBackend: SocketBackend {
    /// Receives the next datagram. Returns its length and its sender. If the datagram does not fit in the
    /// buffer, the rest is lost, and the returned length is either the datagram's or the buffer's.
    ///
    /// # Errors
    ///
    /// Those of recv(2).
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)>;

    /// Sends a datagram, to the peer to which the socket is connected or to another address.
    ///
    /// # Errors
    ///
    /// Those of send(2).
    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()>;

    /// Connects to a peer: datagrams go there, and those of other senders are not received.
    ///
    /// # Errors
    ///
    /// If the peer cannot be reached.
    fn connect(&self, peer: &Address) -> io::Result<()>;

    /// Returns the address of the peer in the system's notation. Default: `None`, and the address that
    /// was passed to [`connect`](Self::connect) is used.
    fn peer_address(&self) -> Option<Address> {
        None
    }

    /// Changes a multicast setting.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    fn multicast(&self, change: Multicast<'_>) -> io::Result<()>;

    /// Begins or stops to report when the socket can send again. The socket is registered as `id`, at first
    /// without this event: Linux reports it for each datagram that has left, which would end waits needlessly.
    /// Default: does nothing, for a backend that always reports it.
    ///
    /// # Errors
    ///
    /// If the poll does not accept the change.
    fn watch_writable(&mut self, id: Id, watch: bool) -> io::Result<()> {
        let _ = (id, watch);
        Ok(())
    }
}

/// A change of a multicast setting: see [`DatagramTransport::join_group`](crate::DatagramTransport::join_group)
/// and the methods after it.
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

/// A watched descriptor.
#[cfg(unix)]
pub trait WatchBackend: SocketBackend {
    /// Returns which of the operations in `interest` would not block now. The end of the data and
    /// errors count as ready, since a read or a write then reports them.
    ///
    /// # Errors
    ///
    /// Those of poll(2).
    fn ready(&self, interest: Interest) -> io::Result<Ready>;
}
