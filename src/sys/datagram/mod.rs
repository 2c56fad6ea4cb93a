//! The system's datagram sockets, of every family.

mod calls;

use crate::sys::backend::{DatagramBackend, DatagramRequest, Multicast, SocketBackend};
use crate::sys::family::family;
use crate::sys::options::{set_option, set_options};
#[cfg(unix)]
use crate::sys::platform::RECEIVES_WITH_FLAGS;
use crate::sys::platform::include_header;
#[cfg(unix)]
use crate::sys::socket_file::{self, SocketFile};
use crate::sys::uninterrupted;
#[cfg(unix)]
use crate::sys::{BorrowedFd, OwnedFd, shared, unix};
use crate::values::address::{Address, unknown};
use crate::values::id::Id;
use crate::values::logging::DATAGRAM;
use crate::values::socket_option::SocketOption;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use calls::{receive, send};
use log::debug;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::rc::Rc;

/// A socket that sends and receives datagrams.
#[derive(Debug)]
pub(super) struct SystemDatagram {
    // Declared first: fields are dropped in this order, and the file is removed before the socket is closed.
    #[cfg(unix)]
    _file: Option<Box<SocketFile>>,
    socket: DatagramFamily,
    poll: Rc<Registry>,
    /// True if other holders may have copies of the descriptor.
    #[cfg(unix)]
    shared: bool,
}

family! {
    /// A datagram socket of either family. mio's type uses only the descriptor, so one with an IP address may be
    /// of any other datagram type, such as raw.
    DatagramFamily, mio::net::UdpSocket, mio::net::UnixDatagram
}

