//! Datagrams: what is sent arrives whole or is told of, and nobody is held up.

#[path = "support/datagrams.rs"]
mod datagrams;
mod support;

use datagrams::*;
use ropewalk::{
    Address, DatagramOptions, DatagramProtocol, DatagramTransport, Reactor, SocketOption,
};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

#[test]
fn datagrams_are_delivered_one_by_one_with_their_senders_and_answered() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let boxed: Box<dyn DatagramProtocol> = Box::new(Witness::echo(&heards));
        let address = receive_on(&mut reactor, local, boxed);
        let peer = peer_on(local);
        for text in ["one", "", "three"] {
            peer.send_to(text.as_bytes(), address).unwrap();
        }
        turn_until(&mut reactor, "three datagrams", |_| heards.data().len() == 3);
        assert_eq!(heards.data(), [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        let from = Address::from(peer.local_addr().unwrap());
        assert!(heards.senders().iter().all(|sender| *sender == from));
        // The empty one as well.
        for text in ["one", "", "three"] {
            assert_eq!(received(&peer), text.as_bytes());
        }
        drop(reactor);
        heards.check();
    }
}

#[test]
fn the_longest_datagram_arrives_whole() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::echo(&heards));
    let (peer, longest) = (peer(), pattern(65_507));
    peer.send_to(&longest, address).unwrap();
    turn_until(&mut reactor, "the datagram", |_| heards.data().len() == 1);
    assert_eq!(received(&peer), longest);
}

#[test]
fn one_that_is_longer_than_the_buffer_is_told_as_truncated_and_never_as_whole() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let options = DatagramOptions::new().max_datagram_size(100);
    let protocol = Witness::quiet(&heards);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    let peer = peer();
    for length in [100, 101, 2_000, 99] {
        peer.send_to(&pattern(length), port.address()).unwrap();
    }
    turn_until(&mut reactor, "four datagrams", |_| heards.all().len() == 5);
    let beginning = Heard::Truncated(pattern(100));
    let whole = |length| Heard::Data(pattern(length));
    let expected = [whole(100), beginning.clone(), beginning, whole(99)];
    assert_eq!(heards.all()[1..], expected);
    let counts = reactor.context().datagram_counts(port.id()).unwrap();
    assert_eq!((counts.received, counts.truncated), (4, 2));
}

#[test]
fn a_buffer_longer_than_that_which_all_share_holds_what_it_should() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let options = DatagramOptions::new().max_datagram_size(200_000);
    let protocol = Witness::echo(&heards);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    let peer = peer();
    for (count, length) in [(1, 65_507), (2, 3)] {
        peer.send_to(&pattern(length), port.address()).unwrap();
        turn_until(&mut reactor, "delivered", |_| heards.data().len() == count);
        assert_eq!(received(&peer), pattern(length));
    }
}

/// The system tells that there is room after each datagram that has left; nobody wants to know.
#[test]
fn one_that_has_sent_does_not_wake_the_reactor() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::echo(&heards));
    let peer = peer();
    for round in 1..=3 {
        peer.send_to(b"hello", address).unwrap();
        turn_until(&mut reactor, "delivered", |_| heards.data().len() == round);
        assert_eq!(received(&peer), b"hello");
        let (begin, limit) = (Instant::now(), Duration::from_millis(20));
        reactor.turn(Some(limit)).unwrap();
        assert!(begin.elapsed() >= limit / 2, "it was woken");
    }
}

#[test]
fn a_buffer_longer_than_any_datagram_is_not_had() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let options = DatagramOptions::new().max_datagram_size(usize::MAX);
    let protocol = Witness::echo(&heards);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    let peer = peer();
    peer.send_to(b"hello", port.address()).unwrap();
    turn_until(&mut reactor, "delivered", |_| heards.data() == [b"hello"]);
}

