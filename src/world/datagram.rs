//! Datagram sockets of every family, each call named after what it does to the system.

use crate::address::Address;
use crate::datagram_options::DatagramOptions;
use crate::logging::DATAGRAM;
use crate::world::options::set_options;
use crate::world::{Borrowed, Watched};
use log::debug;
use mio::Interest;
use mio::event::Source;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::{self, RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A socket that sends and receives datagrams.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    /// The poll's name for one of UDP. It looks at nothing but the descriptor, so it may be of any
    /// other family and type that has datagrams.
    pub(super) socket: mio::net::UdpSocket,
    /// Whether the poll is to tell when there is room to send again. Not always: Linux says so after
    /// each datagram that has left, and a wait would end for nothing.
    pub(crate) awaits_room: bool,
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
        let socket = Self::open(address, options)?;
        socket.bind(&system_address(address))?;
        let socket = Self::new(socket)?;
        if let Err(error) = socket.hear_own_groups() {
            debug!(target: DATAGRAM, "IP_MULTICAST_ALL: {error}"); // Old kernels cannot.
        }
        Ok(socket)
    }

    /// A UDP socket that is connected with `peer`, and bound to whatever the system chooses.
    pub(super) fn connected(peer: &Address, options: &DatagramOptions) -> io::Result<Self> {
        let socket = Self::open(peer, options)?;
        socket.connect(&system_address(peer))?;
        Self::new(socket)
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
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket()).map(Address::from);
        Ok((Self::new(socket)?, peer))
    }

    fn open(address: &Address, options: &DatagramOptions) -> io::Result<Socket> {
        let Address::Inet(address) = address;
        let domain = Domain::for_address(*address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        prepare(&socket, address.is_ipv6(), options)?;
        Ok(socket)
    }

    /// Takes over a socket of whatever family.
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = mio::net::UdpSocket::from_std(socket.into());
        Ok(Self { socket, awaits_room: false })
    }

    /// Receives the next datagram. `buffer` has room for `most` bytes and one more.
    pub(crate) fn receive(&self, buffer: &mut [u8], most: usize) -> io::Result<Arrived> {
        uninterrupted(|| receive(&self.socket, buffer, most))
    }

    /// Sends a datagram, to the peer with which the socket is connected or to another.
    pub(crate) fn send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        uninterrupted(|| send(&self.socket, data, to)).map(|_| ())
    }

    /// Sends to `peer` from now on, and receives from nobody else.
    pub(crate) fn connect(&self, peer: &Address) -> io::Result<()> {
        SockRef::from(&self.socket).connect(&system_address(peer))
    }

    pub(super) fn is_ipv6(&self) -> io::Result<bool> {
        Ok(self.socket.local_addr()?.is_ipv6())
    }

    pub(crate) fn local_address(&self) -> io::Result<Address> {
        self.socket.local_addr().map(Address::from)
    }
}

impl Watched for DatagramSocket {
    fn interest(&self) -> Interest {
        match self.awaits_room {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        }
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

/// As the system takes it.
fn system_address(address: &Address) -> SockAddr {
    match address {
        Address::Inet(address) => (*address).into(),
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Linux says how long a datagram was that did not fit (MSG_TRUNC, recv(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn receive(socket: &mio::net::UdpSocket, buffer: &mut [u8], most: usize) -> io::Result<Arrived> {
    let buffer = &mut buffer[..most];
    let (_, length, sender) = net::recvfrom(socket, &mut *buffer, RecvFlags::TRUNC)?;
    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
    let sender = sender.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    let truncated = (length > most).then_some(length);
    Ok(Arrived { length: length.min(most), truncated, sender: sender.into() })
}

/// A datagram that fills even the byte that is too many did not fit.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive(socket: &mio::net::UdpSocket, buffer: &mut [u8], most: usize) -> io::Result<Arrived> {
    let (length, sender) = socket.recv_from(&mut buffer[..=most])?;
    let truncated = (length > most).then_some(length);
    Ok(Arrived { length: length.min(most), truncated, sender: sender.into() })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn send(socket: &mio::net::UdpSocket, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    Ok(match to {
        None => net::send(socket, data, SendFlags::NOSIGNAL)?,
        Some(Address::Inet(to)) => net::sendto(socket, data, SendFlags::NOSIGNAL, to)?,
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(socket: &mio::net::UdpSocket, data: &[u8], to: Option<&Address>) -> io::Result<usize> {
    match to {
        None => socket.send(data),
        Some(Address::Inet(to)) => socket.send_to(data, *to),
    }
}