impl SystemDatagram {
    /// Opens a socket that is bound to `address`.
    pub(super) fn bind(
        poll: &Rc<Registry>,
        address: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Self> {
        let address = match address {
            Address::Inet(address) => address,
            #[cfg(unix)]
            Address::Unix(address) => return Self::bind_unix(poll, address, request),
            _ => return Err(unknown()),
        };
        let socket = Self::open(*address, request)?;
        socket.bind(&(*address).into())?;
        let socket = Self::new(poll, socket)?;
        if let Err(error) = socket.receive_own_groups() {
            debug!(target: DATAGRAM, "IP_MULTICAST_ALL: {error}"); // Old kernels do not have it.
        }
        Ok(socket)
    }

    /// Opens a socket that is connected to `peer`; the system chooses the local address.
    pub(super) fn connected(
        poll: &Rc<Registry>,
        peer: &Address,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Self> {
        let socket = match peer {
            Address::Inet(peer) => Self::new(poll, Self::open(*peer, request)?)?,
            #[cfg(unix)]
            Address::Unix(_) => Self::unix(poll, Self::open_unix(request)?, None),
            _ => return Err(unknown()),
        };
        socket.connect(peer)?;
        Ok(socket)
    }

    /// Opens a raw socket for an IP protocol.
    pub(super) fn raw(
        poll: &Rc<Registry>,
        local: IpAddr,
        number: u8,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Self> {
        let local = SocketAddr::new(local, 0);
        let protocol = Protocol::from(i32::from(number));
        let socket = Socket::new(Domain::for_address(local), Type::RAW, Some(protocol))?;
        prepare(&socket, local.is_ipv6(), request)?;
        if !local.ip().is_unspecified() {
            socket.bind(&local.into())?;
        }
        Self::new(poll, socket)
    }

    /// Opens a socket for ICMP echoes. It is bound, even if to the unspecified address, because that sets its
    /// identifier.
    pub(super) fn ping(
        poll: &Rc<Registry>,
        local: IpAddr,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Self> {
        let local = SocketAddr::new(local, 0);
        let protocol = if local.is_ipv6() { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(protocol))?;
        prepare(&socket, local.is_ipv6(), request)?;
        socket.bind(&local.into())?;
        Self::new(poll, socket)
    }

    /// Adopts a datagram socket. Returns the address of its peer as well, if it is connected.
    #[cfg(unix)]
    pub(super) fn adopt(
        poll: &Rc<Registry>,
        socket: Socket,
    ) -> io::Result<(Self, Option<Address>)> {
        if socket.local_addr()?.domain() == Domain::UNIX {
            let socket = Self { shared: true, ..Self::unix(poll, socket, None) };
            let peer = socket.peer_address();
            return Ok((socket, peer));
        }
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket()).map(Address::from);
        Ok((Self { shared: true, ..Self::new(poll, socket)? }, peer))
    }

    #[cfg(unix)]
    fn bind_unix(
        poll: &Rc<Registry>,
        address: &UnixAddress,
        request: &DatagramRequest<'_>,
    ) -> io::Result<Self> {
        let socket = Self::open_unix(request)?;
        let file = socket_file::bind(&socket, address, request.file_mode, false)?;
        Ok(Self::unix(poll, socket, file))
    }

    #[cfg(unix)]
    fn unix(poll: &Rc<Registry>, socket: Socket, file: Option<SocketFile>) -> Self {
        let socket = DatagramFamily::Unix(mio::net::UnixDatagram::from_std(socket.into()));
        Self { _file: file.map(Box::new), socket, poll: Rc::clone(poll), shared: false }
    }

    #[cfg(unix)]
    fn open_unix(request: &DatagramRequest<'_>) -> io::Result<Socket> {
        let socket = unix::open(Type::DGRAM)?;
        prepare(&socket, false, request)?;
        Ok(socket)
    }

    fn open(address: SocketAddr, request: &DatagramRequest<'_>) -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket, address.is_ipv6(), request)?;
        Ok(socket)
    }

    /// Makes a socket of any type with IP addresses non-blocking, and wraps it.
    fn new(poll: &Rc<Registry>, socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            #[cfg(unix)]
            _file: None,
            socket: DatagramFamily::Inet(mio::net::UdpSocket::from_std(socket.into())),
            poll: Rc::clone(poll),
            #[cfg(unix)]
            shared: false,
        })
    }

    pub(super) fn is_ipv6(&self) -> io::Result<bool> {
        match self.local_address()?.ip() {
            Some(ip) => Ok(ip.is_ipv6()),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "the socket has no IP address")),
        }
    }

    /// Returns the socket for calls that are the same for either family.
    pub(super) fn any(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    #[cfg(unix)]
    pub(super) fn borrowed(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl DatagramBackend for SystemDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        #[cfg(unix)]
        if self.shared && !(RECEIVES_WITH_FLAGS && matches!(self.socket, DatagramFamily::Inet(_))) {
            shared::check(self.borrowed())?;
        }
        uninterrupted(|| receive(&self.socket, buffer))
    }

    fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        uninterrupted(|| send(&self.socket, data, to)).map(|_| ())
    }

    fn connect(&self, peer: &Address) -> io::Result<()> {
        match peer {
            Address::Inet(peer) => self.any().connect(&(*peer).into()),
            #[cfg(unix)]
            Address::Unix(peer) => {
                Ok(rustix::net::connect(self.borrowed(), &unix::destination(peer)?)?)
            }
            _ => Err(unknown()),
        }
    }

    fn peer_address(&self) -> Option<Address> {
        match &self.socket {
            DatagramFamily::Inet(socket) => socket.peer_addr().map(Address::from).ok(),
            #[cfg(unix)]
            DatagramFamily::Unix(socket) => Some(unix::address(&socket.peer_addr().ok()?)),
        }
    }

    fn multicast(&self, change: Multicast<'_>) -> io::Result<()> {
        self.change_multicast(change)
    }

    fn watch_writable(&mut self, id: Id, watch: bool) -> io::Result<()> {
        let interest = match watch {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        self.poll.reregister(self.socket.source(), Token(id.token()), interest)
    }
}

impl SocketBackend for SystemDatagram {
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
        set_option(&self.any(), option)
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.borrowed())
    }

    #[cfg(unix)]
    fn share(&mut self) {
        self.shared = true;
    }

    #[cfg(unix)]
    fn into_descriptor(self: Box<Self>) -> io::Result<OwnedFd> {
        Ok(self.socket.into())
    }
}

/// Sets options that must be set before a socket is bound, and those that may be.
fn prepare(socket: &Socket, ipv6: bool, request: &DatagramRequest<'_>) -> io::Result<()> {
    if request.header_included {
        include_header(socket, ipv6)?;
    }
    set_options(&SockRef::from(socket), request.options)
}
