//! Datagram sockets of every family, each call named after what it does to the system.

use crate::sys::backend::DatagramBackend;
use crate::sys::options::set_options;
#[cfg(unix)]
use crate::sys::socket_file::{self, SocketFile};
use crate::sys::{Borrowed, Watchable, Watched, not_here};
#[cfg(unix)]
use crate::sys::{shared, unix};
use crate::values::address::{Address, unknown};
use crate::values::datagram_options::DatagramOptions;
use crate::values::logging::DATAGRAM;
#[cfg(unix)]
use crate::values::unix_address::UnixAddress;
use log::debug;
use mio::Interest;
#[cfg(unix)]
use rustix::net::{self, SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;

/// A socket that sends and receives datagrams.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    // Removed before the socket is closed: the fields are dropped in this order.
    #[cfg(unix)]
    _file: Option<Box<SocketFile>>,
    pub(super) socket: Family,
    /// Whether the poll is to tell when there is room to send again. Not always: Linux says so after
    /// each datagram that has left, and a wait would end for nothing.
    pub(crate) awaits_room: bool,
    /// Whether others may hold it as well.
    #[cfg(unix)]
    shared: bool,
}

/// The poll's names for the socket of a datagram.
#[derive(Debug)]
pub(super) enum Family {
    /// It looks at nothing but the descriptor, so it may be of any other type that has datagrams.
    Inet(mio::net::UdpSocket),
    #[cfg(unix)]
    Unix(mio::net::UnixDatagram),
    /// Of another world than the system's.
    Other(Box<dyn DatagramBackend>),
}

/// A datagram that was received.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// How much of it is in the buffer.
    pub(crate) length: usize,
    /// How much it was, where the system tells, if that is more.
    pub(crate) truncated: Option<usize>,
    pub(crate) sender: Address,
}

impl DatagramSocket {
    /// A UDP socket that is bound to `address`.
    pub(super) fn bind(address: &Address, options: &DatagramOptions) -> io::Result<Self> {
        let address = match address {
            Address::Inet(address) => address,
            #[cfg(unix)]
            Address::Unix(address) => return Self::bind_unix(address, options),
            Address::Unknown => return Err(unknown()),
        };
        let socket = Self::open(*address, options)?;
        socket.bind(&(*address).into())?;
        let socket = Self::new(socket)?;
        if let Err(error) = socket.hear_own_groups() {
            debug!(target: DATAGRAM, "IP_MULTICAST_ALL: {error}"); // Old kernels cannot.
        }
        Ok(socket)
    }

    /// A UDP socket that is connected with `peer`, and bound to whatever the system chooses.
    pub(super) fn connected(peer: &Address, options: &DatagramOptions) -> io::Result<Self> {
        let socket = match peer {
            Address::Inet(peer) => Self::new(Self::open(*peer, options)?)?,
            #[cfg(unix)]
            Address::Unix(_) => Self::unix(Self::open_unix(options)?, None),
            Address::Unknown => return Err(unknown()),
        };
        socket.connect(peer)?;
        Ok(socket)
    }

    /// A raw socket for an IP protocol.
    pub(super) fn raw(local: IpAddr, number: u8, options: &DatagramOptions) -> io::Result<Self> {
        let local = SocketAddr::new(local, 0);
        let protocol = Protocol::from(i32::from(number));
        let socket = Socket::new(Domain::for_address(local), Type::RAW, Some(protocol))?;
        prepare(&socket, local.is_ipv6(), options)?;
        if !local.ip().is_unspecified() {
            socket.bind(&local.into())?;
        }
        Self::new(socket)
    }

    /// A socket for ICMP echoes. It is bound, even if to any address, for then it has its identifier.
    pub(super) fn ping(local: IpAddr, options: &DatagramOptions) -> io::Result<Self> {
        let local = SocketAddr::new(local, 0);
        let protocol = if local.is_ipv6() { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(protocol))?;
        prepare(&socket, local.is_ipv6(), options)?;
        socket.bind(&local.into())?;
        Self::new(socket)
    }

