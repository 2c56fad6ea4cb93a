//! Datagram sockets that change their peer.

#![cfg(unix)]

use crate::recorder::*;
use crate::support::*;
use crate::unix::Folder;
use ropewalk::{Reactor, UnixAddress};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

/// How many datagrams are sent to a peer that does not receive: more than the system holds.
const MANY: u32 = 400;

/// Receives all datagrams that have arrived, and returns their numbers.
fn numbers(socket: &UnixDatagram) -> Vec<u32> {
    let mut buffer = [0; 16];
    let received = std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|_| buffer));
    received.map(|buffer| u32::from_be_bytes(buffer[..4].try_into().unwrap())).collect()
}

#[test]
fn queued_datagrams_keep_the_peer_they_had() {
    let (folder, events) = (Folder::new(), DatagramLog::default());
    let [a, b] = ["a", "b"].map(|name| folder.path(name));
    let sockets = [&a, &b].map(|path| UnixDatagram::bind(path).unwrap());
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let id = context.connect_unix_datagram(&a, DatagramRecorder::quiet(&events)).unwrap().id();
    let send = |reactor: &mut Reactor, numbers: std::ops::Range<u32>| {
        for number in numbers {
            reactor.context().datagram(id).send(&number.to_be_bytes());
        }
    };
    send(&mut reactor, 0..MANY);
    turns(&mut reactor, 1);
    assert!(reactor.context().datagram(id).counts().queued > 0, "the system holds all of them");

    // A connect that fails changes nothing.
    let missing = UnixAddress::from(folder.path("missing"));
    assert!(reactor.context().datagram(id).connect(missing).is_err());
    send(&mut reactor, MANY..MANY + 1);
    reactor.context().datagram(id).connect(UnixAddress::from(&b)).unwrap();
    send(&mut reactor, MANY + 1..2 * MANY);
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    turn_until(&mut reactor, "all", |_| {
        at_a.extend(numbers(&sockets[0]));
        at_b.extend(numbers(&sockets[1]));
        at_a.len() + at_b.len() == 2 * MANY as usize
    });
    assert!(at_a.into_iter().eq(0..=MANY), "the first peer's datagrams, in order");
    assert!(at_b.into_iter().eq(MANY + 1..2 * MANY), "the second peer's datagrams, in order");
    assert!(events.errors().is_empty(), "{:?}", events.errors());
}

#[test]
fn datagrams_of_others_before_connect_are_discarded() {
    let events = DatagramLog::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let socket = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(port.address()).unwrap();
        socket
    };
    let (peer, other) = (socket(), socket());
    other.send(b"early").unwrap();
    peer.send(b"early, too").unwrap();
    other.send(b"early again").unwrap();
    reactor.context().datagram(port.id()).connect(peer.local_addr().unwrap()).unwrap();
    turn_until(&mut reactor, "a datagram", |_| !events.data().is_empty());
    peer.send(b"late").unwrap();
    turn_until(&mut reactor, "all", |_| events.data().len() >= 2);
    turns(&mut reactor, 2);
    assert_eq!(events.data(), [b"early, too".as_slice(), b"late"]);
    assert_eq!(reactor.context().datagram(port.id()).counts().received, 2);
}

#[test]
fn connecting_to_the_first_sender_excludes_others() {
    let events = DatagramLog::default();
    let mut reactor = Reactor::new().unwrap();
    let protocol = DatagramRecorder::new(&events, |transport, _, sender| {
        if let Some(sender) = sender {
            transport.connect(sender).unwrap();
        }
    });
    let port = reactor.listen_udp("127.0.0.1:0", protocol).unwrap();
    let clients = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    for number in 0..10 {
        clients[number % 2].send_to(&[number as u8], port.address()).unwrap();
    }
    turn_until(&mut reactor, "all", |_| events.data().len() >= 5);
    turns(&mut reactor, 2);
    assert_eq!(events.data().concat(), [0, 2, 4, 6, 8]);
}

#[test]
fn peer_has_the_address_the_system_assigned() {
    for (own, peer) in [("127.0.0.1", "0.0.0.0"), ("[::]", "127.0.0.1"), ("[::1]", "[::]")] {
        let events = DatagramLog::default();
        let mut reactor = Reactor::new().unwrap();
        let port =
            reactor.listen_udp(format!("{own}:0"), DatagramRecorder::quiet(&events)).unwrap();
        let socket = UdpSocket::bind(format!("{peer}:0")).unwrap();
        let ours = port.address().port().unwrap();
        let host = if peer.starts_with('[') { "[::1]" } else { "127.0.0.1" };
        socket.send_to(b"hello", format!("{host}:{ours}")).unwrap();
        let number = socket.local_addr().unwrap().port();
        reactor.context().datagram(port.id()).connect(format!("{peer}:{number}")).unwrap();
        turn_until(&mut reactor, "the datagram", |_| events.data().len() == 1);
    }
}
