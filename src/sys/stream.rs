//! Connected sockets, each call named after what it does to the system.

#[cfg(unix)]
use crate::sys::OwnedFd;
use crate::sys::backend::StreamBackend;
#[cfg(unix)]
use crate::sys::fd_passing::{self, ReceivedMessage};
use crate::sys::options::set_options;
#[cfg(unix)]
use crate::sys::unix;
use crate::sys::{Borrowed, Watchable, Watched, not_here};
use crate::values::address::Address;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::values::credentials::Credentials;
use crate::values::error::Explained;
use crate::values::options::ConnectOptions;
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use mio::Interest;
#[cfg(unix)]
use rustix::net::{self, RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;
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
    socket: Family,
    /// Whether to ask for the descriptors that the peer passes.
    #[cfg(unix)]
    takes_descriptors: bool,
    /// Whether others may hold it as well.
    #[cfg(unix)]
    shared: bool,
}

/// A socket of either family. Both hold the descriptor in the same place, so that to tell them apart
/// costs nothing where there is nothing to be told apart.
#[derive(Debug)]
enum Family {
    Tcp(mio::net::TcpStream),
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    /// Of another world than the system's.
    Other(Box<dyn StreamBackend>),
}

/// Without this, a write to a connection that the peer has reset would kill a process in which the
/// signal is not ignored, such as one whose `main` is not Rust's. Plain writes have it already.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FLAGS: i32 = 0x4040; // MSG_NOSIGNAL and MSG_DONTWAIT, send(2)
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const FLAGS: i32 = SendFlags::DONTWAIT.bits() as i32;
#[cfg(windows)]
const FLAGS: i32 = 0;

impl StreamSocket {
    pub(super) fn new(socket: mio::net::TcpStream) -> Self {
        Self {
            socket: Family::Tcp(socket),
            #[cfg(unix)]
            takes_descriptors: false,
            #[cfg(unix)]
            shared: false,
        }
    }

    #[cfg(unix)]
    pub(super) fn unix(socket: mio::net::UnixStream, takes_descriptors: bool) -> Self {
        Self { socket: Family::Unix(socket), takes_descriptors, shared: false }
    }

    pub(super) fn other(socket: Box<dyn StreamBackend>) -> Self {
        Self {
            socket: Family::Other(socket),
            #[cfg(unix)]
            takes_descriptors: false,
            #[cfg(unix)]
            shared: false,
        }
    }

    /// From one that is connected and does not block, with its peer's address.
    #[cfg(unix)]
    pub(super) fn adopt(socket: Socket) -> io::Result<(Self, Address)> {
        let mut socket = match socket.local_addr()?.domain() {
            Domain::UNIX => Self::unix(mio::net::UnixStream::from_std(socket.into()), false),
            _ => Self::new(mio::net::TcpStream::from_std(socket.into())),
        };
        socket.share();
        let peer = socket.peer_address()?;
        Ok((socket, peer))
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
                let text = format!("from the local address {local}: {error}");
                Explained::error(error.kind(), text)
            };
            if local.is_ipv4() != address.is_ipv4() {
                let text = "it is of the other family, IPv4 or IPv6";
                return Err(refused(io::Error::new(io::ErrorKind::InvalidInput, text)));
            }
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
        if let Family::Other(socket) = &self.socket {
            return socket.connected_to();
        }
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

    /// Reads from one of the system's.
    #[inline(always)]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted!(receive(self.of_system(), buffer))
    }

    /// Writes to one of the system's.
    #[inline(always)]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted!(send(self.of_system(), bytes))
    }

    /// Writes what the slices hold, one after the other.
    pub(crate) fn write_slices(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&mut self.socket, slices) {
            (Family::Other(socket), _) => socket.write(slices),
            (_, [only]) => self.write(only),
            _ => uninterrupted!(self.any()?.send_vectored_with_flags(slices, FLAGS)),
        }
    }

    /// For the straight way, which only the system's sockets are led. A panic, and no error, because
    /// what an error would come together with is on that way, too.
    #[inline(always)]
    fn of_system(&self) -> Borrowed<'_> {
        self.descriptor().expect("the socket is of the system")
    }

    /// Whether it is of another world than the system's. Then it is read by
    /// [`read_from_other`](Self::read_from_other), and written by [`write_slices`](Self::write_slices).
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.socket, Family::Other(_))
    }

    #[cold]
    pub(crate) fn read_from_other(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Family::Other(socket) => socket.read(buffer),
            _ => self.read(buffer),
        }
    }

    /// Sends at most `count` bytes of a file from `offset` on, without copying them. `Unsupported` if
    /// the system has no way to, or not for this file; why not, a read of it tells. Nor if the socket is
    /// shared: sendfile(2) has no MSG_DONTWAIT.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn write_from_file(
        &mut self,
        file: &File,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        use rustix::io::Errno;
        if self.shared {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let socket = self.descriptor().ok_or_else(not_here)?;
        let send = || rustix::fs::sendfile(socket, file, Some(&mut { offset }), count);
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
        match &self.socket {
            Family::Other(socket) => socket.shutdown_write(),
            _ => self.any()?.shutdown(Shutdown::Write),
        }
    }

    /// Makes the closing of this socket a reset: what the system still holds is dropped. A Unix socket
    /// knows no reset, and what it has taken is the peer's.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        if let Family::Other(socket) = &self.socket {
            socket.reset_on_close();
            return Ok(());
        }
        self.any()?.set_linger(Some(Duration::ZERO))
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.socket {
            Family::Tcp(socket) => socket.set_nodelay(nodelay),
            #[cfg(unix)]
            Family::Unix(_) => Ok(()), // It never waits for more.
            Family::Other(socket) => socket.set_option(&SocketOption::Nodelay(nodelay)),
        }
    }

    /// The error that the socket holds, taken from it.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.socket {
            Family::Other(socket) => socket.take_error(),
            _ => self.any()?.take_error(),
        }
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        match &self.socket {
            Family::Tcp(socket) => socket.local_addr().map(Address::from),
            #[cfg(unix)]
            Family::Unix(socket) => Ok(unix::address(&socket.local_addr()?)),
            Family::Other(socket) => socket.local_address(),
        }
    }

    fn peer_address(&self) -> io::Result<Address> {
        match &self.socket {
            Family::Tcp(socket) => socket.peer_addr().map(Address::from),
            #[cfg(unix)]
            Family::Unix(socket) => Ok(unix::address(&socket.peer_addr()?)),
            Family::Other(_) => Err(not_here()), // It is told by `connected_to`.
        }
    }

    /// For what is done with the system's sockets of either family.
    fn any(&self) -> io::Result<SockRef<'_>> {
        match &self.socket {
            Family::Tcp(socket) => Ok(SockRef::from(socket)),
            #[cfg(unix)]
            Family::Unix(socket) => Ok(SockRef::from(socket)),
            Family::Other(_) => Err(not_here()),
        }
    }
}