    /// A socket that was made elsewhere, and the address of whom it is connected with.
    #[cfg(unix)]
    pub(super) fn adopt(socket: Socket) -> io::Result<(Self, Option<Address>)> {
        if socket.local_addr()?.domain() == Domain::UNIX {
            let socket = mio::net::UnixDatagram::from_std(socket.into());
            let peer = socket.peer_addr().ok().map(|peer| unix::address(&peer));
            let socket = Family::Unix(socket);
            return Ok((Self { _file: None, socket, awaits_room: false, shared: true }, peer));
        }
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket()).map(Address::from);
        let mut socket = Self::new(socket)?;
        socket.share();
        Ok((socket, peer))
    }

    #[cfg(unix)]
    fn bind_unix(address: &UnixAddress, options: &DatagramOptions) -> io::Result<Self> {
        let socket = Self::open_unix(options)?;
        let file = socket_file::bind(&socket, address, options.file)?;
        Ok(Self::unix(socket, file))
    }

    #[cfg(unix)]
    fn unix(socket: Socket, file: Option<SocketFile>) -> Self {
        let socket = Family::Unix(mio::net::UnixDatagram::from_std(socket.into()));
        Self { _file: file.map(Box::new), socket, awaits_room: false, shared: false }
    }

    #[cfg(unix)]
    fn open_unix(options: &DatagramOptions) -> io::Result<Socket> {
        let socket = unix::open(Type::DGRAM)?;
        prepare(&socket, false, options)?;
        Ok(socket)
    }

    fn open(address: SocketAddr, options: &DatagramOptions) -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket, address.is_ipv6(), options)?;
        Ok(socket)
    }

    /// Takes over a socket that has IP addresses, of whatever type.
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            #[cfg(unix)]
            _file: None,
            socket: Family::Inet(mio::net::UdpSocket::from_std(socket.into())),
            awaits_room: false,
            #[cfg(unix)]
            shared: false,
        })
    }

    pub(super) fn other(socket: Box<dyn DatagramBackend>) -> Self {
        Self {
            #[cfg(unix)]
            _file: None,
            socket: Family::Other(socket),
            awaits_room: false,
            #[cfg(unix)]
            shared: false,
        }
    }

    /// Receives the next datagram. `buffer` has room for `most` bytes and one more.
    pub(crate) fn receive(&self, buffer: &mut [u8], most: usize) -> io::Result<Arrived> {
        #[cfg(unix)]
        if self.shared
            && !(RECEIVES_WITH_FLAGS && matches!(self.socket, Family::Inet(_)))
            && let Some(descriptor) = self.descriptor()
        {
            shared::check(descriptor)?;
        }
        uninterrupted(|| receive(&self.socket, buffer, most))
    }

    /// Sends a datagram, to the peer with which the socket is connected or to another.
    pub(crate) fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        uninterrupted(|| send(&self.socket, data, to)).map(|_| ())
    }

    /// Sends to `peer` from now on, and receives from nobody else.
    pub(crate) fn connect(&self, peer: &Address) -> io::Result<()> {
        if let Family::Other(socket) = &self.socket {
            return socket.connect(peer);
        }
        match peer {
            Address::Inet(peer) => self.any()?.connect(&(*peer).into()),
            #[cfg(unix)]
            Address::Unix(peer) => {
                let socket = self.descriptor().ok_or_else(not_here)?;
                Ok(net::connect(socket, &unix::destination(peer)?)?)
            }
            Address::Unknown => Err(unknown()),
        }
    }

    /// The peer with which the socket is connected, as the system knows it.
    pub(crate) fn peer_address(&self) -> Option<Address> {
        match &self.socket {
            Family::Inet(socket) => socket.peer_addr().map(Address::from).ok(),
            #[cfg(unix)]
            Family::Unix(socket) => Some(unix::address(&socket.peer_addr().ok()?)),
            Family::Other(_) => None,
        }
    }

    pub(super) fn is_ipv6(&self) -> io::Result<bool> {
        match self.local_address()?.ip() {
            Some(ip) => Ok(ip.is_ipv6()),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "it has no IP address")),
        }
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        match &self.socket {
            Family::Inet(socket) => socket.local_addr().map(Address::from),
            #[cfg(unix)]
            Family::Unix(socket) => Ok(unix::address(&socket.local_addr()?)),
            Family::Other(socket) => socket.local_address(),
        }
    }

    /// For what is done with the system's sockets of either family.
    pub(super) fn any(&self) -> io::Result<SockRef<'_>> {
        match &self.socket {
            Family::Inet(socket) => Ok(SockRef::from(socket)),
            #[cfg(unix)]
            Family::Unix(socket) => Ok(SockRef::from(socket)),
            Family::Other(_) => Err(not_here()),
        }
    }
}

impl Watched for DatagramSocket {
    fn interest(&self) -> Interest {
        match self.awaits_room {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        }
    }

