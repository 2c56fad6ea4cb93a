//! Raw sockets, and sockets for ICMP echoes.

use crate::api::context::Context;
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::listener::Port;
use crate::sys::error::failed;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;

/// The number of the protocol that an IP packet carries: see the file `/etc/protocols`, or
/// [IANA's list](https://www.iana.org/assignments/protocol-numbers).
///
/// ```
/// use ropewalk::IpProtocol;
///
/// assert_eq!(IpProtocol::ICMP, IpProtocol(1));
/// let experiment = IpProtocol(253);
/// assert_eq!(experiment.to_string(), "protocol 253");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    /// Control messages of IPv4, such as echoes and unreachable destinations.
    pub const ICMP: Self = Self(1);
    /// Memberships of multicast groups in IPv4.
    pub const IGMP: Self = Self(2);
    /// Control messages of IPv6, and memberships of multicast groups.
    pub const ICMPV6: Self = Self(58);
    /// Sends packets of any protocol, which contain their IP headers (IPPROTO_RAW, raw(7)). Nothing is
    /// received.
    pub const RAW: Self = Self(255);
}

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol {}", self.0)
    }
}

/// # Raw sockets
impl Context {
    /// Opens a raw socket (raw(7)). It receives a copy of each packet of protocol `number` that arrives at
    /// `local`, and sends such packets. `0.0.0.0` means all IPv4 addresses of this machine, `::` all IPv6
    /// addresses.
    ///
    /// The protocol receives packets as the system delivers them:
    ///
    /// - Over **IPv4** the packet begins with its IP header. The header's length in bytes is four times
    ///   the lower half of its first byte. Over **IPv6** there is no header.
    /// - Raw sockets have no ports: the port of a sender is 0, and
    ///   [`send_to`](crate::DatagramTransport::send_to) takes an IP address without a port. The port of
    ///   [`local_address`](Self::local_address) is the number of the protocol.
    /// - The system adds the IP header of sent packets, except with
    ///   [`header_included`](DatagramOptions::header_included) or [`IpProtocol::RAW`]. The system also fills in
    ///   the checksum of ICMPv6, but not that of ICMP.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) without the privilege, CAP_NET_RAW on Linux.
    /// For echoes use [`open_ping`](Self::open_ping), which does not need it. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    ///
    /// ```
    /// # use ropewalk::{Address, DatagramProtocol, DatagramTransport, Error, IpProtocol, Reactor};
    /// # use std::net::Ipv4Addr;
    /// struct Sniffer;
    ///
    /// impl DatagramProtocol for Sniffer {
    ///     fn datagram_received(
    ///         &mut self,
    ///         _transport: &mut DatagramTransport<'_>,
    ///         packet: &[u8],
    ///         sender: &Address,
    ///     ) {
    ///         let header = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    ///         let kind = packet.get(header); // the packet is not validated
    ///         println!("ICMP message {kind:?} from {:?}", sender.ip());
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let context = reactor.context();
    /// match context.open_raw(Ipv4Addr::UNSPECIFIED, IpProtocol::ICMP, Sniffer) {
    ///     Ok(port) => println!("listening for ICMP on {:?}", port.address().ip()),
    ///     Err(error) => println!("{error}"), // … CAP_NET_RAW …
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "SOCK_RAW")]
    pub fn open_raw(
        &mut self,
        local: impl Into<IpAddr>,
        number: IpProtocol,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().open_raw(self, local, number, protocol)
    }

    /// Opens a socket for ICMP echoes only, which needs no privilege if the system allows it (icmp(7)). `local`
    /// is as for [`open_raw`](Self::open_raw), and selects the address family.
    ///
    /// It sends echo requests and receives the answers to its own requests, as ICMP messages without an IP
    /// header. The system writes the checksum and the identifier, which is the port of
    /// [`local_address`](Self::local_address).
    ///
    /// # Errors
    ///
    /// If the system does not allow it. Linux allows it to certain groups of users
    /// (`net.ipv4.ping_group_range`). In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    pub fn open_ping(
        &mut self,
        local: impl Into<IpAddr>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        DatagramOptions::new().open_ping(self, local, protocol)
    }
}

/// # Raw sockets
impl DatagramOptions {
    /// Opens a raw socket with these options. All else is as for [`Context::open_raw`].
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) without the privilege, CAP_NET_RAW on Linux.
    /// In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    #[doc(alias = "SOCK_RAW")]
    pub fn open_raw(
        &self,
        context: &mut Context,
        local: impl Into<IpAddr>,
        number: IpProtocol,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let local = local.into();
        let what = format!("for {number} on {local}");
        context.open_datagram(cannot_open_raw, what, self, protocol, |backend| {
            Ok((backend.open_raw(local, number.0, &self.into())?, None))
        })
    }

    /// Opens a socket for ICMP echoes with these options. All else is as for [`Context::open_ping`].
    ///
    /// # Errors
    ///
    /// If the system does not allow it (`net.ipv4.ping_group_range` on Linux).
    /// In the [shutdown](crate::RunPhase::DuringShutdown) it always fails.
    pub fn open_ping(
        &self,
        context: &mut Context,
        local: impl Into<IpAddr>,
        protocol: impl DatagramProtocol,
    ) -> Result<Port, Error> {
        let local = local.into();
        let what = format!("on {local}");
        context.open_datagram(cannot_open_ping, what, self, protocol, |backend| {
            Ok((backend.open_ping(local, &self.into())?, None))
        })
    }
}

pub(super) fn cannot_open_ping(on: String, cause: io::Error) -> Error {
    failed("open a ping socket", on, cause, |cause| {
        let denied = cause.kind == ErrorKind::PermissionDenied;
        denied.then_some(
            "allow ping sockets with `sysctl net.ipv4.ping_group_range='0 2147483647'`, or use a \
             raw socket, which requires the privilege CAP_NET_RAW",
        )
    })
}

pub(super) fn cannot_open_raw(on: String, cause: io::Error) -> Error {
    failed("open a raw socket", on, cause, |cause| {
        let denied = cause.kind == ErrorKind::PermissionDenied;
        denied.then_some(
            "requires the privilege CAP_NET_RAW; run the program with `sudo`, or grant the \
             privilege with `sudo setcap cap_net_raw+ep PROGRAM`",
        )
    })
}
