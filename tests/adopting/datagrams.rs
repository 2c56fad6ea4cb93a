//! Datagram sockets that are adopted.

use crate::foreign::*;
use crate::support::turn_until;
use ropewalk::{Address, DatagramOptions, DatagramProtocol, DatagramTransport, Reactor};
use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;

/// Answers each datagram with its text in capitals.
struct Capitals;

impl DatagramProtocol for Capitals {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        match transport.peer() {
            Address::Unknown => transport.send_to(&data.to_ascii_uppercase(), sender),
            _ => transport.send(&data.to_ascii_uppercase()),
        }
    }
}

#[test]
fn adopted_datagram_socket_receives_earlier_datagrams() {
    let options = DatagramOptions::new();
    for connected in [false, true] {
        let (theirs, ours) = (udp(), udp());
        if connected {
            ours.connect(theirs.local_addr().unwrap()).unwrap();
        }
        theirs.send_to(b"early", ours.local_addr().unwrap()).unwrap();
        let mut reactor = Reactor::new().unwrap();
        let address = ours.local_addr().unwrap();
        let port = options.adopt_datagram(reactor.context(), ours, Capitals).unwrap();
        assert_eq!(port.address().socket_addr(), Some(address));
        assert_eq!(reactor.context().datagram(port.id()).peer() != Address::Unknown, connected);
        let mut buffer = [0; 10];
        theirs.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "an answer", |_| theirs.recv(&mut buffer).is_ok());
        assert_eq!(buffer[..5], *b"EARLY");
    }
}

/// With IP_RECVERR the system queues errors in the buffer for datagrams (ip(7)).
#[cfg(all(target_os = "linux", feature = "foreign_sockets"))]
#[test]
fn queued_errors_neither_spin_nor_block_receiving() {
    use crate::support::{becomes_idle, turns};
    use nix::sys::socket::{setsockopt, sockopt::Ipv4RecvErr};
    use socket2::SockRef;

    let (theirs, ours) = (udp(), udp());
    SockRef::from(&ours).set_recv_buffer_size(4096).unwrap();
    setsockopt(&ours, Ipv4RecvErr, &true).unwrap();
    let dead = udp().local_addr().unwrap();
    ours.send_to(b"a question", dead).unwrap();
    let address = ours.local_addr().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let options = DatagramOptions::new();
    let id = options.adopt_datagram(reactor.context(), ours, Capitals).unwrap().id();
    theirs.set_nonblocking(true).unwrap();
    let expect = |reactor: &mut Reactor, data: &[u8]| {
        let (mut buffer, mut length) = ([0; 20], 0);
        turn_until(reactor, "a datagram", |_| {
            length = theirs.recv(&mut buffer).unwrap_or(0);
            length > 0
        });
        assert_eq!(buffer[..length], *data);
    };
    reactor.context().datagram(id).send_to(b"hello", theirs.local_addr().unwrap());
    expect(&mut reactor, b"hello");
    for _ in 0..100 {
        reactor.context().datagram(id).send_to(b"a question", dead);
        turns(&mut reactor, 1);
    }
    assert!(becomes_idle(&mut reactor));
    theirs.send_to(b"another question", address).unwrap();
    expect(&mut reactor, b"ANOTHER QUESTION");
}

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn other_sockets_are_refused_as_datagram_sockets() {
    let mut reactor = Reactor::new().unwrap();
    let mut no_datagrams = |socket: OwnedFd| {
        let options = DatagramOptions::new();
        let adopted = options.adopt_datagram(reactor.context(), socket, Capitals);
        adopted.unwrap_err().to_string()
    };
    assert_eq!(
        no_datagrams(foreign_listener().0.into()),
        "cannot adopt a socket for datagrams: the socket is a stream socket, not a datagram socket"
    );
    assert!(no_datagrams(File::open("Cargo.toml").unwrap().into()).contains("not a socket"));
}
