//! Multicast: joining and leaving groups, and the options of multicast datagrams.

use crate::api::datagram_transport::DatagramTransport;
use crate::api::names::name;
use crate::source::datagram::MulticastSettings;
use crate::source::table::Source;
use crate::sys::Multicast;
use crate::sys::errno::{AFNOSUPPORT, NOBUFS, NODEV, NOPROTOOPT};
use crate::sys::error::{Cause, Failure, NO_INTERFACE, failed};
use crate::values::address::unknown;
use crate::values::error::Error;
use crate::values::interface::Interface;
use crate::values::to_address::ToAddress;
use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;

/// # Multicast
///
/// Each of these methods makes a system call. An error is the system's answer, or says that the socket is
/// closed.
///
/// The port of a group or source is not used. A name with a port, such as `("all-systems.mcast.net", 0)`, is looked up
/// before and between runs only: see [`ToAddress`].
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
/// // Other sockets on this machine may receive on the same port.
/// let options = DatagramOptions::new().reuse_address(true);
/// let port = options.listen_udp(reactor.context(), "0.0.0.0:0", Quiet)?;
/// let mut transport = reactor.context().datagram(port.id());
/// transport.join_group(GROUP, Ipv4Addr::LOCALHOST)?;
/// transport.set_multicast_interface(Ipv4Addr::LOCALHOST)?;
/// transport.send_to(b"hello, members", (GROUP, port.address().port().unwrap()));
/// # Ok::<(), Error>(())
/// ```
impl DatagramTransport<'_> {
    /// Joins `group` on `interface`: the socket receives what is sent to the group and its port and
    /// arrives on that interface. It receives from the groups only that it has joined.
    ///
    /// # Errors
    ///
    /// If `group` is not a multicast address or is joined already, the interface does not exist, or
    /// the socket has joined as many groups as it may.
    #[doc(alias = "joinGroup")]
    pub fn join_group(
        &mut self,
        group: impl ToAddress,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let interface = interface.into();
        self.change_group(cannot_join, group, &interface, |group| {
            Ok(Multicast::Join(group, &interface))
        })
    }

    /// Leaves `group` on `interface`. Closing the socket leaves all groups.
    ///
    /// # Errors
    ///
    /// If the socket has not joined it.
    #[doc(alias = "leaveGroup")]
    pub fn leave_group(
        &mut self,
        group: impl ToAddress,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let interface = interface.into();
        self.change_group(cannot_leave, group, &interface, |group| {
            Ok(Multicast::Leave(group, &interface))
        })
    }

    /// Joins `group` for the datagrams of `source` alone; further sources may be joined one by one
    /// (source-specific multicast, IP_ADD_SOURCE_MEMBERSHIP, ip(7)). For IPv4, with the interface given
    /// by its address, on Linux.
    ///
    /// # Errors
    ///
    /// As [`join_group`](Self::join_group); [`Unsupported`](io::ErrorKind::Unsupported) for what
    /// cannot be done here.
    pub fn join_source(
        &mut self,
        group: impl ToAddress,
        source: impl ToAddress,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (source, interface) = (self.ip(&source), interface.into());
        self.change_group(cannot_join, group, &interface, |group| {
            Ok(Multicast::JoinSource(group, source?, &interface))
        })
    }

    /// Leaves `group` for the datagrams of `source`.
    ///
    /// # Errors
    ///
    /// If the socket has not joined it.
    pub fn leave_source(
        &mut self,
        group: impl ToAddress,
        source: impl ToAddress,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let (source, interface) = (self.ip(&source), interface.into());
        self.change_group(cannot_leave, group, &interface, |group| {
            Ok(Multicast::LeaveSource(group, source?, &interface))
        })
    }

    /// Sets the time to live of multicast datagrams, in hops. Default: 1, which does not leave the local
    /// network; 0 does not leave this machine (IP_MULTICAST_TTL, ip(7); IPV6_MULTICAST_HOPS, ipv6(7)).
    ///
    /// # Errors
    ///
    /// If the socket is closed.
    #[doc(alias = "setTTL")]
    pub fn set_multicast_ttl(&mut self, ttl: u8) -> Result<(), Error> {
        self.set_multicast(Multicast::Ttl(ttl))
    }

    /// Returns the time to live of multicast datagrams, in hops, as it was set last.
    ///
    /// ```
    /// use ropewalk::{DatagramProtocol, DatagramTransport};
    ///
    /// struct Announcer;
    ///
    /// impl DatagramProtocol for Announcer {
    ///     fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
    ///         assert_eq!(transport.multicast_ttl(), 1);
    ///         if transport.set_multicast_ttl(4).is_ok() {
    ///             assert_eq!(transport.multicast_ttl(), 4);
    ///         }
    ///         assert!(transport.multicast_loopback());
    ///     }
    /// #   fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &ropewalk::Address) {}
    /// }
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// # reactor.listen_udp("127.0.0.1:0", Announcer)?;
    /// # reactor.turn(Some(std::time::Duration::ZERO))?;
    /// # assert_eq!(reactor.context().statistics().panics, 0);
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    #[doc(alias = "getTTL")]
    pub fn multicast_ttl(&self) -> u8 {
        self.multicast_settings().ttl
    }

    /// Returns true if sockets on this machine receive the multicast datagrams of this socket, as was set last.
    #[doc(alias = "getLoopbackMode")]
    pub fn multicast_loopback(&self) -> bool {
        self.multicast_settings().loopback
    }

    /// Returns the interface on which multicast datagrams are sent, as it was set last.
    #[doc(alias = "getOutgoingInterface")]
    pub fn multicast_interface(&self) -> Interface {
        self.multicast_settings().interface
    }

    /// Sets whether sockets on this machine receive the multicast datagrams of this socket as well
    /// (IP_MULTICAST_LOOP, ip(7)). Default: on. The sender's setting counts; it applies to this socket
    /// itself, too, if it has joined the group.
    ///
    /// # Errors
    ///
    /// If the socket is closed.
    #[doc(alias = "setLoopbackMode")]
    pub fn set_multicast_loopback(&mut self, on: bool) -> Result<(), Error> {
        self.set_multicast(Multicast::Loopback(on))
    }

    /// Sets the interface on which multicast datagrams are sent (IP_MULTICAST_IF, ip(7)). Default: that of
    /// the route to the group.
    ///
    /// # Errors
    ///
    /// If the interface does not exist, or the socket is closed.
    #[doc(alias = "setOutgoingInterface")]
    pub fn set_multicast_interface(
        &mut self,
        interface: impl Into<Interface>,
    ) -> Result<(), Error> {
        let interface = interface.into();
        self.set_multicast(Multicast::Interface(&interface))
    }

    fn change_group<'i>(
        &mut self,
        cannot: Failure,
        group: impl ToAddress,
        interface: &'i Interface,
        change: impl FnOnce(IpAddr) -> io::Result<Multicast<'i>>,
    ) -> Result<(), Error> {
        let ip = self.ip(&group);
        let shown = ip.as_ref().map_or_else(|_| name(&group), IpAddr::to_string);
        let changed = ip.and_then(change).and_then(|change| self.multicast(change));
        changed.map_err(|cause| cannot(format!("{shown} on {interface}"), cause))
    }

    fn ip(&self, address: &impl ToAddress) -> io::Result<IpAddr> {
        self.context.find_address(address)?.ip().ok_or_else(unknown)
    }

    fn set_multicast(&mut self, option: Multicast<'_>) -> Result<(), Error> {
        self.multicast(option).map_err(|cause| self.context.option_error(self.id, cause))?;
        if let Some(datagram) = self.context.sources.datagram_mut(self.id) {
            datagram.multicast.note(&option);
        }
        Ok(())
    }

    /// Those of a new socket if this one is closed.
    fn multicast_settings(&self) -> MulticastSettings {
        match self.context.sources.get(self.id) {
            Some(Source::Datagram(datagram)) => datagram.multicast.clone(),
            _ => MulticastSettings::default(),
        }
    }

    fn multicast(&self, request: Multicast<'_>) -> io::Result<()> {
        self.context.datagram_socket(self.id)?.multicast(request)
    }
}

pub(super) fn cannot_join(on: String, cause: io::Error) -> Error {
    failed("join", on, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (Some(NODEV), _) => {
                "there is no such interface, or no route to the group; choose another interface"
            }
            (Some(NOBUFS), _) => {
                "too many groups; raise `net.ipv4.igmp_max_memberships` (sysctl(8))"
            }
            (_, ErrorKind::AddrInUse) => "already joined",
            _ => return on_groups(cause),
        })
    })
}

pub(super) fn cannot_leave(on: String, cause: io::Error) -> Error {
    failed("leave", on, cause, |cause| match (cause.number, cause.kind) {
        (Some(NODEV), _) => Some(NO_INTERFACE),
        (_, ErrorKind::AddrNotAvailable) => Some("not joined on this interface"),
        _ => on_groups(cause),
    })
}

fn on_groups(cause: &Cause<'_>) -> Option<&'static str> {
    match (cause.number, cause.kind) {
        (Some(NOPROTOOPT | AFNOSUPPORT), _) => {
            Some("the socket is of a different family (IPv4 or IPv6)")
        }
        (None, ErrorKind::InvalidInput) => {
            Some("multicast addresses are 224.0.0.0 to 239.255.255.255, and ff00::/8")
        }
        _ => None,
    }
}
