//! Stale ids: a request for a closed connection reaches no other in the same slot.

use crate::support::*;
use ropewalk::{Address, DatagramProtocol, DatagramTransport, Id, Reactor, SlowReader, Transport};
use ropewalk_simulation::kit::ToyCipher;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

struct QuietDatagrams;

impl DatagramProtocol for QuietDatagrams {
    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
}

/// Returns the slot of an id, as it is printed.
fn slot(id: Id) -> String {
    id.to_string().split('.').next().unwrap().to_owned()
}

#[test]
fn stale_id_reaches_no_connection_in_its_slot() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let first = client(address);
    turn_until(&mut reactor, "the first is made", |_| log.made() == 1);
    let stale = log.ids()[0];
    reset(first);
    turn_until(&mut reactor, "the first is lost", |_| log.lost() == 1);

    let mut second = client(address);
    turn_until(&mut reactor, "the second is made", |_| log.made() == 2);
    let id = log.ids()[1];
    assert_eq!(slot(stale), slot(id), "this test needs the slot to be used again");
    assert_ne!(stale, id);

    let context = reactor.context();
    context.transport(stale).write(b"for the stale only");
    context.transport(stale).set_write_limit(0);
    context.transport(stale).pause();
    context.transport(stale).write_eof();
    context.close(stale);
    context.abort(stale);
    assert!(context.transport(stale).is_closing() && !context.transport(id).is_closing());
    assert_eq!(
        (context.transport(stale).peer(), context.transport(stale).write_buffer_size()),
        (Address::Unknown, 0)
    );
    context.transport(id).write(b"for the second");
    turns(&mut reactor, 3);
    let mut buffer = [0; 100];
    let count = second.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"for the second");
    second.write_all(b"thanks").unwrap();
    turn_until(&mut reactor, "the second is served", |_| log.data() == b"thanks");
    assert_eq!(log.lost(), 1);
}

#[test]
fn stale_listener_and_attempt_ids_reach_nothing() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    let attempt = reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().close(port.id());
    reactor.context().close(attempt);
    turn_until(&mut reactor, "a failure", |_| failures.borrow().len() == 1);
    let clients = [client(address), client(address)];
    turn_until(&mut reactor, "both accepted", |reactor| {
        reactor.context().connections().count() == 2
    });
    for id in [port.id(), attempt] {
        reactor.context().transport(id).write(b"stale");
        reactor.context().close(id);
        reactor.context().abort(id);
    }
    turns(&mut reactor, 3);
    assert_eq!(reactor.context().connections().count(), 2);
    for client in &clients {
        assert!(peek_now(client, &mut [0; 10]).is_none(), "nothing was sent to it");
    }
}

#[test]
fn stale_requests_are_counted_and_answers_empty() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let first = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let stale = log.ids()[0];
    let port = reactor.listen_udp("127.0.0.1:0", QuietDatagrams).unwrap();
    reactor.context().datagram(port.id()).close();
    reset(first);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let context = reactor.context();
    assert_eq!(context.statistics().stale_requests, 0);

    let mut transport = context.transport(stale);
    transport.write(b"nothing");
    transport.pause();
    transport.resume();
    transport.write_eof();
    transport.set_write_limit(0);
    transport.set_write_buffer_limits(2, 1);
    transport.set_slow_reader(SlowReader::Disconnect(1));
    transport.unregister_producer();
    transport.add_filter(ToyCipher::client(7), b"");
    transport.close();
    transport.close_within(Duration::from_secs(1));
    transport.abort();
    assert!(transport.is_closing() && !transport.is_paused());
    assert_eq!((transport.peer(), transport.local_address()), (Address::Unknown, Address::Unknown));
    assert_eq!((transport.write_buffer_size(), transport.counts()), (0, Default::default()));
    assert_eq!(context.statistics().stale_requests, 12);

    let mut transport = context.datagram(port.id());
    transport.send(b"nothing");
    transport.send_to(b"nothing", address);
    transport.close();
    assert!(transport.is_closing() && transport.connect(address).is_err());
    assert_eq!((transport.peer(), transport.local_address()), (Address::Unknown, Address::Unknown));
    assert_eq!(transport.counts(), Default::default());
    assert_eq!(context.statistics().stale_requests, 15);
}

/// 64 connections are readable in one poll. The first of them ends all others, and new connections take their
/// slots in the same turn.
fn stale_readiness(close: bool) {
    const OLD: usize = 64;
    let (log, fresh, failures) = (Log::default(), Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let acted = Rc::new(Cell::new(false));
    let hook = {
        let (log, acted) = (log.clone(), Rc::clone(&acted));
        let (fresh, failures) = (fresh.clone(), Rc::clone(&failures));
        move |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Data(_) if !acted.replace(true) => {
                end_others(transport, &log.ids()[..OLD], close)
            }
            Event::Lost(_) if !transport.context().is_stopping() => {
                let caller = Caller::new(&fresh, &failures, only_record);
                transport.context().connect_tcp(target, caller).unwrap();
            }
            _ => {}
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..OLD).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == OLD);
    for client in &mut clients {
        client.write_all(b"old").unwrap();
    }
    // More clients connect, so the listener is ready in the same poll.
    let late: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert!(acted.get());
    turn_until(&mut reactor, "the new connections", |_| fresh.made() == OLD - 1);
    turn_until(&mut reactor, "the late clients", |_| log.made() == OLD + late.len());
    turns(&mut reactor, 5);

    assert_eq!(log.lost(), OLD - 1);
    assert_eq!(log.data(), b"old", "data of the first connection only");
    assert!(fresh.data().is_empty() && fresh.lost() == 0 && failures.borrow().is_empty());
    if !close {
        let old: Vec<String> = log.ids()[..OLD].iter().map(|id| slot(*id)).collect();
        let again = fresh.ids().iter().filter(|id| old.contains(&slot(**id))).count();
        assert!(again > OLD / 2, "this test needs slots to be used again: {again}");
    }
    receive_new_data(&mut reactor, &listener, &fresh);
}

/// Ends the connections of `ids` except that of `transport`.
fn end_others(transport: &mut Transport<'_>, ids: &[Id], close: bool) {
    let own = transport.id();
    let context = transport.context();
    for id in ids.iter().copied().filter(|id| *id != own) {
        if close { context.close(id) } else { context.abort(id) }
    }
}

/// Asserts that each new connection receives the data of its own peer, and nothing else.
fn receive_new_data(reactor: &mut Reactor, listener: &TcpListener, fresh: &Log) {
    let count = fresh.made();
    let mut peers: Vec<TcpStream> = (0..count).map(|_| listener.accept().unwrap().0).collect();
    for peer in &mut peers {
        peer.write_all(b"new").unwrap();
    }
    turn_until(reactor, "all new data", |_| fresh.data().len() == 3 * count);
    for id in fresh.ids() {
        assert_eq!(fresh.of(id), [Event::Made, Event::Data(b"new".to_vec())]);
    }
}

#[test]
fn stale_readiness_of_aborted_connections_is_ignored() {
    stale_readiness(false);
}

#[test]
fn stale_readiness_of_closed_connections_is_ignored() {
    stale_readiness(true);
}
