//! Connections: made first and once, lost last and once.

use crate::support::*;
use ropewalk::{ConnectOptions, Id, Reactor, Transport};
use std::cell::RefCell;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn connection_is_made_once_and_lost_once() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    turn_until(&mut reactor, "all lost", |_| log.lost() == 20);
    turns(&mut reactor, 5);
    log.check(true);
    assert_eq!((log.made(), log.lost()), (20, 20));
    let hello = Event::Data(b"hello".to_vec());
    let expected = [Event::Made, hello, Event::Eof, Event::Lost("ClosedByPeer".into())];
    for id in log.ids() {
        assert_eq!(log.of(id), expected);
    }
    for client in &clients {
        assert_eq!(read_all(client), b"hello");
    }
}

#[test]
fn connection_lost_still_has_id_and_peer() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Log::default();
    let hook = {
        let seen = Rc::clone(&seen);
        move |transport: &mut Transport<'_>, event: &Event| {
            if matches!(event, Event::Made | Event::Lost(_)) {
                seen.borrow_mut().push((transport.id(), transport.peer().to_string()));
                transport.write(b"discarded");
            }
            if matches!(event, Event::Lost(_)) {
                assert!(transport.is_closing());
                assert_eq!(transport.write_buffer_size(), 0);
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    for how in 0..3 {
        let client = client(address);
        let local = client.local_addr().unwrap().to_string();
        turn_until(&mut reactor, "made", |_| log.made() == how + 1);
        let id = log.ids()[how];
        match how {
            0 => drop(client),
            1 => reset(client),
            _ => reactor.context().abort(id),
        }
        turn_until(&mut reactor, "lost", |_| log.lost() == how + 1);
        assert_eq!(seen.borrow()[2 * how..], [(id, local.clone()), (id, local)]);
    }
}

#[test]
fn requests_run_no_callback_under_borrowed_refcell() {
    #[derive(Default)]
    struct Room {
        members: Vec<Id>,
        received: usize,
    }
    let room = Rc::new(RefCell::new(Room::default()));
    let log = Log::default();
    let hook = {
        let room = Rc::clone(&room);
        move |transport: &mut Transport<'_>, event: &Event| {
            // Borrowed in every callback and during every request: no request runs a callback.
            let mut room = room.borrow_mut();
            match event {
                Event::Made => room.members.push(transport.id()),
                Event::Data(_) => {
                    room.received += 1;
                    let context = transport.context();
                    for &member in &room.members {
                        context.transport(member).set_write_buffer_limits(0, 0);
                        context.transport(member).write(b"broadcast");
                        context.transport(member).pause();
                        context.transport(member).resume();
                        context.close(member);
                        context.abort(member);
                    }
                }
                Event::Lost(_) => room.members.retain(|member| *member != transport.id()),
                _ => {}
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all members", |_| room.borrow().members.len() == 5);
    clients[0].write_all(b"go").unwrap();
    turn_until(&mut reactor, "all lost", |_| log.lost() == 5);
    log.check(true);
    assert_eq!((room.borrow().received, room.borrow().members.len()), (1, 0));
}

#[test]
fn linked_connections_reset_in_one_batch_end_once() {
    // A proxy's pair: each connection forwards its data to the other, and its end closes the other.
    let pair: Rc<RefCell<Vec<Id>>> = Rc::default();
    let hook = {
        let pair = Rc::clone(&pair);
        move |transport: &mut Transport<'_>, event: &Event| {
            let me = transport.id();
            if *event == Event::Made {
                pair.borrow_mut().push(me);
            }
            let other = pair.borrow().iter().copied().find(|id| *id != me);
            let Some(other) = other else { return };
            match event {
                Event::Data(data) => transport.context().transport(other).write(data),
                Event::PauseWriting => transport.context().transport(other).pause(),
                Event::ResumeWriting => transport.context().transport(other).resume(),
                Event::Lost(_) => transport.context().close(other),
                _ => {}
            }
        }
    };
    for _ in 0..20 {
        pair.borrow_mut().clear();
        let log = Log::default();
        let (mut reactor, address) = up(recorders(&log, hook.clone()));
        let (mut left, mut right) = (client(address), client(address));
        turn_until(&mut reactor, "both made", |_| pair.borrow().len() == 2);
        left.write_all(&[b'l'; 300_000]).unwrap();
        right.write_all(b"right").unwrap();
        reset(left);
        reset(right);
        turn_until(&mut reactor, "both lost", |_| log.lost() == 2);
        log.check(true);
    }
}

#[test]
fn dropping_reactor_ends_connections_with_stopped() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients: Vec<TcpStream> = (0..3).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 3);
    reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    drop(reactor);
    log.check(true);
    assert_eq!(log.reasons(), ["Stopped"; 3]);
    assert_eq!(failures.borrow().len(), 1);
    for client in &clients {
        assert_eq!(read_all(client), b"");
    }
    is_refused(address);
}

#[test]
fn reactor_can_be_dropped_before_its_first_turn() {
    let failures = Failures::default();
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let address = listen(&mut reactor, || Echo);
    reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().call_later(PATIENCE, |_| panic!("the timer fired"));
    drop(reactor);
    assert_eq!((log.made(), failures.borrow().len()), (0, 1));
}

#[test]
fn closing_listener_drops_factory_and_keeps_connections() {
    let (log, alive) = (Log::default(), Rc::new(()));
    let mut reactor = Reactor::new().unwrap();
    let (held, mut build) = (Rc::clone(&alive), recorders(&log, echo));
    let factory = move || {
        let _ = &held;
        build()
    };
    let port = reactor.listen_tcp("127.0.0.1:0", factory).unwrap();
    let mut client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    reactor.context().close(port.id());
    assert_eq!(Rc::strong_count(&alive), 2, "dropped within the call");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(Rc::strong_count(&alive), 1);
    client.write_all(b"still here").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 10), b"still here");
}

/// Timers run before sockets, so that an established connection was reported as timed out.
#[test]
fn established_connection_beats_a_zero_connect_timeout() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let options = ConnectOptions::new().timeout(Duration::ZERO);
    let caller = Caller::new(&log, &failures, only_record);
    options.connect_tcp(reactor.context(), address, caller).unwrap();
    turn_until(&mut reactor, "both ends", |_| log.made() == 2);
    assert!(failures.borrow().is_empty());
}

/// `peer` returned the requested address, here 0.0.0.0.
#[test]
fn peer_is_the_address_that_answered() {
    let log = Log::default();
    let failures = Failures::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("0.0.0.0:0", || Echo).unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(port.address(), caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let peer = reactor.context().transport(id).peer();
    assert_eq!(peer.ip().unwrap().to_string(), "127.0.0.1");
}
