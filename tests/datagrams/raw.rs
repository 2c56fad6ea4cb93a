//! Raw and ping sockets: whole packets of any protocol, and the privilege that they need.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{DatagramOptions, Id, IpProtocol, Port, Reactor, SocketOption};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

const LO: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// A protocol number for experiments (RFC 3692).
const EXPERIMENT: IpProtocol = IpProtocol(253);

/// Runs the test `name` in a network namespace, where it has the privilege. Returns true in the
/// child.
fn privileged(name: &str) -> bool {
    if !is_child() {
        in_network(name, "ip link set lo up");
    }
    is_child()
}

fn raw(
    reactor: &mut Reactor,
    local: impl Into<IpAddr>,
    number: IpProtocol,
    h: &DatagramLog,
) -> Port {
    reactor.context().open_raw(local, number, DatagramRecorder::quiet(h)).unwrap()
}

/// Returns an echo request, with the checksum for IPv4.
fn echo_request(kind: u8) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], b"are you there?"].concat();
    let sum = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = sum.sum();
    let sum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

#[test]
fn ipv4_echo_arrives_with_its_header() {
    if !privileged(this_test!()) {
        return;
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = raw(&mut reactor, Ipv4Addr::UNSPECIFIED, IpProtocol::ICMP, &events);
    reactor.context().datagram(port.id()).send_to(&echo_request(8), LO);
    // The system delivers a copy of the request, and then the answer.
    turn_until(&mut reactor, "the answer", |_| events.data().len() == 2);
    for (packet, kind) in events.data().iter().zip([8, 0]) {
        assert_eq!(packet[0], 0x45, "IPv4, five words of header");
        assert_eq!((packet[9], packet[20]), (IpProtocol::ICMP.0, kind));
        assert!(packet.ends_with(b"are you there?"));
    }
    assert!(events.senders().iter().all(|sender| *sender == (LO, 0).into_address()));
}

#[test]
fn ipv6_echo_has_no_header_but_a_checksum() {
    if !privileged(this_test!()) {
        return;
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = raw(&mut reactor, Ipv6Addr::UNSPECIFIED, IpProtocol::ICMPV6, &events);
    let mut request = echo_request(128);
    request[2..4].copy_from_slice(&[0, 0]);
    reactor.context().datagram(port.id()).send_to(&request, Ipv6Addr::LOCALHOST);
    let answers = || events.data().into_iter().filter(|data| data[0] == 129);
    turn_until(&mut reactor, "the answer", |_| answers().count() == 1);
    assert!(answers().all(|answer| answer[4..] == request[4..]));
}

#[test]
fn raw_packets_carry_ttl_and_tos() {
    if !privileged(this_test!()) {
        return;
    }
    for number in [IpProtocol::IGMP, EXPERIMENT] {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let options = DatagramOptions::new()
            .option(SocketOption::Ttl(7))
            .option(SocketOption::TrafficClass(0x10));
        let context = reactor.context();
        let port = options.open_raw(context, LO, number, DatagramRecorder::quiet(&events)).unwrap();
        context.datagram(port.id()).send_to(b"one", LO);
        context.set_option(port.id(), SocketOption::Ttl(9)).unwrap();
        context.set_option(port.id(), SocketOption::TrafficClass(0x20)).unwrap();
        context.datagram(port.id()).send_to(b"two", LO);
        turn_until(&mut reactor, "both", |_| events.data().len() == 2);
        for (packet, (ttl, tos, data)) in
            events.data().iter().zip([(7, 0x10, b"one"), (9, 0x20, b"two")])
        {
            assert_eq!((packet[8], packet[1], packet[9]), (ttl, tos, number.0));
            assert_eq!(packet[20..], *data);
        }
        assert!(reactor.context().set_option(port.id(), SocketOption::Ttl(0)).is_err());
    }
    // IPv6 has the same options under other names.
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let options = DatagramOptions::new()
        .option(SocketOption::Ttl(7))
        .option(SocketOption::TrafficClass(0x10));
    let (lo, protocol) = (Ipv6Addr::LOCALHOST, DatagramRecorder::quiet(&events));
    let port = options.open_raw(reactor.context(), lo, EXPERIMENT, protocol).unwrap();
    reactor.context().datagram(port.id()).send_to(b"one", lo);
    turn_until(&mut reactor, "received", |_| events.data() == [b"one"]);
}

/// Returns a packet from 127.0.0.9. The system fills in its length and checksum.
fn whole_packet(data: &[u8]) -> Vec<u8> {
    let header = [0x45, 0, 0, 0, 0, 1, 0, 0, 33, EXPERIMENT.0, 0, 0, 127, 0, 0, 9, 127, 0, 0, 1];
    [&header, data].concat()
}

#[test]
fn packets_may_include_their_own_header() {
    if !privileged(this_test!()) {
        return;
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    raw(&mut reactor, LO, EXPERIMENT, &events);
    let sending = DatagramLog::default();
    let included = DatagramOptions::new().header_included(true);
    let any = Ipv4Addr::UNSPECIFIED;
    let context = reactor.context();
    let senders: [Id; 2] = [
        context.open_raw(any, IpProtocol::RAW, DatagramRecorder::quiet(&sending)).unwrap().id(),
        included
            .open_raw(context, any, IpProtocol(254), DatagramRecorder::quiet(&sending))
            .unwrap()
            .id(),
    ];
    for id in senders {
        reactor.context().datagram(id).send_to(&whole_packet(b"own header"), LO);
        reactor.context().datagram(id).send_to(b"no header", LO);
    }
    turn_until(&mut reactor, "both", |_| events.data().len() == 2);
    for packet in events.data() {
        assert_eq!((packet[8], &packet[20..]), (33, &b"own header"[..]));
    }
    assert!(events.senders().iter().all(|s| s.ip() == Some(Ipv4Addr::new(127, 0, 0, 9).into())));
    let errors = sending.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("cannot send 9 bytes to 127.0.0.1:0: "), "{errors:?}");
}

#[test]
fn error_names_the_missing_privilege() {
    let name = this_test!();
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let recorder = DatagramRecorder::quiet(&events);
    match reactor.context().open_raw(LO, IpProtocol::ICMP, recorder) {
        Ok(_) if is_child() => panic!("the child has the privilege"),
        Ok(_) => {
            let wrapper = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
            let mut works = Command::new(wrapper[0]);
            works.args(&wrapper[1..]).arg("true").stderr(Stdio::null());
            match works.status().is_ok_and(|status| status.success()) {
                true => _ = in_child(name, &wrapper),
                false => println!("skipped: setpriv(1) does not work here"),
            }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let text = error.to_string();
            assert!(
                text.starts_with("cannot open a raw socket for protocol 1 on 127.0.0.1: "),
                "{text}"
            );
            assert!(text.contains("CAP_NET_RAW") && text.contains("setcap"), "{text}");
            drop(reactor);
            assert_eq!(events.all(), [], "start_protocol was called");
        }
    }
}

#[test]
fn error_explains_how_to_allow_ping() {
    let name = this_test!();
    if !is_child() {
        return in_network(name, "ip link set lo up"); // where no group may use ping at first
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let error = reactor.context().open_ping(LO, DatagramRecorder::quiet(&events)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot open a ping socket on 127.0.0.1: "), "{text}");
    assert!(text.contains("net.ipv4.ping_group_range"), "{text}");
}

#[test]
fn ping_answers_have_own_identifier_without_header() {
    let name = this_test!();
    if !is_child() {
        let allow = "ip link set lo up && echo 0 0 > /proc/sys/net/ipv4/ping_group_range";
        return in_network(name, allow);
    }
    let families: [(IpAddr, u8); 2] = [(LO.into(), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
    for (lo, kind) in families {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let port = reactor.context().open_ping(lo, DatagramRecorder::quiet(&events)).unwrap();
        let request = echo_request(kind);
        reactor.context().datagram(port.id()).send_to(&request, lo);
        turn_until(&mut reactor, "the answer", |_| events.data().len() == 1);
        let answer = &events.data()[0];
        assert_eq!(answer[0], if kind == 8 { 0 } else { 129 });
        let identifier = u16::from_be_bytes([answer[4], answer[5]]);
        assert_eq!(Some(identifier), port.address().port());
        assert_eq!(answer[6..], request[6..]);
        assert_eq!(events.senders()[0].ip(), Some(lo));
    }
}

#[test]
fn raw_sockets_call_start_and_stop() {
    if !privileged(this_test!()) {
        return;
    }
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = raw(&mut reactor, LO, EXPERIMENT, &events);
    turns(&mut reactor, 2);
    reactor.context().close(port.id());
    turns(&mut reactor, 2);
    events.check();
    let other = DatagramLog::default();
    raw(&mut reactor, LO, EXPERIMENT, &other);
    drop(reactor);
    other.check();
}

/// [`ropewalk::ToAddress`] without an error.
trait IntoAddress {
    fn into_address(self) -> ropewalk::Address;
}

impl<T: ropewalk::ToAddress> IntoAddress for T {
    fn into_address(self) -> ropewalk::Address {
        self.to_address(&|_, _| unreachable!("it is in digits")).unwrap()
    }
}