#[test]
fn one_that_is_too_long_to_send_is_told_with_its_size_and_others_are_sent() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    let peer = peer();
    let to = peer.local_addr().unwrap();
    let context = reactor.context();
    context.send_to(port.id(), &pattern(65_508), to);
    context.send_to(port.id(), b"short enough", to);
    turns(&mut reactor, 2);
    let error = heards.errors().pop().expect("an error");
    let expected = format!("cannot send 65508 bytes to {to}: message too long");
    assert!(error.starts_with(&expected) && error.contains("65,507"), "{error}");
    assert_eq!(received(&peer), b"short enough");
    let counts = reactor.context().datagram_counts(port.id()).unwrap();
    assert_eq!((counts.sent, counts.dropped), (1, 1));
}

#[test]
fn a_million_errors_are_counted_and_the_first_are_told() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    for _ in 0..10_000 {
        reactor.context().send_to(port.id(), b"lost", "nowhere.example:9");
    }
    turns(&mut reactor, 2);
    assert!((1..=100).contains(&heards.errors().len()), "{}", heards.errors().len());
    assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().dropped, 10_000);
}

#[test]
fn names_are_refused_wherever_they_stand() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let name = "localhost:9";
    let why = "localhost:9: not an address in digits, such as";
    let error = reactor.listen_udp(name, Witness::quiet(&heards)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {why}")), "{error}");
    let context = reactor.context();
    let error = context.connect_udp(name, Witness::quiet(&heards)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot connect to {why}")), "{error}");
    let port = context.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    assert!(context.connect(port.id(), name).is_err());
    context.send_to(port.id(), b"hello", name);
    turns(&mut reactor, 1);
    let error = heards.errors().pop().expect("an error");
    assert!(error.starts_with(&format!("cannot send 5 bytes to {why}")), "{error}");
}

#[test]
fn nobody_to_send_to_is_told() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    reactor.context().send(port.id(), b"hello");
    reactor.context().send_to(port.id(), b"hello", "[::1]:9");
    turns(&mut reactor, 1);
    let errors = heards.errors();
    assert!(errors[0].starts_with("cannot send 5 bytes to nobody"), "{errors:?}");
    assert!(errors[0].contains("`send_to`"), "{errors:?}");
    assert!(errors[1].starts_with("cannot send 5 bytes to [::1]:9"), "{errors:?}");
}

#[test]
fn a_port_in_use_is_refused_unless_both_share_it() {
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
fn a_closed_port_is_free_at_once_and_hears_nothing_more() {
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
fn one_may_be_closed_in_any_callback_and_only_its_stop_follows() {
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
        let closed = all.iter().position(is).expect("heard");
        assert!(all.len() - closed <= 2, "{all:?}");
        once_free(|| UdpSocket::bind(port.address()));
    }
}

#[test]
fn a_panic_costs_the_datagram_and_not_the_service() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let hook = |transport: &mut DatagramTransport<'_>, heard: &Heard, sender: Option<&Address>| {
        match heard {
            Heard::Data(data) if data == b"ping" => transport.send_to(b"pong", sender.unwrap()),
            Heard::Started => {}
            heard => panic!("the scenario's own panic, in {heard:?}"),
        }
    };
    let options = DatagramOptions::new().max_datagram_size(100);
    let protocol = Witness::new(&heards, hook);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    let peer = peer();
    let alive = |reactor: &mut Reactor, count: usize| {
        turn_until(reactor, "heard", |_| heards.all().len() == count);
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
fn one_that_panics_when_it_starts_is_closed() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let hook = |_: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
        assert_ne!(*heard, Heard::Started, "the scenario's own panic");
    };
    let port = reactor.listen_udp("127.0.0.1:0", Witness::new(&heards, hook)).unwrap();
    turns(&mut reactor, 2);
    assert_eq!(heards.all(), [Heard::Started, Heard::Stopped]);
    once_free(|| UdpSocket::bind(port.address()));
}

#[test]
fn a_stop_and_a_dropped_reactor_stop_all() {
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
fn once_a_stop_is_wanted_nobody_can_open_a_socket() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let context = reactor.context();
    context.stop();
    assert!(context.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).is_err());
    assert!(context.connect_udp("127.0.0.1:9", Witness::quiet(&heards)).is_err());
    drop(reactor);
    assert_eq!(heards.all(), []);
}

