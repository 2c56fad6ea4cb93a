//! Listening sockets, each call named after what it does to the system.

#[cfg(unix)]
use crate::sys::OwnedFd;
use crate::sys::backend::ListenerBackend;
use crate::sys::options::{set_option, set_options};
#[cfg(unix)]
use crate::sys::socket_file::{self, SocketFile};
use crate::sys::{Borrowed, StreamSocket, Watchable, Watched};
#[cfg(unix)]
use crate::sys::{adopt, not_here, shared, unix};
use crate::values::address::Address;
use crate::values::options::ListenOptions;
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use mio::Interest;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum ListenerSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
    Other(Box<dyn ListenerBackend>),
}

/// A listening TCP socket.
#[derive(Debug)]
pub(crate) struct TcpListener {
    socket: mio::net::TcpListener,
    /// What accepted connections have to be given, where the system does not hand it down.
    hand_down: Vec<SocketOption>,
    #[cfg(unix)]
    holders: Holders,
}

/// A listening Unix socket.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixListener {
    // Removed before the socket is closed: the fields are dropped in this order.
    file: Option<Box<SocketFile>>,
    socket: mio::net::UnixListener,
    /// Whether those that it accepts take descriptors.
    takes_descriptors: bool,
    holders: Holders,
}

/// Which others may hold a listener, by a copy of its descriptor.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holders {
    Us,
    /// A copy of ours has been given away. The options are ours.
    Copies,
    /// It was adopted: its maker may hold it, and has set options that connections inherit.
    Maker,
}

#[cfg(unix)]
impl Holders {
    fn share(&mut self) {
        if *self == Self::Us {
            *self = Self::Copies;
        }
    }
}

/// Whether an accepted connection has the options of the listener: POSIX leaves it open.
const HANDS_DOWN: bool = cfg!(any(target_os = "linux", target_os = "android"));

impl ListenerSocket {
    pub(super) fn bind(address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        if options.reuse_port && options.claim {
            Self::claim(address, options)?;
        }
        let socket = Self::open(address, options)?;
        if options.reuse_port {
            share_port(&socket)?;
        }
        socket.bind(&address.into())?;
        socket.listen(options.backlog.min(i32::MAX as u32) as i32)?;
        socket.set_nonblocking(true)?;
        let hand_down = if HANDS_DOWN { Vec::new() } else { options.others.clone() };
        let socket = mio::net::TcpListener::from_std(socket.into());
        Ok(Self::Tcp(TcpListener {
            socket,
            hand_down,
            #[cfg(unix)]
            holders: Holders::Us,
        }))
    }

    /// From one that listens and does not block.
    #[cfg(unix)]
    pub(super) fn adopt(socket: Socket) -> io::Result<Self> {
        if socket.local_addr()?.domain() == Domain::UNIX {
            let socket = mio::net::UnixListener::from_std(socket.into());
            let (file, takes_descriptors, holders) = (None, false, Holders::Maker);
            return Ok(Self::Unix(UnixListener { file, socket, takes_descriptors, holders }));
        }
        let socket = mio::net::TcpListener::from_std(socket.into());
        Ok(Self::Tcp(TcpListener { socket, hand_down: Vec::new(), holders: Holders::Maker }))
    }

    #[cfg(unix)]
    pub(super) fn bind_unix(address: &UnixAddress, options: &ListenOptions) -> io::Result<Self> {
        let socket = unix::open(Type::STREAM)?;
        set_options(&SockRef::from(&socket), &options.others)?;
        let file = socket_file::bind(&socket, address, options.file)?;
        socket.listen(options.backlog.min(i32::MAX as u32) as i32)?;
        Ok(Self::Unix(UnixListener {
            file: file.map(Box::new),
            socket: mio::net::UnixListener::from_std(socket.into()),
            takes_descriptors: options.descriptors,
            holders: Holders::Us,
        }))
    }

    /// Whether the port could be had by one who does not share it.
    ///
    /// With SO_REUSEPORT a second server of the same user gets the port without an error, and from
    /// then on takes half of the first one's clients: a server that was started twice, and nobody
    /// knows. So it is asked for without that option, which fails as everybody expects, by a socket
    /// that never listens and so takes no client. Two that ask in the same instant both get it; to
    /// rule that out there is no way that is documented.
    fn claim(address: SocketAddr, options: &ListenOptions) -> io::Result<()> {
        Self::open(address, options)?.bind(&address.into())
    }

