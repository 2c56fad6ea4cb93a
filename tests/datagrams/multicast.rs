//! Multicast: groups, sources, interfaces and their options.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{DatagramOptions, Id, Interface, Reactor};
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 2);
const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Returns a socket that shares `port` with others, and its port. With port 0 the system chooses.
fn listener(reactor: &mut Reactor, port: u16, events: &DatagramLog) -> (Id, u16) {
    let options = DatagramOptions::new().reuse_address(true);
    let (address, protocol) = ((Ipv4Addr::UNSPECIFIED, port), DatagramRecorder::quiet(events));
    let port = options.listen_udp(reactor.context(), address, protocol).unwrap();
    (port.id(), port.address().port().unwrap())
}

/// Returns a sender on the loopback interface.
fn sender() -> UdpSocket {
    let sender = peer();
    socket2::SockRef::from(&sender).set_multicast_if_v4(&LO).unwrap();
    sender
}

#[test]
fn sockets_receive_only_their_joined_groups() {
    let mut reactor = Reactor::new().unwrap();
    let events = [0; 4].map(|_| DatagramLog::default());
    let (first, port) = listener(&mut reactor, 0, &events[0]);
    let ids = [first].into_iter();
    let ids: Vec<Id> = ids
        .chain(events[1..].iter().map(|events| listener(&mut reactor, port, events).0))
        .collect();
    let context = reactor.context();
    context.datagram(ids[0]).join_group(GROUP, LO).unwrap();
    context.datagram(ids[1]).join_group(GROUP, LO).unwrap();
    context.datagram(ids[1]).join_group(OTHER, LO).unwrap();
    context.datagram(ids[2]).join_group(OTHER, LO).unwrap();
    let sender = sender();
    sender.send_to(b"one", (GROUP, port)).unwrap();
    sender.send_to(b"other", (OTHER, port)).unwrap();
    turn_until(&mut reactor, "all received", |_| events[1].data().len() == 2);
    turns(&mut reactor, 3);
    let event = |index: usize| events[index].data().concat();
    assert_eq!(
        [event(0), event(1), event(2)].map(|data| String::from_utf8(data).unwrap()),
        ["one", "oneother", "other"]
    );
    assert_eq!(event(3), b"", "received without a group");
    reactor.context().datagram(ids[1]).leave_group(GROUP, LO).unwrap();
    sender.send_to(b"!", (GROUP, port)).unwrap();
    turn_until(&mut reactor, "received", |_| events[0].data().len() == 2);
    turns(&mut reactor, 3);
    assert_eq!(events[1].data().len(), 2, "received after leaving");
}