#[test]
fn a_flood_is_received_within_a_budget_and_delays_nobody() {
    let (mut reactor, address) = up(|| Echo);
    let heards = Heards::default();
    let options = DatagramOptions::new().option(SocketOption::ReceiveBuffer(4 * 1024 * 1024));
    let protocol = Witness::quiet(&heards);
    let port = reactor.context().listen_udp_with("127.0.0.1:0", &options, protocol).unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    // Many small ones, and then some of 60 KB: neither by number nor by size do they fill a turn.
    let peer = peer();
    for (count, length, most) in [(1_000, 1, 256), (20, 60_000, 5)] {
        let before = heards.all().len();
        for _ in 0..count {
            peer.send_to(&pattern(length), port.address()).unwrap();
        }
        reactor.turn(None).unwrap();
        let first = heards.all().len() - before;
        assert!((1..=most).contains(&first), "{first} in one turn");
        // Nothing new comes, and yet all are delivered.
        turn_until(&mut reactor, "all", |_| heards.all().len() > before + most);
        turn_until(&mut reactor, "the rest", |reactor| reactor.timeout().is_none());
    }
    // A peer that never stops, and a client that has its answers nevertheless.
    let flooding = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (go, to) = (flooding.clone(), port.address().clone());
    let flood = std::thread::spawn(move || {
        while go.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = peer.send_to(&[1; 100], &to);
        }
    });
    a_small_client_is_answered(&mut reactor, address);
    flooding.store(false, std::sync::atomic::Ordering::Relaxed);
    flood.join().unwrap();
}

#[test]
fn an_ipv6_socket_takes_ipv4_as_well_unless_it_is_told_not_to() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let both = DatagramOptions::new().only_ipv6(false);
    let context = reactor.context();
    let port = context.listen_udp_with("[::]:0", &both, Witness::echo(&heards)).unwrap();
    let number = port.address().port().unwrap();
    // The same number is free on IPv4 only if the first one is for IPv6 only.
    assert!(UdpSocket::bind(("127.0.0.1", number)).is_err());
    let peer = peer();
    peer.send_to(b"over IPv4", ("127.0.0.1", number)).unwrap();
    turn_until(&mut reactor, "the datagram", |_| heards.data().len() == 1);
    assert_eq!(received(&peer), b"over IPv4");
    let only = DatagramOptions::new().only_ipv6(true);
    // Another process may have the same port of IPv4: then the next port is tried.
    assert!((0..100).any(|_| {
        let context = reactor.context();
        let port = context.listen_udp_with("[::]:0", &only, Witness::echo(&heards)).unwrap();
        UdpSocket::bind(("127.0.0.1", port.address().port().unwrap())).is_ok()
    }));
}

#[test]
fn broadcasting_has_to_be_allowed() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap();
    let hearing = Heards::default();
    let number = receive_on(&mut reactor, "0.0.0.0:0", Witness::quiet(&hearing)).port();
    let to = ([127, 255, 255, 255], number);
    reactor.context().send_to(port.id(), b"hello", to);
    turns(&mut reactor, 2);
    let error = heards.errors().pop().expect("an error");
    assert!(error.contains("permission denied") && error.contains("`broadcast`"), "{error}");
    reactor.context().set_option(port.id(), SocketOption::Broadcast(true)).unwrap();
    reactor.context().send_to(port.id(), b"hello", to);
    turn_until(&mut reactor, "the broadcast", |_| hearing.data().len() == 1);
    let context = reactor.context();
    let options = DatagramOptions::new().broadcast(true);
    let allowed =
        context.listen_udp_with("127.0.0.1:0", &options, Witness::quiet(&heards)).unwrap();
    context.send_to(allowed.id(), b"again", to);
    turn_until(&mut reactor, "the broadcast", |_| hearing.data().len() == 2);
    assert_eq!(heards.errors().len(), 1);
}

