//! Connected datagram sockets, and the refusals that they receive.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{Address, DatagramTransport, Reactor};

fn connected(reactor: &mut Reactor, to: std::net::SocketAddr, heards: &Heards) -> ropewalk::Port {
    reactor.context().connect_udp(to, Witness::quiet(heards)).unwrap()
}

#[test]
fn unconnected_socket_is_not_notified_of_refusals() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::echo(&heards)).unwrap();
    let gone = peer().local_addr().unwrap();
    for _ in 0..3 {
        reactor.context().send_to(port.id(), b"anybody?", gone);
        turns(&mut reactor, 2);
    }
    let peer = peer();
    peer.send_to(b"still there?", port.address()).unwrap();
    turn_until(&mut reactor, "the datagram", |_| heards.data().len() == 1);
    assert_eq!(received(&peer), b"still there?");
    assert_eq!(heards.all().len(), 2);
}

#[test]
fn connected_socket_receives_from_its_peer_only() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let (peer, other) = (peer(), peer());
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    assert_eq!(reactor.context().peer(port.id()), Some(peer.local_addr().unwrap().into()));
    reactor.context().send(port.id(), b"hello");
    assert_eq!(received(&peer), b"hello");
    other.send_to(b"let me in", port.address()).unwrap();
    peer.send_to(b"welcome", port.address()).unwrap();
    turn_until(&mut reactor, "the answer", |_| !heards.data().is_empty());
    turns(&mut reactor, 2);
    assert_eq!(heards.data(), [b"welcome"]);
}

#[cfg(target_os = "linux")]
#[test]
fn connected_socket_may_send_elsewhere() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let (peer, other) = (peer(), peer());
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    reactor.context().send_to(port.id(), b"aside", other.local_addr().unwrap());
    assert_eq!(received(&other), b"aside");
    other.send_to(b"what?", port.address()).unwrap();
    reactor.context().send(port.id(), b"to the peer");
    assert_eq!(received(&peer), b"to the peer");
    peer.send_to(b"welcome", port.address()).unwrap();
    turn_until(&mut reactor, "the answer", |_| !heards.data().is_empty());
    turns(&mut reactor, 2);
    assert_eq!(heards.data(), [b"welcome"]);
    assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().dropped, 0);
}

#[test]
fn connected_socket_survives_refusals() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let peer = refusing_peer();
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    let refused = |heard: &Heard| *heard == Heard::Refused;
    for round in 1..=3 {
        reactor.context().send(port.id(), b"anybody?");
        turn_until(&mut reactor, "refused", |_| heards.count(refused) == round);
    }
    // A receiver appears, and datagrams arrive.
    peer.connect(port.address()).unwrap();
    reactor.context().send(port.id(), b"anybody?");
    assert_eq!(received(&peer), b"anybody?");
    peer.send(b"me").unwrap();
    turn_until(&mut reactor, "the answer", |_| heards.data() == [b"me"]);
    assert_eq!(heards.errors(), [] as [&str; 0]);
    assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().dropped, 0);
    drop(reactor);
    heards.check();
}

#[test]
fn connection_refused_may_close_or_panic() {
    for panics in [false, true] {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let hook =
            move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
                if *heard == Heard::Refused {
                    assert!(!panics, "a panic on purpose");
                    transport.close();
                }
            };
        let peer = refusing_peer();
        let dead = peer.local_addr().unwrap();
        let port = reactor.context().connect_udp(dead, Witness::new(&heards, hook)).unwrap();
        reactor.context().send(port.id(), b"anybody?");
        let refused = |heard: &Heard| *heard == Heard::Refused;
        turn_until(&mut reactor, "refused", |_| heards.count(refused) == 1);
        turns(&mut reactor, 2);
        assert_eq!(reactor.context().is_closing(port.id()), !panics);
        reactor.context().close(port.id());
        turns(&mut reactor, 2);
        assert_eq!(heards.all(), [Heard::Started, Heard::Refused, Heard::Stopped]);
    }
}

/// The system reports a refusal as the error of the next send, and does not send that datagram.
#[test]
fn pending_refusal_does_not_lose_the_next_datagram() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let peer = refusing_peer();
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    reactor.context().send(port.id(), b"into the void");
    peer.connect(port.address()).unwrap();
    reactor.context().send(port.id(), b"this has to arrive");
    assert_eq!(received(&peer), b"this has to arrive");
    turns(&mut reactor, 2);
    assert_eq!(heards.all(), [Heard::Started, Heard::Refused]);
    assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().sent, 2);
}

#[test]
fn connecting_later_sets_the_local_address() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let (peer, other) = (peer(), peer());
    let to = peer.local_addr().unwrap();
    let port = reactor.listen_udp("0.0.0.0:0", Witness::quiet(&heards)).unwrap();
    reactor.context().connect(port.id(), to).unwrap();
    let address = reactor.context().local_address(port.id()).unwrap();
    assert_eq!(address.ip().unwrap(), to.ip());
    reactor.context().send(port.id(), b"hello");
    assert_eq!(received(&peer), b"hello");
    other.send_to(b"let me in", &address).unwrap();
    peer.send_to(b"welcome", &address).unwrap();
    turn_until(&mut reactor, "the answer", |_| !heards.data().is_empty());
    assert_eq!(heards.data(), [b"welcome"]);
    reactor.context().close(port.id());
    assert!(reactor.context().connect(port.id(), to).is_err());
}