/// Python's socket reports the TTL of a datagram; ours does not.
#[cfg(target_os = "linux")]
#[test]
fn multicast_ttl_is_applied() {
    let member = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.bind(('0.0.0.0', 0))
lo = socket.inet_aton('127.0.0.1')
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(sys.argv[1]) + lo)
s.setsockopt(socket.IPPROTO_IP, 12, 1) # IP_RECVTTL
print(s.getsockname()[1], flush=True)
for _ in range(4):
    data, ancillary, _, _ = s.recvmsg(100, 100)
    ttl = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
    assert ttl == data[0], (ttl, data)";
    let mut python = Command::new("python3");
    python.args(["-c", member, &GROUP.to_string()]).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: python3 does not exist here");
    };
    let mut line = String::new();
    BufReader::new(python.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let to = (GROUP, line.trim().parse::<u16>().unwrap());
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (id, _) = listener(&mut reactor, 0, &events);
    let context = reactor.context();
    context.datagram(id).set_multicast_interface(LO).unwrap();
    context.datagram(id).send_to(&[1], to);
    for ttl in [0, 7, 255] {
        context.datagram(id).set_multicast_ttl(ttl).unwrap();
        context.datagram(id).send_to(&[ttl], to);
    }
    assert!(python.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn interface_may_be_address_index_or_name() {
    let mut reactor = Reactor::new().unwrap();
    for interface in [LO.into(), Interface::Index(1), Interface::from("lo")] {
        let events = DatagramLog::default();
        let (id, port) = listener(&mut reactor, 0, &events);
        let context = reactor.context();
        context.datagram(id).join_group(GROUP, interface.clone()).unwrap();
        context.datagram(id).set_multicast_interface(interface.clone()).unwrap();
        context.datagram(id).send_to(b"hello", (GROUP, port));
        turn_until(&mut reactor, "received", |_| events.data() == [b"hello"]);
        reactor.context().datagram(id).leave_group(GROUP, interface.clone()).unwrap();
        assert!(reactor.context().datagram(id).leave_group(GROUP, interface).is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn join_source_excludes_other_sources() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (id, port) = listener(&mut reactor, 0, &events);
    let senders = ["127.0.0.1:0", "127.0.0.2:0"].map(peer_on);
    let sources = [0, 1].map(|index: usize| senders[index].local_addr().unwrap().ip());
    let send_all = |text: &str| {
        for sender in &senders {
            socket2::SockRef::from(sender).set_multicast_if_v4(&LO).unwrap();
            sender.send_to(text.as_bytes(), (GROUP, port)).unwrap();
        }
    };
    reactor.context().datagram(id).join_source(GROUP, sources[1], LO).unwrap();
    send_all("one");
    turn_until(&mut reactor, "received", |_| !events.data().is_empty());
    turns(&mut reactor, 3);
    assert_eq!(
        events.senders().iter().map(|sender| sender.ip()).collect::<Vec<_>>(),
        [Some(sources[1])]
    );
    reactor.context().datagram(id).join_source(GROUP, sources[0], LO).unwrap();
    reactor.context().datagram(id).leave_source(GROUP, sources[1], LO).unwrap();
    send_all("two");
    turn_until(&mut reactor, "received", |_| events.data().len() > 1);
    turns(&mut reactor, 3);
    assert_eq!(
        events.senders()[1..].iter().map(|s| s.ip()).collect::<Vec<_>>(),
        [Some(sources[0])]
    );
    let context = reactor.context();
    let error =
        context.datagram(id).join_source(GROUP, sources[1], Interface::Index(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn failed_joins_explain_what_to_do() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (id, _) = listener(&mut reactor, 0, &events);
    let context = reactor.context();
    let check = |error: ropewalk::Error, what: &str, advice: &str| {
        let error = error.to_string();
        assert!(error.starts_with(what) && error.contains(advice), "{error}");
    };
    let error = context.datagram(id).join_group(LO, LO).unwrap_err();
    check(error, "cannot join 127.0.0.1 on 127.0.0.1: not a multicast address", "ff00::/8");
    let error = context.datagram(id).join_group(GROUP, Ipv4Addr::new(192, 0, 2, 99)).unwrap_err();
    check(error, "cannot join 239.255.77.1 on 192.0.2.99: ", "interface");
    let error = context.datagram(id).join_group(GROUP, "nosuch0").unwrap_err();
    check(error, "cannot join 239.255.77.1 on nosuch0: ", "interface");
    context.datagram(id).join_group(GROUP, LO).unwrap();
    let error = context.datagram(id).join_group(GROUP, LO).unwrap_err();
    check(error, "cannot join 239.255.77.1 on 127.0.0.1: ", "already joined");
    let error = context.datagram(id).leave_group(OTHER, LO).unwrap_err();
    check(error, "cannot leave 239.255.77.2 on 127.0.0.1: ", "not joined");
    let v6: Ipv6Addr = "ff02::77".parse().unwrap();
    assert!(context.datagram(id).join_group(v6, LO).is_err());
    context.close(id);
    let error = context.datagram(id).join_group(OTHER, LO).unwrap_err();
    check(error, "cannot join", "the socket is closed");
}

/// The loopback device delivers all own datagrams, and carries no IPv6 multicast. So these tests
/// use another device.
#[cfg(target_os = "linux")]
const CABLE: &str = "ip link add cable type veth peer name end && \
    ip addr add 10.77.0.1/24 dev cable && ip -6 addr add fd77::1/64 dev cable nodad && \
    ip link set lo up && ip link set end up && ip link set cable up";

#[cfg(target_os = "linux")]
#[test]
fn loopback_of_own_datagrams_can_be_disabled() {
    if !is_child() {
        let name = this_test!();
        return in_network(name, CABLE);
    }
    let group: Ipv6Addr = "ff02::4d:1".parse().unwrap();
    for (local, group) in [("0.0.0.0:0", IpAddr::V4(GROUP)), ("[::]:0", IpAddr::V6(group))] {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let options = DatagramOptions::new().reuse_address(true);
        let context = reactor.context();
        let port = options.listen_udp(context, local, DatagramRecorder::quiet(&events)).unwrap();
        let (id, to) = (port.id(), SocketAddr::new(group, port.address().port().unwrap()));
        context.datagram(id).set_multicast_interface("cable").unwrap();
        context.datagram(id).set_multicast_ttl(3).unwrap();
        context.datagram(id).send_to(b"not joined", to);
        turns(&mut reactor, 3);
        let context = reactor.context();
        context.datagram(id).join_group(group, "cable").unwrap();
        context.datagram(id).send_to(b"hello", to);
        context.datagram(id).set_multicast_loopback(false).unwrap();
        context.datagram(id).send_to(b"to others", to);
        context.datagram(id).set_multicast_loopback(true).unwrap();
        context.datagram(id).send_to(b"again", to);
        turn_until(&mut reactor, "received", |_| events.data().len() > 1);
        reactor.context().datagram(id).leave_group(group, "cable").unwrap();
        reactor.context().datagram(id).send_to(b"has left", to);
        turns(&mut reactor, 3);
        assert_eq!(events.data(), [b"hello", b"again"]);
        assert_eq!(events.errors(), [] as [&str; 0]);
    }
}

/// A member with another implementation.
#[test]
fn python_member_exchanges_datagrams() {
    let member = "import socket, sys
group, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', port))
lo = socket.inet_aton('127.0.0.1')
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + lo)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, lo)
s.sendto(b'joined', (group, port))
while s.recv(100) != b'welcome': pass";
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (id, port) = listener(&mut reactor, 0, &events);
    let context = reactor.context();
    context.datagram(id).join_group(GROUP, LO).unwrap();
    context.datagram(id).set_multicast_interface(LO).unwrap();
    let arguments = ["-c", member, &GROUP.to_string(), &port.to_string()];
    let Ok(mut python) = Command::new("python3").args(arguments).spawn() else {
        return println!("skipped: python3 does not exist here");
    };
    turn_until(&mut reactor, "received", |_| events.data().contains(&b"joined".to_vec()));
    reactor.context().datagram(id).send_to(b"welcome", (GROUP, port));
    turn_until(&mut reactor, "its exit", |_| python.try_wait().unwrap().is_some());
    assert!(python.wait().unwrap().success());
}

/// A socket on all IPv6 addresses sends to groups of both families.
#[cfg(target_os = "linux")]
#[test]
fn dual_stack_options_apply_to_both_families() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let quiet = || DatagramRecorder::quiet(&DatagramLog::default());
    let port = reactor.listen_udp("[::]:0", quiet()).unwrap();
    let only = DatagramOptions::new().only_ipv6(true);
    let other = only.listen_udp(reactor.context(), "[::]:0", quiet()).unwrap();
    let context = reactor.context();
    for id in [port.id(), other.id()] {
        context.datagram(id).set_multicast_ttl(7).unwrap();
        context.datagram(id).set_multicast_loopback(false).unwrap();
        context.datagram(id).set_multicast_interface("lo").unwrap();
    }
    let of = |reactor: &mut Reactor, id| {
        let socket = reactor.context().descriptor(id).unwrap();
        let socket = socket2::SockRef::from(&socket);
        (
            (socket.multicast_ttl_v4().unwrap(), socket.multicast_hops_v6().unwrap()),
            (socket.multicast_loop_v4().unwrap(), socket.multicast_loop_v6().unwrap()),
        )
    };
    assert_eq!(of(&mut reactor, port.id()), ((7, 7), (false, false)));
    assert_eq!(of(&mut reactor, other.id()), ((1, 7), (true, false)), "one family only");

    // Datagrams to an IPv4 group leave on the chosen interface.
    let (member, number) = listener(&mut reactor, 0, &events);
    let context = reactor.context();
    context.datagram(member).join_group(GROUP, LO).unwrap();
    context.datagram(port.id()).set_multicast_loopback(true).unwrap();
    let group = Ipv4Addr::to_ipv6_mapped(&GROUP);
    context.datagram(port.id()).send_to(b"hello", (group, number));
    turn_until(&mut reactor, "received on lo", |_| events.data() == [b"hello"]);
}
