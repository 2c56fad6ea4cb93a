//! Multicast: which groups a datagram socket hears, and how it speaks to them.

use crate::api::context::Context;
use crate::sys::{DatagramSocket, Multicast};
use crate::values::error::{Action, Error};
use crate::values::id::Id;
use crate::values::interface::Interface;
use std::io;
use std::net::IpAddr;

/// # Multicast
///
/// Each of these reaches the system now, for the datagram socket that `id` names: the errors are the
/// system's answer, or that the socket is gone. [`DatagramTransport`](crate::DatagramTransport) has
/// the same, for a protocol's own.
///
/// ```
/// # use ropewalk::{Address, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Reactor};
/// use std::net::Ipv4Addr;
///
/// const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
///
/// # struct Quiet;
/// # impl DatagramProtocol for Quiet {
/// #     fn datagram_received(
/// #         &mut self,
/// #         _transport: &mut DatagramTransport<'_>,
/// #         _data: &[u8],
/// #         _sender: &Address,
/// #     ) {
/// #     }
/// # }
/// let mut reactor = Reactor::new()?;
/// // Others on this machine may hear the same port.
/// let options = DatagramOptions::new().reuse_address(true);
/// let context = reactor.context();
/// let port = context.listen_udp_with("0.0.0.0:0", &options, Quiet)?;
/// context.join_group(port.id(), GROUP, Ipv4Addr::LOCALHOST)?;
/// context.set_multicast_interface(port.id(), Ipv4Addr::LOCALHOST)?;
/// context.send_to(port.id(), b"hello, everybody", (GROUP, port.address().port().unwrap()));
/// # Ok::<(), Error>(())
/// ```
impl Context {
    /// Has a socket hear what is sent to `group`, if it comes in on `interface`; it hears the groups
    /// only that it has joined. The port is the one on which it listens.
    ///
    /// # Errors
    ///
    /// If `group` is not a multicast address or is joined already, the interface is not there, or the
    /// socket has joined as many as it may.
    #[doc(alias = "joinGroup")]
    pub fn join_group(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (group, interface) = (group.into(), interface.into());
        self.with_group(Action::Join, id, group, &interface, |socket| {
            socket.multicast(Multicast::Join(group, &interface))
        })
    }

    /// Has a socket hear `group` no longer; closing it does this, too.
    ///
    /// # Errors
    ///
    /// If it has not joined that.
    #[doc(alias = "leaveGroup")]
    pub fn leave_group(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (group, interface) = (group.into(), interface.into());
        self.with_group(Action::Leave, id, group, &interface, |socket| {
            socket.multicast(Multicast::Leave(group, &interface))
        })
    }

    /// Has a socket hear what `source` sends to `group`, and nobody else; further sources may be
    /// joined one by one (source-specific multicast, IP_ADD_SOURCE_MEMBERSHIP, ip(7)). For IPv4, with
    /// the interface by its address, on Linux.
    ///
    /// # Errors
    ///
    /// As [`join_group`](Self::join_group); [`Unsupported`](io::ErrorKind::Unsupported) for what
    /// cannot be done here.
    pub fn join_source(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (group, source, interface) = (group.into(), source.into(), interface.into());
        self.with_group(Action::Join, id, group, &interface, |socket| {
            socket.multicast(Multicast::JoinSource(group, source, &interface))
        })
    }

    /// Has a socket hear `source` in `group` no longer.
    ///
    /// # Errors
    ///
    /// If it has not joined that.
    pub fn leave_source(
        &mut self,
        id: Id,
        group: impl Into<IpAddr>,
        source: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (group, source, interface) = (group.into(), source.into(), interface.into());
        self.with_group(Action::Leave, id, group, &interface, |socket| {
            socket.multicast(Multicast::LeaveSource(group, source, &interface))
        })
    }

    /// Sets how many routers what a socket sends to groups may pass: 1 unless set, which does not
    /// leave the local network; 0 does not leave this machine (IP_MULTICAST_TTL, ip(7);
    /// IPV6_MULTICAST_HOPS, ipv6(7)).
    ///
    /// # Errors
    ///
    /// If the socket is gone.
    #[doc(alias = "setTTL")]
    pub fn set_multicast_ttl(&mut self, id: Id, ttl: u8) -> Result<(), Error> {
        self.set(id, |socket| socket.multicast(Multicast::Ttl(ttl)))
    }

    /// Sets whether what a socket sends to groups is heard on this machine, too: on unless set
    /// (IP_MULTICAST_LOOP, ip(7)). It is the sender that decides; for the socket itself as well, if
    /// it has joined the group.
    ///
    /// # Errors
    ///
    /// If the socket is gone.
    #[doc(alias = "setLoopbackMode")]
    pub fn set_multicast_loopback(&mut self, id: Id, on: bool) -> Result<(), Error> {
        self.set(id, |socket| socket.multicast(Multicast::Loopback(on)))
    }

    /// Sets the interface on which what a socket sends to groups goes out (IP_MULTICAST_IF, ip(7)):
    /// that of the route to the group unless set.
    ///
    /// # Errors
    ///
    /// If the interface is not there, or the socket is gone.
    #[doc(alias = "setOutgoingInterface")]
    pub fn set_multicast_interface(
        &mut self,
        id: Id,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let interface = interface.into();
        self.set(id, |socket| socket.multicast(Multicast::Interface(&interface)))
    }

    fn with_group(
        &mut self,
        action: Action,
        id: Id,
        group: IpAddr,
        interface: &Interface,
        change: impl FnOnce(&DatagramSocket) -> io::Result<()>,
    ) -> Result<(), Error> {
        let what = || format!("{group} on {interface}");
        self.datagram_socket(id).and_then(change).map_err(|cause| Error::new(action, what(), cause))
    }
}
