//! Datagram sockets that are connected, and connected anew: what goes where, and who is heard.

#![cfg(unix)]

#[path = "support/datagrams.rs"]
mod datagrams;
mod support;
#[path = "support/unix.rs"]
mod unix;

use datagrams::*;
use ropewalk::{Reactor, UnixAddress};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use support::*;
use unix::Folder;

/// How many are sent to a peer that does not receive, which is more than the system holds.
const MANY: u32 = 400;

fn numbers(socket: &UnixDatagram) -> Vec<u32> {
    let mut buffer = [0; 16];
    let received = std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|_| buffer));
    received.map(|buffer| u32::from_be_bytes(buffer[..4].try_into().unwrap())).collect()
}

#[test]
fn what_waits_goes_to_the_peer_for_which_it_was_sent() {
    let (folder, heards) = (Folder::new(), Heards::default());
    let [a, b] = ["a", "b"].map(|name| folder.path(name));
    let sockets = [&a, &b].map(|path| UnixDatagram::bind(path).unwrap());
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    let id = context.connect_unix_datagram(&a, Witness::quiet(&heards)).unwrap().id();
    let send = |reactor: &mut Reactor, numbers: std::ops::Range<u32>| {
        for number in numbers {
            reactor.context().send(id, &number.to_be_bytes());
        }
    };
    send(&mut reactor, 0..MANY);
    turns(&mut reactor, 1);
    assert!(reactor.context().datagram_counts(id).unwrap().waiting > 0, "the system took all");

    // An attempt that fails changes nothing.
    let nobody = UnixAddress::from(folder.path("nobody"));
    assert!(reactor.context().connect(id, nobody).is_err());
    send(&mut reactor, MANY..MANY + 1);
    reactor.context().connect(id, UnixAddress::from(&b)).unwrap();
    send(&mut reactor, MANY + 1..2 * MANY);
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    turn_until(&mut reactor, "all", |_| {
        at_a.extend(numbers(&sockets[0]));
        at_b.extend(numbers(&sockets[1]));
        at_a.len() + at_b.len() == 2 * MANY as usize
    });
    assert!(at_a.into_iter().eq(0..=MANY), "those of the first peer, in order");
    assert!(at_b.into_iter().eq(MANY + 1..2 * MANY), "those of the second");
    assert!(heards.errors().is_empty(), "{:?}", heards.errors());
}

#[test]
fn what_others_sent_before_it_was_connected_is_not_delivered() {
    let heards = Heards::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    let socket = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(port.address()).unwrap();
        socket
    };
    let (peer, stranger) = (socket(), socket());
    stranger.send(b"early").unwrap();
    peer.send(b"early, too").unwrap();
    stranger.send(b"early again").unwrap();
    reactor.context().connect(port.id(), peer.local_addr().unwrap()).unwrap();
    turn_until(&mut reactor, "something", |_| !heards.data().is_empty());
    peer.send(b"late").unwrap();
    turn_until(&mut reactor, "all", |_| heards.data().len() >= 2);
    turns(&mut reactor, 2);
    assert_eq!(heards.data(), [b"early, too".as_slice(), b"late"]);
    assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().received, 2);
}

#[test]
fn one_that_connects_to_the_first_that_it_hears_hears_no_other() {
    let heards = Heards::default();
    let mut reactor = Reactor::new().unwrap();
    let protocol = Witness::new(&heards, |transport, _, sender| {
        if let Some(sender) = sender {
            transport.connect(sender).unwrap();
        }
    });
    let port = reactor.listen_udp("127.0.0.1:0", protocol).unwrap();
    let clients = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    for number in 0..10 {
        clients[number % 2].send_to(&[number as u8], port.address()).unwrap();
    }
    turn_until(&mut reactor, "all", |_| heards.data().len() >= 5);
    turns(&mut reactor, 2);
    assert_eq!(heards.data().concat(), [0, 2, 4, 6, 8]);
}

#[test]
fn the_peer_is_known_by_the_address_that_the_system_gives_it() {
    for (own, peer) in [("127.0.0.1", "0.0.0.0"), ("[::]", "127.0.0.1"), ("[::1]", "[::]")] {
        let heards = Heards::default();
        let mut reactor = Reactor::new().unwrap();
        let port = reactor.listen_udp(format!("{own}:0"), Witness::quiet(&heards)).unwrap();
        let socket = UdpSocket::bind(format!("{peer}:0")).unwrap();
        let ours = port.address().port().unwrap();
        let host = if peer.starts_with('[') { "[::1]" } else { "127.0.0.1" };
        socket.send_to(b"hello", format!("{host}:{ours}")).unwrap();
        let number = socket.local_addr().unwrap().port();
        reactor.context().connect(port.id(), format!("{peer}:{number}")).unwrap();
        turn_until(&mut reactor, "it", |_| heards.data().len() == 1);
    }
}