/// # What only Unix sockets can do
#[cfg(unix)]
impl StreamSocket {
    /// Connects to a Unix socket, which is done at once or not at all: `WouldBlock` says that the
    /// listener's queue is full, and nobody will tell when it is not any more (connect(2), EAGAIN).
    pub(super) fn connect_unix(
        address: &UnixAddress,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        Ok(Self::unix(unix::connect(address, &options.others)?, options.descriptors))
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.socket, Family::Unix(_))
    }

    /// Whether the descriptors that the peer passes are asked for.
    pub(crate) fn takes_descriptors(&self) -> bool {
        self.takes_descriptors
    }

    /// Sends bytes, and `descriptors` with the first of them.
    pub(crate) fn write_with(
        &mut self,
        slices: &[IoSlice<'_>],
        descriptors: &[OwnedFd],
    ) -> io::Result<usize> {
        let socket = self.descriptor().ok_or_else(not_here)?;
        uninterrupted!(fd_passing::send(socket, slices, descriptors))
    }

    /// Whether writing has failed since too many descriptors are on their way (ETOOMANYREFS, unix(7)).
    pub(crate) fn is_too_many(error: &io::Error) -> bool {
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::TOOMANYREFS)
    }

    /// Reads, and takes the descriptors that came with the bytes if `take` says so. If not, the system
    /// closes them.
    pub(crate) fn read_with(
        &mut self,
        buffer: &mut [u8],
        take: bool,
    ) -> io::Result<ReceivedMessage> {
        let socket = self.descriptor().ok_or_else(not_here)?;
        uninterrupted!(fd_passing::receive(socket, buffer, take))
    }

    /// Who the peer was when it connected, or began to listen.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn peer_credentials(&self) -> Option<io::Result<Credentials>> {
        let socket = self.descriptor().filter(|_| self.is_unix())?;
        Some(unix::credentials(socket))
    }
}

#[cfg(unix)]
impl TryFrom<StreamSocket> for OwnedFd {
    type Error = io::Error;

    fn try_from(stream: StreamSocket) -> io::Result<Self> {
        match stream.socket {
            Family::Tcp(socket) => Ok(socket.into()),
            Family::Unix(socket) => Ok(socket.into()),
            Family::Other(_) => Err(not_here()),
        }
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

    #[cfg(unix)]
    fn share(&mut self) {
        self.shared = true;
    }

    fn watchable(&mut self) -> Watchable<'_> {
        match &mut self.socket {
            Family::Tcp(socket) => Watchable::System(socket),
            #[cfg(unix)]
            Family::Unix(socket) => Watchable::System(socket),
            Family::Other(socket) => Watchable::Other(socket.as_mut()),
        }
    }

    #[inline(always)]
    fn descriptor(&self) -> Option<Borrowed<'_>> {
        match &self.socket {
            #[cfg(unix)]
            Family::Tcp(socket) => Some(socket.as_fd()),
            #[cfg(unix)]
            Family::Unix(socket) => Some(socket.as_fd()),
            #[cfg(windows)]
            Family::Tcp(socket) => Some(std::os::windows::io::AsSocket::as_socket(socket)),
            Family::Other(_) => None,
        }
    }
}

/// On Linux the two calls of which an echo consists are made without the C library, and everything
/// from here up to the loop over the events is inlined: for on some machines the first return after
/// a system call is dearer than all of our own code (docs/costs.md).
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn receive(socket: Borrowed<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, count) = net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(count)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn send(socket: Borrowed<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(net::send(socket, bytes, SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT))?)
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn receive(socket: Borrowed<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, count) = net::recv(socket, buffer, RecvFlags::DONTWAIT)?;
    Ok(count)
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn send(socket: Borrowed<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(net::send(socket, bytes, SendFlags::DONTWAIT)?)
}

#[cfg(windows)]
fn receive(socket: Borrowed<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut &*SockRef::from(&socket), buffer)
}

#[cfg(windows)]
fn send(socket: Borrowed<'_>, bytes: &[u8]) -> io::Result<usize> {
    io::Write::write(&mut &*SockRef::from(&socket), bytes)
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
