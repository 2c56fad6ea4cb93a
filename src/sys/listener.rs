//! The system's listening sockets.

use crate::sys::backend::{ListenRequest, ListenerBackend, SocketBackend, StreamSocket};
use crate::sys::family::family;
use crate::sys::options::{set_option, set_options};
use crate::sys::platform::{INHERITS_OPTIONS, share_port};
#[cfg(unix)]
use crate::sys::socket_file::{self, SocketFile};
use crate::sys::stream::SystemStream;
#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd, adopt, shared, unix};
use crate::values::address::{Address, unknown};
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::rc::Rc;

/// A listening socket.
#[derive(Debug)]
pub(super) struct SystemListener {
    // Declared first: fields are dropped in this order, and the file is removed before the socket is closed.
    #[cfg(unix)]
    file: Option<Box<SocketFile>>,
    socket: ListenerFamily,
    poll: Rc<Registry>,
    /// Options to set for accepted connections, where these do not inherit them.
    not_inherited: Vec<SocketOption>,
    /// True if accepted connections receive descriptors.
    #[cfg(unix)]
    takes_descriptors: bool,
    #[cfg(unix)]
    holders: Holders,
}

family! {
    /// A listening socket of either family.
    ListenerFamily, mio::net::TcpListener, mio::net::UnixListener
}

/// The possible holders of a listener's descriptor.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holders {
    Us,
    /// A copy was given away. The options are those that this crate has set.
    Copies,
    /// The listener was adopted: its maker may hold a copy, and has set options that connections inherit.
    Maker,
}

impl SystemListener {
    pub(super) fn bind(
        poll: &Rc<Registry>,
        address: &Address,
        request: &ListenRequest<'_>,
    ) -> io::Result<Self> {
        match address {
            Address::Inet(address) => Self::bind_tcp(poll, *address, request),
            #[cfg(unix)]
            Address::Unix(address) => Self::bind_unix(poll, address, request),
            _ => Err(unknown()),
        }
    }

    fn new(poll: &Rc<Registry>, socket: ListenerFamily) -> Self {
        Self {
            #[cfg(unix)]
            file: None,
            socket,
            poll: Rc::clone(poll),
            not_inherited: Vec::new(),
            #[cfg(unix)]
            takes_descriptors: false,
            #[cfg(unix)]
            holders: Holders::Us,
        }
    }

    fn bind_tcp(
        poll: &Rc<Registry>,
        address: SocketAddr,
        request: &ListenRequest<'_>,
    ) -> io::Result<Self> {
        if request.reuse_port && request.claim {
            Self::claim(address, request)?;
        }
        let socket = Self::open(address, request)?;
        if request.reuse_port {
            share_port(&socket)?;
        }
        socket.bind(&address.into())?;
        socket.listen(backlog(request))?;
        socket.set_nonblocking(true)?;
        let not_inherited = if INHERITS_OPTIONS { Vec::new() } else { request.options.to_vec() };
        let socket = ListenerFamily::Inet(mio::net::TcpListener::from_std(socket.into()));
        Ok(Self { not_inherited, ..Self::new(poll, socket) })
    }

    #[cfg(unix)]
    fn bind_unix(
        poll: &Rc<Registry>,
        address: &UnixAddress,
        request: &ListenRequest<'_>,
    ) -> io::Result<Self> {
        let socket = unix::open(Type::STREAM)?;
        set_options(&SockRef::from(&socket), request.options)?;
        let file = socket_file::bind(&socket, address, request.file_mode, request.keep_file)?;
        socket.listen(backlog(request))?;
        let socket = ListenerFamily::Unix(mio::net::UnixListener::from_std(socket.into()));
        let takes_descriptors = request.takes_descriptors;
        Ok(Self { file: file.map(Box::new), takes_descriptors, ..Self::new(poll, socket) })
    }

    /// Adopts a listening, non-blocking socket.
    #[cfg(unix)]
    pub(super) fn adopt(
        poll: &Rc<Registry>,
        socket: Socket,
        takes_descriptors: bool,
    ) -> io::Result<Self> {
        let socket = match socket.local_addr()?.domain() {
            Domain::UNIX => ListenerFamily::Unix(mio::net::UnixListener::from_std(socket.into())),
            _ => ListenerFamily::Inet(mio::net::TcpListener::from_std(socket.into())),
        };
        Ok(Self { holders: Holders::Maker, takes_descriptors, ..Self::new(poll, socket) })
    }

    /// Fails if the port is in use by a socket that would share it.
    ///
    /// With SO_REUSEPORT a second server of the same user binds the port without an error, and from then on
    /// receives half of the first server's clients: a server that was started twice by mistake is not noticed.
    /// So the port is first bound without that option, by a socket that never listens and accepts no clients;
    /// this fails if the port is in use. If two servers try at the same moment, both succeed; no documented way
    /// excludes that.
    fn claim(address: SocketAddr, request: &ListenRequest<'_>) -> io::Result<()> {
        Self::open(address, request)?.bind(&address.into())
    }

    fn open(address: SocketAddr, request: &ListenRequest<'_>) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix this lets a restarted server bind its port while old connections are in TIME_WAIT; a port
        // with a listener is still refused. On Windows it would let two programs share the port.
        #[cfg(unix)]
        socket.set_reuse_address(request.reuse_address)?;
        set_options(&SockRef::from(&socket), request.options)?;
        Ok(socket)
    }

    fn accept_any(&self) -> io::Result<(SystemStream, Address)> {
        match &self.socket {
            ListenerFamily::Inet(listener) => {
                let (socket, peer) = listener.accept()?;
                for option in &self.not_inherited {
                    // Some options are for listeners only. If the peer has closed, the first read reports it.
                    _ = set_option(&SockRef::from(&socket), option);
                }
                Ok((SystemStream::new(&self.poll, socket), peer.into()))
            }
            #[cfg(unix)]
            ListenerFamily::Unix(listener) => {
                let (socket, peer) = unix::accept(listener)?;
                Ok((SystemStream::unix(&self.poll, socket, self.takes_descriptors), peer))
            }
        }
    }
}

impl ListenerBackend for SystemListener {
    fn accept(&self) -> io::Result<(StreamSocket, Address)> {
        #[cfg(unix)]
        if self.holders != Holders::Us {
            shared::check(self.socket.as_fd())?; // accept(2) has no MSG_DONTWAIT.
        }
        let (socket, peer) = self.accept_any()?;
        #[cfg(unix)]
        if self.holders == Holders::Maker {
            adopt::clear_options(socket.descriptor());
        }
        Ok((StreamSocket::system(socket), peer))
    }
}

impl SocketBackend for SystemListener {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.poll.register(self.socket.source(), Token(id.token()), Interest::READABLE)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.poll.deregister(self.socket.source())
    }

    fn local_address(&self) -> io::Result<Address> {
        self.socket.local_address()
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        set_option(&SockRef::from(&self.socket), option)
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    #[cfg(unix)]
    fn share(&mut self) {
        if self.holders == Holders::Us {
            self.holders = Holders::Copies;
        }
    }

    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        let mut listener = *self;
        // The next holder of the socket uses the file.
        if let Some(file) = &mut listener.file {
            file.keep();
        }
        Ok(listener.socket.into())
    }
}

fn backlog(request: &ListenRequest<'_>) -> i32 {
    request.backlog.min(i32::MAX as u32) as i32
}
