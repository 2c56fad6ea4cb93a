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
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::quiet(&events));
    let error = reactor.listen_udp(address, DatagramRecorder::quiet(&events)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let share = DatagramOptions::new().reuse_port(true);
    let context = reactor.context();
    let first = share.listen_udp(context, "127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    assert!(share.listen_udp(context, first.address(), DatagramRecorder::quiet(&events)).is_ok());
}

#[test]
fn closed_port_is_free_at_once() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let peer = peer();
    peer.send_to(b"too late", port.address()).unwrap();
    let context = reactor.context();
    context.close(port.id());
    assert!(context.transport(port.id()).is_closing());
    context.datagram(port.id()).send_to(b"too late", peer.local_addr().unwrap());
    once_free(|| UdpSocket::bind(port.address()));
    turns(&mut reactor, 2);
    assert_eq!(events.all(), [DatagramEvent::Started, DatagramEvent::Stopped]);
    assert_eq!(reactor.context().local_address(port.id()), Address::Unknown);
}

#[test]
fn close_in_any_callback_leaves_only_stop() {
    let all: [fn(&DatagramEvent) -> bool; 5] = [
        |event| *event == DatagramEvent::Started,
        |event| matches!(event, DatagramEvent::Data(_)),
        |event| matches!(event, DatagramEvent::Truncated(_)),
        |event| matches!(event, DatagramEvent::Failed(_)),
        |event| *event == DatagramEvent::Stopped,
    ];
    for is in all {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let hook = move |transport: &mut DatagramTransport<'_>,
                         event: &DatagramEvent,
                         _: Option<&Address>| {
            if is(event) {
                transport.close();
                transport.close();
                assert!(transport.is_closing());
                transport.send_to(b"too late", "127.0.0.1:9");
                assert!(transport.local_address().port().is_some());
            }
        };
        let options = DatagramOptions::new().max_datagram_size(100);
        let protocol = DatagramRecorder::new(&events, hook);
        let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
        let peer = peer();
        for length in [1, 200, 1] {
            peer.send_to(&pattern(length), port.address()).unwrap();
        }
        turns(&mut reactor, 2);
        reactor.context().datagram(port.id()).send(b"an error");
        turns(&mut reactor, 2);
        reactor.context().close(port.id());
        turns(&mut reactor, 2);
        events.check();
        let all = events.all();
        let closed = all.iter().position(is).expect("the callback in which it closes");
        assert!(all.len() - closed <= 2, "{all:?}");
        once_free(|| UdpSocket::bind(port.address()));
    }
}

#[test]
fn panic_costs_the_datagram_not_the_socket() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let hook =
        |transport: &mut DatagramTransport<'_>, event: &DatagramEvent, sender: Option<&Address>| {
            match event {
                DatagramEvent::Data(data) if data == b"ping" => {
                    transport.send_to(b"pong", sender.unwrap())
                }
                DatagramEvent::Started => {}
                event => panic!("a panic on purpose, in {event:?}"),
            }
        };
    let options = DatagramOptions::new().max_datagram_size(100);
    let protocol = DatagramRecorder::new(&events, hook);
    let port = options.listen_udp(reactor.context(), "127.0.0.1:0", protocol).unwrap();
    let peer = peer();
    let alive = |reactor: &mut Reactor, count: usize| {
        turn_until(reactor, "a callback", |_| events.all().len() == count);
        peer.send_to(b"ping", port.address()).unwrap();
        turn_until(reactor, "ping", |_| events.all().len() == count + 1);
        assert_eq!(received(&peer), b"pong");
    };
    peer.send_to(b"poison", port.address()).unwrap();
    alive(&mut reactor, 2);
    peer.send_to(&pattern(200), port.address()).unwrap();
    alive(&mut reactor, 4);
    reactor.context().datagram(port.id()).send(b"an error");
    alive(&mut reactor, 6);
    reactor.context().close(port.id());
    turns(&mut reactor, 2);
    events.check();
    assert_eq!(reactor.context().local_address(port.id()), Address::Unknown);
}

#[test]
fn panic_in_start_protocol_closes_the_socket() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let hook = |_: &mut DatagramTransport<'_>, event: &DatagramEvent, _: Option<&Address>| {
        assert_ne!(*event, DatagramEvent::Started, "a panic on purpose");
    };
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::new(&events, hook)).unwrap();
    turns(&mut reactor, 2);
    assert_eq!(events.all(), [DatagramEvent::Started, DatagramEvent::Stopped]);
    once_free(|| UdpSocket::bind(port.address()));
}

#[test]
fn stop_or_dropped_reactor_calls_stop_protocol() {
    for stop in [true, false] {
        let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
        let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::quiet(&events));
        if stop {
            reactor.context().call_later(Duration::ZERO, |context| context.stop());
            reactor.run().unwrap();
            events.check();
        }
        drop(reactor);
        events.check();
        once_free(|| UdpSocket::bind(address));
    }
}

#[test]
fn stopping_reactor_opens_no_socket() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let quiet = [(); 2].map(|()| DatagramRecorder::quiet(&events));
    let refused = in_shutdown(&mut reactor, |context| {
        let [listens, connects] = quiet;
        let listening = context.listen_udp("127.0.0.1:0", listens);
        [listening, context.connect_udp("127.0.0.1:9", connects)].map(|outcome| outcome.is_err())
    });
    assert_eq!(refused, [true, true]);
    drop(reactor);
    assert_eq!(events.all(), []);
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
        let (events, stopped) = (DatagramLog::default(), stopped.clone());
        let hook =
            move |_: &mut DatagramTransport<'_>, event: &DatagramEvent, _: Option<&Address>| {
                stopped.set(stopped.get() + usize::from(*event == DatagramEvent::Stopped));
            };
        let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::new(&events, hook)).unwrap();
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
    let (events, others) = (DatagramLog::default(), DatagramLog::default());
    let opened = Rc::new(RefCell::new(None));
    let (theirs, port) = (others.clone(), opened.clone());
    let hook =
        move |transport: &mut DatagramTransport<'_>, event: &DatagramEvent, _: Option<&Address>| {
            let context = transport.context();
            if let DatagramEvent::Data(_) = event {
                let recorder = DatagramRecorder::quiet(&theirs);
                *port.borrow_mut() = Some(context.listen_udp("127.0.0.1:0", recorder).unwrap());
                assert_eq!(theirs.all(), [], "no callback runs within another");
                let id = transport.id();
                transport.context().close(id);
            }
        };
    let address = receive_on(&mut reactor, "127.0.0.1:0", DatagramRecorder::new(&events, hook));
    let peer = peer();
    peer.send_to(b"go", address).unwrap();
    turn_until(&mut reactor, "the second socket has started", |_| {
        others.all() == [DatagramEvent::Started]
    });
    events.check();
    let port = opened.take().unwrap();
    peer.send_to(b"hello", port.address()).unwrap();
    turn_until(&mut reactor, "the second socket receives", |_| others.data().len() == 1);
}