    #[cfg(unix)]
    fn share(&mut self) {
        self.shared = true;
    }

    fn watchable(&mut self) -> Watchable<'_> {
        match &mut self.socket {
            Family::Inet(socket) => Watchable::System(socket),
            #[cfg(unix)]
            Family::Unix(socket) => Watchable::System(socket),
            Family::Other(socket) => Watchable::Other(socket.as_mut()),
        }
    }

    fn descriptor(&self) -> Option<Borrowed<'_>> {
        match &self.socket {
            #[cfg(unix)]
            Family::Inet(socket) => Some(socket.as_fd()),
            #[cfg(unix)]
            Family::Unix(socket) => Some(socket.as_fd()),
            #[cfg(windows)]
            Family::Inet(socket) => Some(std::os::windows::io::AsSocket::as_socket(socket)),
            Family::Other(_) => None,
        }
    }
}

/// What has to be set before a socket has its port, and what may be.
fn prepare(socket: &Socket, ipv6: bool, options: &DatagramOptions) -> io::Result<()> {
    if options.header_included {
        include_header(socket, ipv6)?;
    }
    set_options(&SockRef::from(socket), &options.options)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn include_header(socket: &Socket, ipv6: bool) -> io::Result<()> {
    match ipv6 {
        false => socket.set_header_included_v4(true),
        true => socket.set_header_included_v6(true),
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn include_header(_socket: &Socket, _ipv6: bool) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "headers cannot be included here"))
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether [`receive_inet`] passes MSG_DONTWAIT. `recv_from` of the standard library does not.
#[cfg(unix)]
const RECEIVES_WITH_FLAGS: bool = cfg!(any(target_os = "linux", target_os = "android"));

fn receive(socket: &Family, buffer: &mut [u8], most: usize) -> io::Result<Arrived> {
    match socket {
        Family::Inet(socket) => receive_inet(socket, buffer, most),
        // Not by rustix, which panics at a sender's name that fills all of sun_path.
        #[cfg(unix)]
        Family::Unix(socket) => {
            let (length, sender) = socket.recv_from(&mut buffer[..=most])?;
            Ok(arrived(length, most, unix::address(&sender)))
        }
        Family::Other(socket) => {
            let (length, sender) = socket.receive(&mut buffer[..most])?;
            Ok(arrived(length, most, sender))
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const RECEIVING: net::RecvFlags = net::RecvFlags::TRUNC.union(net::RecvFlags::DONTWAIT);

/// Linux says how long a datagram was that did not fit (MSG_TRUNC, recv(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn receive_inet(
    socket: &mio::net::UdpSocket,
    buffer: &mut [u8],
    most: usize,
) -> io::Result<Arrived> {
    let (_, length, sender) = net::recvfrom(socket, &mut buffer[..most], RECEIVING)?;
    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
    let sender = sender.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    Ok(arrived(length, most, sender.into()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive_inet(
    socket: &mio::net::UdpSocket,
    buffer: &mut [u8],
    most: usize,
) -> io::Result<Arrived> {
    let (length, sender) = socket.recv_from(&mut buffer[..=most])?;
    Ok(arrived(length, most, sender.into()))
}

/// A datagram that fills even the byte that is too many did not fit.
fn arrived(length: usize, most: usize, sender: Address) -> Arrived {
    Arrived { length: length.min(most), truncated: (length > most).then_some(length), sender }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const SENDING: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const SENDING: SendFlags = SendFlags::DONTWAIT;

fn send(socket: &Family, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    match socket {
        Family::Other(socket) => socket.send(data, to).map(|()| data.len()),
        #[cfg(unix)]
        Family::Inet(socket) => send_by(socket.as_fd(), data, to),
        #[cfg(unix)]
        Family::Unix(socket) => send_by(socket.as_fd(), data, to),
        #[cfg(not(unix))]
        Family::Inet(socket) => match to {
            None => socket.send(data),
            Some(Address::Inet(to)) => socket.send_to(data, *to),
            Some(Address::Unknown) => Err(unknown()),
        },
    }
}

#[cfg(unix)]
fn send_by(socket: Borrowed<'_>, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    Ok(match to {
        None => net::send(socket, data, SENDING)?,
        Some(Address::Inet(to)) => net::sendto(socket, data, SENDING, to)?,
        Some(Address::Unix(to)) => net::sendto(socket, data, SENDING, &unix::destination(to)?)?,
        Some(Address::Unknown) => return Err(unknown()),
    })
}