    fn open(address: SocketAddr, options: &ListenOptions) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix this lets a server that is started anew have its port at once, though old
        // connections are still in TIME_WAIT; a port that is listened on stays refused. On Windows
        // it would let two programs share the port.
        #[cfg(unix)]
        socket.set_reuse_address(options.reuse_address)?;
        set_options(&SockRef::from(&socket), &options.others)?;
        Ok(socket)
    }

    pub(crate) fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        #[cfg(unix)]
        if self.holders() != Holders::Us
            && let Some(descriptor) = self.descriptor()
        {
            shared::check(descriptor)?; // accept(2) has no MSG_DONTWAIT.
        }
        let accepted = self.accept_any()?;
        #[cfg(unix)]
        if self.holders() == Holders::Maker
            && let Some(descriptor) = accepted.0.descriptor()
        {
            adopt::clear_options(descriptor);
        }
        Ok(accepted)
    }

    fn accept_any(&self) -> io::Result<(StreamSocket, Address)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.socket.accept()?;
                for option in &listener.hand_down {
                    // Some are the listener's alone; and if the peer is gone, the first read will say so.
                    _ = set_option(&SockRef::from(&socket), option);
                }
                Ok((StreamSocket::new(socket), peer.into()))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (socket, peer) = unix::accept(&listener.socket)?;
                Ok((StreamSocket::unix(socket, listener.takes_descriptors), peer))
            }
            Self::Other(listener) => {
                let (socket, peer) = listener.accept()?;
                Ok((StreamSocket::other(socket), peer))
            }
        }
    }

    #[cfg(unix)]
    fn holders(&self) -> Holders {
        match self {
            Self::Tcp(listener) => listener.holders,
            Self::Unix(listener) => listener.holders,
            Self::Other(_) => Holders::Us,
        }
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.socket.local_addr().map(Address::from),
            #[cfg(unix)]
            Self::Unix(listener) => Ok(unix::address(&listener.socket.local_addr()?)),
            Self::Other(listener) => listener.local_address(),
        }
    }
}

#[cfg(unix)]
impl TryFrom<ListenerSocket> for OwnedFd {
    type Error = io::Error;

    fn try_from(listener: ListenerSocket) -> io::Result<Self> {
        match listener {
            ListenerSocket::Tcp(listener) => Ok(listener.socket.into()),
            ListenerSocket::Unix(mut listener) => {
                // Whoever goes on with it can be found by it.
                if let Some(file) = &mut listener.file {
                    file.keep();
                }
                Ok(listener.socket.into())
            }
            ListenerSocket::Other(_) => Err(not_here()),
        }
    }
}

impl Watched for ListenerSocket {
    fn interest(&self) -> Interest {
        Interest::READABLE
    }

    #[cfg(unix)]
    fn share(&mut self) {
        match self {
            Self::Tcp(listener) => listener.holders.share(),
            Self::Unix(listener) => listener.holders.share(),
            Self::Other(_) => {}
        }
    }

    fn watchable(&mut self) -> Watchable<'_> {
        match self {
            Self::Tcp(listener) => Watchable::System(&mut listener.socket),
            #[cfg(unix)]
            Self::Unix(listener) => Watchable::System(&mut listener.socket),
            Self::Other(listener) => Watchable::Other(listener.as_mut()),
        }
    }

    fn descriptor(&self) -> Option<Borrowed<'_>> {
        match self {
            #[cfg(unix)]
            Self::Tcp(listener) => Some(std::os::fd::AsFd::as_fd(&listener.socket)),
            #[cfg(unix)]
            Self::Unix(listener) => Some(std::os::fd::AsFd::as_fd(&listener.socket)),
            #[cfg(windows)]
            Self::Tcp(listener) => {
                Some(std::os::windows::io::AsSocket::as_socket(&listener.socket))
            }
            Self::Other(_) => None,
        }
    }
}

#[cfg(any(target_os = "android", target_os = "dragonfly", target_os = "linux"))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(target_os = "freebsd")]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

/// Elsewhere there is no such option, or it gives all connections to one of the listeners.
#[cfg(not(any(
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "linux"
)))]
fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot share a port fairly"))
}
