//! The connections of a listener: listed, and limited in number.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{ListenOptions, Port, Reactor};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

fn limited(log: &Log, max: usize) -> (Reactor, Port) {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().max_connections(max);
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", recorders(log, echo)).unwrap();
    (reactor, port)
}

fn address(port: &Port) -> std::net::SocketAddr {
    std::net::SocketAddr::new(port.address().ip().unwrap(), port.address().port().unwrap())
}

#[test]
fn full_listener_accepts_again_after_a_departure() {
    let log = Log::default();
    let (mut reactor, port) = limited(&log, 2);
    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address(&port))).collect();
    turn_until(&mut reactor, "two are accepted", |_| log.made() == 2);
    for gone in 1..=3 {
        for _ in 0..3 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(log.made(), gone + 1);
        assert_eq!(port.connections(reactor.context()).len(), 2);
        drop(clients.remove(0));
        turn_until(&mut reactor, "the next is accepted", |_| log.made() == gone + 2);
    }
    clients[1].write_all(b"hello").unwrap();
    assert_eq!(read_turning(&mut reactor, &clients[1], 5), b"hello");
}

#[test]
fn full_listener_does_not_spin() {
    let log = Log::default();
    let (mut reactor, port) = limited(&log, 0);
    let _client = client(address(&port));
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!((log.made(), reactor.timeout()), (0, None));
    assert_eq!(port.max_connections(reactor.context()), Some(0));
    port.set_max_connections(reactor.context(), 1);
    turn_until(&mut reactor, "accepted", |_| log.made() == 1);
}

#[test]
fn connections_of_each_listener_are_apart() {
    let log = Log::default();
    let (mut reactor, first) = limited(&log, 9);
    let second = reactor
        .listen_tcp(
            "127.0.0.1:0",
            recorders(&log, |transport, event| {
                if matches!(event, Event::Data(_)) {
                    for id in transport.siblings() {
                        transport.context().transport(id).write(b"all");
                    }
                }
            }),
        )
        .unwrap();
    let mut clients: Vec<TcpStream> =
        [&first, &second, &second].map(|port| client(address(port))).into();
    turn_until(&mut reactor, "made", |_| log.made() == 3);
    let context = reactor.context();
    assert_eq!(first.connections(context).len(), 1);
    assert_eq!(second.connections(context).len(), 2);
    assert!(
        first.connections(context).all(|id| !second.connections(context).any(|other| other == id))
    );
    clients[1].write_all(b"go").unwrap();
    for client in &mut clients[1..] {
        assert_eq!(read_turning(&mut reactor, client, 3), b"all");
    }
    // The connections outlive their listener.
    reactor.context().close(second.id());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(second.connections(reactor.context()).len(), 2);
    assert_eq!(second.max_connections(reactor.context()), None);
    for (client, left) in clients.drain(1..).zip([1, 0]) {
        drop(client);
        turn_until(&mut reactor, "lost", |_| log.lost() == 2 - left);
        assert_eq!(second.connections(reactor.context()).len(), left);
        assert_eq!(second.connection_count(reactor.context()), left);
    }
    assert_eq!(first.connection_count(reactor.context()), 1);
}

#[test]
fn outgoing_connection_has_no_siblings() {
    let log = Log::default();
    let (mut reactor, port) = limited(&log, 9);
    let id = reactor.connect_tcp(port.address().clone(), recorders(&log, only_record)).unwrap();
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    assert_eq!(reactor.context().transport(id).siblings().len(), 0);
    assert_eq!(port.connections(reactor.context()).len(), 1);
}

#[test]
fn refused_clients_do_not_count() {
    struct Refusing;
    impl ropewalk::Factory for Refusing {
        fn build(&mut self, _peer: &ropewalk::Address) -> Option<Box<dyn ropewalk::Protocol>> {
            None
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().max_connections(1);
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", Refusing).unwrap();
    for _ in 0..3 {
        let client = client(address(&port));
        client.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "closed", |_| {
            matches!(std::io::Read::read(&mut &client, &mut [0]), Ok(0))
        });
    }
}

#[cfg(unix)]
#[test]
fn detached_connection_makes_room() {
    let log = Log::default();
    let (mut reactor, port) = limited(&log, 1);
    let _clients: Vec<TcpStream> = (0..2).map(|_| client(address(&port))).collect();
    turn_until(&mut reactor, "one is accepted", |_| log.made() == 1);
    let id = log.ids()[0];
    let _detached = reactor.context().transport(id).detach().unwrap();
    assert_eq!(port.connections(reactor.context()).len(), 0, "it is open elsewhere");
    turn_until(&mut reactor, "the other is accepted", |_| log.made() == 2);
}

#[test]
fn full_listener_leaves_clients_to_the_backlog() {
    let log = Log::default();
    let (script, mut reactor) = Script::new();
    let options = ListenOptions::new().max_connections(3);
    options.listen_tcp(reactor.context(), "10.0.0.1:7000", recorders(&log, only_record)).unwrap();
    script.accept((0..10).map(|_| Ok(Wire::unlimited())));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(log.made(), 3);
    for id in log.ids() {
        reactor.context().abort(id);
    }
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!((log.made(), log.lost()), (6, 3));
}
