//! Connected datagram sockets, and the refusals that they receive.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{Address, DatagramTransport, Reactor};

fn connected(
    reactor: &mut Reactor,
    to: std::net::SocketAddr,
    events: &DatagramLog,
) -> ropewalk::Port {
    reactor.context().connect_udp(to, DatagramRecorder::quiet(events)).unwrap()
}

#[test]
fn unconnected_socket_is_not_notified_of_refusals() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::echo(&events)).unwrap();
    let gone = peer().local_addr().unwrap();
    for _ in 0..3 {
        reactor.context().datagram(port.id()).send_to(b"a question", gone);
        turns(&mut reactor, 2);
    }
    let peer = peer();
    peer.send_to(b"still there?", port.address()).unwrap();
    turn_until(&mut reactor, "the datagram", |_| events.data().len() == 1);
    assert_eq!(received(&peer), b"still there?");
    assert_eq!(events.all().len(), 2);
}

#[test]
fn connected_socket_receives_from_its_peer_only() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (peer, other) = (peer(), peer());
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &events);
    let address = peer.local_addr().unwrap().into();
    assert_eq!(reactor.context().datagram(port.id()).peer(), address);
    reactor.context().datagram(port.id()).send(b"hello");
    assert_eq!(received(&peer), b"hello");
    other.send_to(b"let me in", port.address()).unwrap();
    peer.send_to(b"welcome", port.address()).unwrap();
    turn_until(&mut reactor, "the answer", |_| !events.data().is_empty());
    turns(&mut reactor, 2);
    assert_eq!(events.data(), [b"welcome"]);
}

#[cfg(target_os = "linux")]
#[test]
fn connected_socket_may_send_elsewhere() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (peer, other) = (peer(), peer());
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &events);
    reactor.context().datagram(port.id()).send_to(b"aside", other.local_addr().unwrap());
    assert_eq!(received(&other), b"aside");
    other.send_to(b"what?", port.address()).unwrap();
    reactor.context().datagram(port.id()).send(b"to the peer");
    assert_eq!(received(&peer), b"to the peer");
    peer.send_to(b"welcome", port.address()).unwrap();
    turn_until(&mut reactor, "the answer", |_| !events.data().is_empty());
    turns(&mut reactor, 2);
    assert_eq!(events.data(), [b"welcome"]);
    assert_eq!(reactor.context().datagram(port.id()).counts().dropped, 0);
}

#[test]
fn connected_socket_survives_refusals() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let peer = refusing_peer();
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &events);
    let refused = |event: &DatagramEvent| *event == DatagramEvent::Refused;
    for round in 1..=3 {
        reactor.context().datagram(port.id()).send(b"a question");
        turn_until(&mut reactor, "refused", |_| events.count(refused) == round);
    }
    // A receiver appears, and datagrams arrive.
    peer.connect(port.address()).unwrap();
    reactor.context().datagram(port.id()).send(b"a question");
    assert_eq!(received(&peer), b"a question");
    peer.send(b"me").unwrap();
    turn_until(&mut reactor, "the answer", |_| events.data() == [b"me"]);
    assert_eq!(events.errors(), [] as [&str; 0]);
    assert_eq!(reactor.context().datagram(port.id()).counts().dropped, 0);
    drop(reactor);
    events.check();
}

#[test]
fn connection_refused_may_close_or_panic() {
    for panics in [false, true] {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let hook = move |transport: &mut DatagramTransport<'_>,
                         event: &DatagramEvent,
                         _: Option<&Address>| {
            if *event == DatagramEvent::Refused {
                assert!(!panics, "a panic on purpose");
                transport.close();
            }
        };
        let peer = refusing_peer();
        let dead = peer.local_addr().unwrap();
        let port =
            reactor.context().connect_udp(dead, DatagramRecorder::new(&events, hook)).unwrap();
        reactor.context().datagram(port.id()).send(b"a question");
        let refused = |event: &DatagramEvent| *event == DatagramEvent::Refused;
        turn_until(&mut reactor, "refused", |_| events.count(refused) == 1);
        turns(&mut reactor, 2);
        assert_eq!(reactor.context().transport(port.id()).is_closing(), !panics);
        reactor.context().close(port.id());
        turns(&mut reactor, 2);
        assert_eq!(
            events.all(),
            [DatagramEvent::Started, DatagramEvent::Refused, DatagramEvent::Stopped]
        );
    }
}

/// The system reports a refusal as the error of the next send, and does not send that datagram.
#[test]
fn pending_refusal_does_not_lose_the_next_datagram() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let peer = refusing_peer();
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &events);
    reactor.context().datagram(port.id()).send(b"into the void");
    peer.connect(port.address()).unwrap();
    reactor.context().datagram(port.id()).send(b"this has to arrive");
    assert_eq!(received(&peer), b"this has to arrive");
    turns(&mut reactor, 2);
    assert_eq!(events.all(), [DatagramEvent::Started, DatagramEvent::Refused]);
    assert_eq!(reactor.context().datagram(port.id()).counts().sent, 2);
}

#[test]
fn connecting_later_sets_the_local_address() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let (peer, other) = (peer(), peer());
    let to = peer.local_addr().unwrap();
    let port = reactor.listen_udp("0.0.0.0:0", DatagramRecorder::quiet(&events)).unwrap();
    reactor.context().datagram(port.id()).connect(to).unwrap();
    let address = reactor.context().local_address(port.id());
    assert_eq!(address.ip().unwrap(), to.ip());
    reactor.context().datagram(port.id()).send(b"hello");
    assert_eq!(received(&peer), b"hello");
    other.send_to(b"let me in", &address).unwrap();
    peer.send_to(b"welcome", &address).unwrap();
    turn_until(&mut reactor, "the answer", |_| !events.data().is_empty());
    assert_eq!(events.data(), [b"welcome"]);
    reactor.context().close(port.id());
    assert!(reactor.context().datagram(port.id()).connect(to).is_err());
}
