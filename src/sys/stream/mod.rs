//! The system's stream sockets.

mod calls;
#[cfg(unix)]
mod pipes;
#[cfg(all(unix, feature = "process"))]
mod standard_io;
#[cfg(unix)]
mod unix;

use crate::sys::family::family;
use crate::sys::options::{set_option, set_options};
#[cfg(unix)]
use crate::sys::platform;
use crate::sys::platform::stream_interest;
use crate::sys::{Borrowed, uninterrupted};
use crate::values::address::Address;
use crate::values::error::Explained;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use calls::{SENDING_SLICES, is_in_progress, receive, send};
use mio::{Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

#[cfg(unix)]
pub(in crate::sys) use pipes::SystemPipes;

/// A connected socket, or one that is connecting.
#[derive(Debug)]
pub(in crate::sys) struct SystemStream {
    poll: Rc<Registry>,
    socket: StreamFamily,
    /// True if descriptors that the peer passes are received.
    #[cfg(unix)]
    takes_descriptors: bool,
    /// True if other holders may have copies of the descriptor.
    #[cfg(unix)]
    shared: bool,
}

family! {
    /// A stream socket of either family. Both have the descriptor at the same offset, so that code for both needs
    /// no branch.
    StreamFamily, mio::net::TcpStream, mio::net::UnixStream
}

impl SystemStream {
    pub(super) fn new(poll: &Rc<Registry>, socket: mio::net::TcpStream) -> Self {
        Self {
            poll: Rc::clone(poll),
            socket: StreamFamily::Inet(socket),
            #[cfg(unix)]
            takes_descriptors: false,
            #[cfg(unix)]
            shared: false,
        }
    }

    /// Begins to connect. [`connected_to`](Self::connected_to) reports the outcome.
    pub(super) fn connect(
        poll: &Rc<Registry>,
        address: SocketAddr,
        local: Option<SocketAddr>,
        options: &[SocketOption],
    ) -> io::Result<Self> {
        if local.is_none() && options.is_empty() {
            return mio::net::TcpStream::connect(address).map(|socket| Self::new(poll, socket));
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        set_options(&SockRef::from(&socket), options)?;
        if let Some(local) = local {
            let refused = |error: io::Error| {
                let text = format!("from the local address {local}: {error}");
                Explained::error(error.kind(), text)
            };
            if local.is_ipv4() != address.is_ipv4() {
                let text = "it is of a different family (IPv4 or IPv6)";
                return Err(refused(io::Error::new(io::ErrorKind::InvalidInput, text)));
            }
            socket.bind(&local.into()).map_err(refused)?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_in_progress(&error) => Err(error),
            _ => Ok(Self::new(poll, mio::net::TcpStream::from_std(socket.into()))),
        }
    }

    /// Returns the peer's address; `Ok(None)` while the attempt is in progress. A writable socket proves nothing:
    /// the error is read, then the peer's address. A socket that has connected to itself (a closed port in the
    /// range from which the system chose the local one) counts as refused.
    pub(super) fn connected_to(&self) -> io::Result<Option<Address>> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_address() {
            Ok(peer) if peer.ip().is_some() && self.local_address()? == peer => {
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, "connected to itself"))
            }
            Ok(peer) => Ok(Some(peer)),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[inline(always)]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.borrowed(), buffer)
    }

    #[inline(always)]
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.borrowed(), bytes)
    }

    /// Writes the bytes of the slices, in order.
    pub(super) fn write_slices(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [only] => self.write(only),
            _ => uninterrupted(|| self.any().send_vectored_with_flags(slices, SENDING_SLICES)),
        }
    }

    /// Sends at most `count` bytes of a file from `offset` on, without copying them. Returns `Unsupported` if
    /// the system cannot do that for this file, and a read of the file then reports the reason. It is also
    /// unsupported for a shared socket: sendfile(2) has no MSG_DONTWAIT.
    pub(super) fn write_from_file(
        &mut self,
        file: &File,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        #[cfg(unix)]
        if !self.shared {
            let socket = self.borrowed();
            return uninterrupted(|| platform::send_file(socket, file, offset, count));
        }
        let _ = (file, offset, count);
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn shutdown_write(&mut self) -> io::Result<()> {
        self.any().shutdown(Shutdown::Write)
    }

    /// Makes the next close a reset. A Unix socket has no reset: data that it has taken reaches the peer.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        self.any().set_linger(Some(Duration::ZERO))
    }

    pub(super) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.socket {
            StreamFamily::Inet(socket) => socket.set_nodelay(nodelay),
            #[cfg(unix)]
            StreamFamily::Unix(_) => Ok(()), // It never delays a write.
        }
    }

    pub(super) fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        set_option(&self.any(), option)
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.any().take_error()
    }

    pub(super) fn local_address(&self) -> io::Result<Address> {
        self.socket.local_address()
    }

    fn peer_address(&self) -> io::Result<Address> {
        match &self.socket {
            StreamFamily::Inet(socket) => socket.peer_addr().map(Address::from),
            #[cfg(unix)]
            StreamFamily::Unix(socket) => Ok(crate::sys::unix::address(&socket.peer_addr()?)),
        }
    }

    /// Returns true if it is a Unix socket.
    pub(super) fn passes_descriptors(&self) -> bool {
        match self.socket {
            StreamFamily::Inet(_) => false,
            #[cfg(unix)]
            StreamFamily::Unix(_) => true,
        }
    }

    pub(super) fn register(&mut self, id: Id) -> io::Result<()> {
        self.poll.register(self.socket.source(), Token(id.token()), stream_interest())
    }

    pub(super) fn deregister(&mut self) -> io::Result<()> {
        self.poll.deregister(self.socket.source())
    }

    /// Returns the socket for calls that are the same for either family.
    fn any(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    #[inline(always)]
    fn borrowed(&self) -> Borrowed<'_> {
        #[cfg(unix)]
        let borrowed = self.socket.as_fd();
        #[cfg(windows)]
        let borrowed = std::os::windows::io::AsSocket::as_socket(&self.socket);
        borrowed
    }
}
