//! Start and end of datagram sockets, and panics in their callbacks.

use crate::recorder::*;
use crate::support::*;
use ropewalk::{Address, DatagramOptions, DatagramTransport, Reactor};
use std::cell::{Cell, RefCell};
use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn port_in_use_is_refused_unless_shared() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::quiet(&heards));
    let error = reactor.listen_udp(address, Witness::quiet(&heards)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let share = DatagramOptions::new().reuse_port(true);
    let context = reactor.context();
    let first = context.listen_udp_with("127.0.0.1:0", &share, Witness::quiet(&heards)).unwrap();
    assert!(context.listen_udp_with(first.address(), &share, Witness::quiet(&heards)).is_ok());
}

#[test]
fn closed_port_is_free_at_once() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    let peer = peer();
    peer.send_to(b"too late", port.address()).unwrap();
    let context = reactor.context();
    context.close(port.id());
    assert!(context.is_closing(port.id()));
    context.send_to(port.id(), b"too late", peer.local_addr().unwrap());
    once_free(|| UdpSocket::bind(port.address()));
    turns(&mut reactor, 2);
    assert_eq!(heards.all(), [Heard::Started, Heard::Stopped]);
    assert_eq!(reactor.context().local_address(port.id()), None);
}

#[test]
fn close_in_any_callback_leaves_only_stop() {
    let all: [fn(&Heard) -> bool; 5] = [
        |heard| *heard == Heard::Started,
        |heard| matches!(heard, Heard::Data(_)),
        |heard| matches!(heard, Heard::Truncated(_)),
        |heard| matches!(heard, Heard::Failed(_)),
        |heard| *heard == Heard::Stopped,
    ];
    for is in all {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let hook =
            move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
                if is(heard) {
                    transport.close();
                    transport.close();
                    assert!(transport.is_closing());
                    transport.send_to(b"too late", "127.0.0.1:9");
                    assert!(transport.local_address().port().is_some());
                }
            };
        let options = DatagramOptions::new().max_datagram_size(100);
        let protocol = Witness::new(&heards, hook);
        let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
        let peer = peer();
        for length in [1, 200, 1] {
            peer.send_to(&pattern(length), port.address()).unwrap();
        }
        turns(&mut reactor, 2);
        reactor.context().send(port.id(), b"an error");
        turns(&mut reactor, 2);
        reactor.context().close(port.id());
        turns(&mut reactor, 2);
        heards.check();
        let all = heards.all();
        let closed = all.iter().position(is).expect("the callback in which it closes");
        assert!(all.len() - closed <= 2, "{all:?}");
        once_free(|| UdpSocket::bind(port.address()));
    }
}

#[test]
fn panic_costs_the_datagram_not_the_socket() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let hook = |transport: &mut DatagramTransport<'_>, heard: &Heard, sender: Option<&Address>| {
        match heard {
            Heard::Data(data) if data == b"ping" => transport.send_to(b"pong", sender.unwrap()),
            Heard::Started => {}
            heard => panic!("a panic on purpose, in {heard:?}"),
        }
    };
    let options = DatagramOptions::new().max_datagram_size(100);
    let protocol = Witness::new(&heards, hook);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    let peer = peer();
    let alive = |reactor: &mut Reactor, count: usize| {
        turn_until(reactor, "a callback", |_| heards.all().len() == count);
        peer.send_to(b"ping", port.address()).unwrap();
        turn_until(reactor, "ping", |_| heards.all().len() == count + 1);
        assert_eq!(received(&peer), b"pong");
    };
    peer.send_to(b"poison", port.address()).unwrap();
    alive(&mut reactor, 2);
    peer.send_to(&pattern(200), port.address()).unwrap();
    alive(&mut reactor, 4);
    reactor.context().send(port.id(), b"an error");
    alive(&mut reactor, 6);
    reactor.context().close(port.id());
    turns(&mut reactor, 2);
    heards.check();
    assert_eq!(reactor.context().local_address(port.id()), None);
}

#[test]
fn panic_in_start_protocol_closes_the_socket() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let hook = |_: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
        assert_ne!(*heard, Heard::Started, "a panic on purpose");
    };
    let port = reactor.listen_udp("127.0.0.1:0", Witness::new(&heards, hook)).unwrap();
    turns(&mut reactor, 2);
    assert_eq!(heards.all(), [Heard::Started, Heard::Stopped]);
    once_free(|| UdpSocket::bind(port.address()));
}

#[test]
fn stop_or_dropped_reactor_calls_stop_protocol() {
    for stop in [true, false] {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::quiet(&heards));
        if stop {
            reactor.context().call_later(Duration::ZERO, |context| context.stop());
            reactor.run().unwrap();
            heards.check();
        }
        drop(reactor);
        heards.check();
        once_free(|| UdpSocket::bind(address));
    }
}

#[test]
fn stopping_reactor_opens_no_socket() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let context = reactor.context();
    context.stop();
    assert!(context.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).is_err());
    assert!(context.connect_udp("127.0.0.1:9", Witness::quiet(&heards)).is_err());
    drop(reactor);
    assert_eq!(heards.all(), []);
}

#[test]
fn thousand_sockets_leave_no_descriptor() {
    if !is_child() {
        // Alone in its process, because it counts descriptors.
        in_child(this_test!(), &[]);
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let stopped = Rc::new(Cell::new(0));
    turns(&mut reactor, 1);
    let before = descriptors();
    for round in 0..1_000 {
        let (heards, stopped) = (Heards::default(), stopped.clone());
        let hook = move |_: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
            stopped.set(stopped.get() + usize::from(*heard == Heard::Stopped));
        };
        let port = reactor.listen_udp("127.0.0.1:0", Witness::new(&heards, hook)).unwrap();
        if round % 2 == 0 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        reactor.context().close(port.id());
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(stopped.get(), 1_000);
    assert_eq!(descriptors(), before);
}

#[test]
fn callback_may_open_and_close_sockets() {
    let mut reactor = Reactor::new().unwrap();
    let (heards, others) = (Heards::default(), Heards::default());
    let opened = Rc::new(RefCell::new(None));
    let (theirs, port) = (others.clone(), opened.clone());
    let hook = move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
        let context = transport.context();
        if let Heard::Data(_) = heard {
            let witness = Witness::quiet(&theirs);
            *port.borrow_mut() = Some(context.listen_udp("127.0.0.1:0", witness).unwrap());
            assert_eq!(theirs.all(), [], "no callback runs within another");
            let id = transport.id();
            transport.context().close(id);
        }
    };
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::new(&heards, hook));
    let peer = peer();
    peer.send_to(b"go", address).unwrap();
    turn_until(&mut reactor, "the second socket has started", |_| others.all() == [Heard::Started]);
    heards.check();
    let port = opened.take().unwrap();
    peer.send_to(b"hello", port.address()).unwrap();
    turn_until(&mut reactor, "the second socket receives", |_| others.data().len() == 1);
}
