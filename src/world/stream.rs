//! Connected sockets, each call named after what it does to the system.

use crate::address::Address;
use crate::options::ConnectOptions;
#[cfg(unix)]
use crate::world::OwnedFd;
use crate::world::options::set_options;
use crate::world::{Borrowed, Watched};
use mio::Interest;
use mio::event::Source;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::{self, RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// Makes a system call anew as long as a signal comes between. A macro, because a closure would put
/// a call and a return around it.
macro_rules! uninterrupted {
    ($call:expr) => {
        loop {
            match $call {
                Err(error) if was_interrupted(&error) => {}
                result => break result,
            }
        }
    };
}

/// A connected socket, or one that is being connected.
#[derive(Debug)]
pub(crate) struct StreamSocket {
    socket: mio::net::TcpStream,
}

/// Without this, a write to a connection that the peer has reset would kill a process in which the
/// signal is not ignored, such as one whose `main` is not Rust's. Plain writes have it already.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_SIGPIPE: i32 = 0x4000; // MSG_NOSIGNAL, send(2)
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_SIGPIPE: i32 = 0;

impl StreamSocket {
    pub(super) fn new(socket: mio::net::TcpStream) -> Self {
        Self { socket }
    }

    /// From one that is connected and does not block, with its peer's address.
    #[cfg(unix)]
    pub(super) fn adopt(socket: Socket) -> io::Result<(Self, Address)> {
        let socket = mio::net::TcpStream::from_std(socket.into());
        let peer = socket.peer_addr()?.into();
        Ok((Self::new(socket), peer))
    }

    /// Whether a read that returns less than was asked for has emptied the socket, so that the
    /// read which would only say so can be spared (epoll(7), on EPOLLET and stream sockets).
    pub(crate) const SHORT_READ_MEANS_DRY: bool =
        cfg!(any(target_os = "linux", target_os = "android"));

    /// Whether a write that takes less than it was given has filled the socket. Linux remembers that
    /// somebody waits for room then, and the poll will tell of it.
    pub(crate) const SHORT_WRITE_MEANS_FULL: bool = Self::SHORT_READ_MEANS_DRY;

    /// Begins to connect. The outcome is asked for by [`connected_to`](Self::connected_to).
    pub(super) fn connect(address: SocketAddr, options: &ConnectOptions) -> io::Result<Self> {
        if options.local_address.is_none() && options.others.is_empty() {
            return mio::net::TcpStream::connect(address).map(Self::new);
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        set_options(&SockRef::from(&socket), &options.others)?;
        if let Some(local) = options.local_address {
            let refused = |error: io::Error| {
                io::Error::new(error.kind(), format!("from the local address {local}: {error}"))
            };
            socket.bind(&local.into()).map_err(refused)?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            _ => Ok(Self::new(mio::net::TcpStream::from_std(socket.into()))),
        }
    }

    /// The peer; `Ok(None)` while the attempt goes on. Being writable proves nothing: the error is asked
    /// for, then the peer, and a socket that has met itself (a closed port in the range from which
    /// the system chose ours) counts as refused.
    pub(crate) fn connected_to(&self) -> io::Result<Option<Address>> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(peer) if self.socket.local_addr()? == peer => {
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, "connected to itself"))
            }
            Ok(peer) => Ok(Some(peer.into())),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[inline(always)]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted!(receive(&self.socket, buffer))
    }

    #[inline(always)]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted!(send(&self.socket, bytes))
    }

    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        uninterrupted!(SockRef::from(&self.socket).send_vectored_with_flags(slices, NO_SIGPIPE))
    }

    /// Sends at most `count` bytes of a file from `offset` on, without copying them. `Unsupported` if
    /// the system has no way to, or not for this file; why not, a read of it tells.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn write_from_file(
        &mut self,
        file: &File,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        use rustix::io::Errno;
        let send = || rustix::fs::sendfile(&self.socket, file, Some(&mut { offset }), count);
        uninterrupted!(send().map_err(|error| match error {
            // What sendfile(2) says of the file, or of there being no such call for it.
            Errno::BADF | Errno::INVAL | Errno::IO | Errno::NOSYS | Errno::OVERFLOW =>
                io::ErrorKind::Unsupported.into(),
            of_socket => of_socket.into(),
        }))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn write_from_file(&mut self, _: &File, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends the end of our side, after what the system has already taken.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Makes the closing of this socket a reset: what the system still holds is dropped.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO))
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    /// The error that the socket holds, taken from it.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        self.socket.local_addr().map(Address::from)
    }
}

#[cfg(unix)]
impl From<StreamSocket> for OwnedFd {
    fn from(stream: StreamSocket) -> Self {
        stream.socket.into()
    }
}

impl Watched for StreamSocket {
    fn interest(&self) -> Interest {
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Urgent data is watched for because a read stops short before it (see `more_follows`).
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        interest
    }

    fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }

    fn descriptor(&self) -> Borrowed<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(&self.socket);
        #[cfg(windows)]
        return std::os::windows::io::AsSocket::as_socket(&self.socket);
    }
}

/// On Linux the two calls of which an echo consists are made without the C library, and everything
/// from here up to the loop over the events is inlined: for on some machines the first return after
/// a system call is dearer than all of our own code (ARCHITECTURE.md, "What an echo costs").
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn receive(socket: &mio::net::TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, count) = net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(count)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn send(socket: &mio::net::TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive(mut socket: &mio::net::TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut socket, buffer)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(mut socket: &mio::net::TcpStream, bytes: &[u8]) -> io::Result<usize> {
    io::Write::write(&mut socket, bytes)
}

/// Whether an attempt to connect goes on, though the call has returned (connect(2), EINPROGRESS).
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let under_way = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let under_way = error.kind() == io::ErrorKind::WouldBlock;
    under_way
}

#[cold]
fn was_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}