#[test]
fn one_that_is_not_connected_does_not_hear_that_a_peer_has_gone() {
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

fn connected(reactor: &mut Reactor, to: std::net::SocketAddr, heards: &Heards) -> ropewalk::Port {
    reactor.context().connect_udp(to, Witness::quiet(heards)).unwrap()
}

#[test]
fn a_connected_one_sends_to_its_peer_and_hears_nobody_else() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let (peer, stranger) = (peer(), peer());
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    assert_eq!(reactor.context().peer(port.id()), Some(peer.local_addr().unwrap().into()));
    reactor.context().send(port.id(), b"hello");
    assert_eq!(received(&peer), b"hello");
    stranger.send_to(b"let me in", port.address()).unwrap();
    peer.send_to(b"welcome", port.address()).unwrap();
    turn_until(&mut reactor, "the answer", |_| !heards.data().is_empty());
    turns(&mut reactor, 2);
    assert_eq!(heards.data(), [b"welcome"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_connected_one_sends_elsewhere_and_does_not_hear_the_answer() {
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
fn a_connected_one_is_told_that_nobody_receives_there_and_goes_on() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let peer = refusing_peer();
    let port = connected(&mut reactor, peer.local_addr().unwrap(), &heards);
    let refused = |heard: &Heard| *heard == Heard::Refused;
    for round in 1..=3 {
        reactor.context().send(port.id(), b"anybody?");
        turn_until(&mut reactor, "refused", |_| heards.count(refused) == round);
    }
    // Somebody comes, and all is well.
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
fn one_may_be_closed_or_panic_when_it_is_refused() {
    for panics in [false, true] {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let hook =
            move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
                if *heard == Heard::Refused {
                    assert!(!panics, "the scenario's own panic");
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

/// The next send is what the system lets the refusal be known by, and it is not sent.
#[test]
fn a_refusal_that_a_later_send_meets_does_not_cost_what_is_sent() {
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
fn one_may_be_connected_later_and_knows_its_own_address_then() {
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let (peer, stranger) = (peer(), peer());
    let to = peer.local_addr().unwrap();
    let port = reactor.listen_udp("0.0.0.0:0", Witness::quiet(&heards)).unwrap();
    reactor.context().connect(port.id(), to).unwrap();
    let address = reactor.context().local_address(port.id()).unwrap();
    assert_eq!(address.ip().unwrap(), to.ip());
    reactor.context().send(port.id(), b"hello");
    assert_eq!(received(&peer), b"hello");
    stranger.send_to(b"let me in", &address).unwrap();
    peer.send_to(b"welcome", &address).unwrap();
    turn_until(&mut reactor, "the answer", |_| !heards.data().is_empty());
    assert_eq!(heards.data(), [b"welcome"]);
    reactor.context().close(port.id());
    assert!(reactor.context().connect(port.id(), to).is_err());
}

#[test]
fn sockets_come_and_go_by_the_thousand_and_leave_nothing() {
    if !is_child() {
        // Alone, since descriptors are counted.
        in_child("sockets_come_and_go_by_the_thousand_and_leave_nothing", &[]);
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
fn what_one_hears_may_open_and_close_others() {
    let mut reactor = Reactor::new().unwrap();
    let (heards, others) = (Heards::default(), Heards::default());
    let opened = Rc::new(RefCell::new(None));
    let (theirs, port) = (others.clone(), opened.clone());
    let hook = move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
        let context = transport.context();
        if let Heard::Data(_) = heard {
            let witness = Witness::quiet(&theirs);
            *port.borrow_mut() = Some(context.listen_udp("127.0.0.1:0", witness).unwrap());
            assert_eq!(theirs.all(), [], "nobody is called within a callback");
            let id = transport.id();
            transport.context().close(id);
        }
    };
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::new(&heards, hook));
    let peer = peer();
    peer.send_to(b"go", address).unwrap();
    turn_until(&mut reactor, "the other has started", |_| others.all() == [Heard::Started]);
    heards.check();
    let port = opened.take().unwrap();
    peer.send_to(b"hello", port.address()).unwrap();
    turn_until(&mut reactor, "the other hears", |_| others.data().len() == 1);
}

/// A peer that somebody else has written.
#[test]
fn python_is_answered() {
    let client = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
for text in (b'one', b'', b'x' * 60000):
    s.sendto(text, ('127.0.0.1', int(sys.argv[1])))
    assert s.recvfrom(65536)[0] == text
print('answered')";
    let heards = Heards::default();
    let mut reactor = Reactor::new().unwrap();
    let address = receive_on(&mut reactor, "127.0.0.1:0", Witness::echo(&heards));
    let mut python = Command::new("python3");
    python.args(["-c", client, &address.port().to_string()]).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: there is no python3 here");
    };
    turn_until(&mut reactor, "python ends", |_| python.try_wait().unwrap().is_some());
    let output = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "answered");
}

/// A server that somebody else has written.
#[test]
fn pythons_socketserver_answers() {
    let server = "import socketserver
class Echo(socketserver.DatagramRequestHandler):
    def handle(self): self.wfile.write(self.rfile.read())
class Server(socketserver.UDPServer): max_packet_size = 65536
with Server(('127.0.0.1', 0), Echo) as server:
    print(server.server_address[1], flush=True)
    for _ in range(2): server.handle_request()";
    let mut python = Command::new("python3");
    python.args(["-c", server]).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: there is no python3 here");
    };
    let mut line = String::new();
    let mut output = std::io::BufReader::new(python.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let to = ([127, 0, 0, 1], line.trim().parse::<u16>().unwrap());
    let port = reactor.context().connect_udp(to, Witness::quiet(&heards)).unwrap();
    for data in [pattern(9), Vec::new()] {
        reactor.context().send(port.id(), &data);
        turn_until(&mut reactor, "the answer", |_| heards.data().last() == Some(&data));
    }
    std::io::stdout().flush().unwrap();
    assert!(python.wait().unwrap().success());
}

/// Runs the test `name` where the loopback carries 10 Mbit/s and no more, so that a socket's buffer
/// fills up.
#[cfg(target_os = "linux")]
fn on_a_slow_network(name: &str) {
    in_network(
        name,
        "ip link set lo mtu 1500 up && \
         tc qdisc add dev lo root tbf rate 10mbit burst 2000 limit 10000000",
    );
}

#[cfg(target_os = "linux")]
fn full_socket(
    reactor: &mut Reactor,
    options: DatagramOptions,
    to: &UdpSocket,
    heards: &Heards,
) -> ropewalk::Id {
    let options = options.option(SocketOption::SendBuffer(4096));
    let (to, protocol) = (to.local_addr().unwrap(), Witness::quiet(heards));
    reactor.context().connect_udp_with(to, &options, protocol).unwrap().id()
}

/// A kilobyte that knows its number.
#[cfg(target_os = "linux")]
fn numbered(number: u16) -> Vec<u8> {
    [&number.to_be_bytes()[..], &pattern(1000)].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_full_socket_does_not_take_waits_and_is_sent_in_order() {
    if !is_child() {
        return on_a_slow_network("what_a_full_socket_does_not_take_waits_and_is_sent_in_order");
    }
    let (mut reactor, heards, peer) = (Reactor::new().unwrap(), Heards::default(), peer());
    let id = full_socket(&mut reactor, DatagramOptions::new(), &peer, &heards);
    for round in 1..=2 {
        let context = reactor.context();
        for number in 0..300 {
            context.send(id, &numbered(number));
        }
        let waiting = context.datagram_counts(id).unwrap().waiting;
        assert!((200..300).contains(&waiting), "{waiting} wait");
        assert_eq!(context.write_buffer_size(id), waiting * 1002);
        let mut next = 0;
        peer.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "all have arrived", |_| {
            let mut buffer = [0; 2000];
            while let Ok(length) = peer.recv(&mut buffer) {
                assert_eq!(buffer[..length], numbered(next), "number {next}");
                next += 1;
            }
            next == 300
        });
        turn_until(&mut reactor, "the rest", comes_to_rest);
        assert_eq!(heards.count(|heard| *heard == Heard::Paused), round);
        assert_eq!(heards.count(|heard| *heard == Heard::Resumed), round);
        assert_eq!(heards.all().last(), Some(&Heard::Resumed));
    }
    assert_eq!(reactor.context().datagram_counts(id).unwrap().sent, 600);
}

#[cfg(target_os = "linux")]
#[test]
fn what_exceeds_the_bound_is_dropped_counted_and_told_once_until_there_is_room() {
    if !is_child() {
        return on_a_slow_network(
            "what_exceeds_the_bound_is_dropped_counted_and_told_once_until_there_is_room",
        );
    }
    let (mut reactor, peer) = (Reactor::new().unwrap(), peer());
    let few = DatagramOptions::new().queue_limits(10, usize::MAX);
    let little = DatagramOptions::new().queue_limits(usize::MAX, 10_500);
    for options in [few, little] {
        let heards = Heards::default();
        let id = full_socket(&mut reactor, options, &peer, &heards);
        for round in 1..=2 {
            for number in 0..100 {
                reactor.context().send(id, &numbered(number));
            }
            assert_eq!(reactor.context().datagram_counts(id).unwrap().waiting, 10);
            let resumed = |heard: &Heard| *heard == Heard::Resumed;
            turn_until(&mut reactor, "room", |_| heards.count(resumed) == round);
            let errors = heards.errors();
            assert_eq!(errors.len(), round, "{errors:?}");
            assert!(errors[0].contains("too much waits to be sent"), "{errors:?}");
        }
        let counts = reactor.context().datagram_counts(id).unwrap();
        assert_eq!(counts.sent + counts.dropped, 200);
        assert!(counts.dropped > 100, "{counts:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_waits_when_a_full_socket_is_closed_or_the_reactor_stops_is_dropped_and_counted() {
    if !is_child() {
        return on_a_slow_network(
            "what_waits_when_a_full_socket_is_closed_or_the_reactor_stops_is_dropped_and_counted",
        );
    }
    for stop in [false, true] {
        let (mut reactor, heards, peer) = (Reactor::new().unwrap(), Heards::default(), peer());
        let counts = Rc::new(Cell::new(None));
        let last = counts.clone();
        let hook =
            move |transport: &mut DatagramTransport<'_>, heard: &Heard, _: Option<&Address>| {
                if *heard == Heard::Stopped {
                    last.set(Some(transport.counts()));
                }
            };
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(4096));
        let (to, protocol) = (peer.local_addr().unwrap(), Witness::new(&heards, hook));
        let context = reactor.context();
        let id = context.connect_udp_with(to, &options, protocol).unwrap().id();
        for number in 0..100 {
            context.send(id, &numbered(number));
        }
        if stop {
            context.stop();
            reactor.run().unwrap();
        } else {
            context.close(id);
            turns(&mut reactor, 1);
        }
        let counts = counts.take().expect("told");
        assert!(counts.dropped > 50, "{counts:?}");
        assert_eq!((counts.sent + counts.dropped, counts.waiting), (100, 0));
        heards.check();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_of_one_link_keeps_its_interface() {
    if !is_child() {
        return in_network(
            "an_address_of_one_link_keeps_its_interface",
            "ip link add cable index 77 type veth peer name end && \
             ip link set lo up && ip link set end up && \
             ip -6 addr add fe80::77/64 dev cable nodad && ip link set cable up",
        );
    }
    let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
    let local = "[fe80::77%77]:0";
    let address = receive_on(&mut reactor, local, Witness::echo(&heards));
    let peer = peer_on(local);
    // The system loses what is sent while the link comes up.
    turn_until(&mut reactor, "delivered", |_| {
        peer.send_to(b"hello", address).unwrap();
        heards.data().first().is_some_and(|data| data == b"hello")
    });
    assert_eq!(heards.senders()[0], peer.local_addr().unwrap().into());
    assert_eq!(received(&peer), b"hello");
}
