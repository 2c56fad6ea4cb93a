//! What was meant for one that is gone reaches nobody, though its slot is used again.

mod support;

use ropewalk::{Id, Transport};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use support::*;

fn slot(id: Id) -> String {
    id.to_string().split('.').next().unwrap().to_owned()
}

#[test]
fn a_line_for_one_who_left_does_not_reach_the_stranger_in_the_same_slot() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let first = client(address);
    turn_until(&mut reactor, "the first is there", |_| log.made() == 1);
    let departed = log.ids()[0];
    reset(first);
    turn_until(&mut reactor, "the first is gone", |_| log.lost() == 1);

    let mut stranger = client(address);
    turn_until(&mut reactor, "the second is there", |_| log.made() == 2);
    let id = log.ids()[1];
    assert_eq!(slot(departed), slot(id), "the scenario needs the slot to be used again");
    assert_ne!(departed, id);

    let context = reactor.context();
    context.write(departed, b"for the departed only");
    context.set_write_limit(departed, 0);
    context.pause(departed);
    context.write_eof(departed);
    context.close(departed);
    context.abort(departed);
    assert!(context.is_closing(departed) && !context.is_closing(id));
    assert_eq!((context.peer(departed), context.write_buffer_size(departed)), (None, 0));
    context.write(id, b"for the stranger");
    turns(&mut reactor, 3);
    let mut buffer = [0; 100];
    let count = stranger.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"for the stranger");
    stranger.write_all(b"thanks").unwrap();
    turn_until(&mut reactor, "the stranger is served", |_| log.data() == b"thanks");
    assert_eq!(log.lost(), 1);
}

#[test]
fn an_id_of_a_listener_or_a_failed_attempt_reaches_nobody_afterwards() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    let attempt = reactor.connect_tcp(address, Caller::new(&log, &failures, only_record)).unwrap();
    reactor.context().close(port.id());
    reactor.context().close(attempt);
    turn_until(&mut reactor, "told", |_| failures.borrow().len() == 1);
    let clients = [client(address), client(address)];
    turn_until(&mut reactor, "both in", |reactor| reactor.context().connections().count() == 2);
    for id in [port.id(), attempt] {
        reactor.context().write(id, b"nobody");
        reactor.context().close(id);
        reactor.context().abort(id);
    }
    turns(&mut reactor, 3);
    assert_eq!(reactor.context().connections().count(), 2);
    for client in &clients {
        assert!(peek_now(client, &mut [0; 10]).is_none(), "nothing was sent to it");
    }
}

/// 64 connections are readable in one poll. The first one served ends all the others, and as they
/// go new connections take their slots in the same turn.
fn stale_readiness(close: bool) {
    const OLD: usize = 64;
    let log = Log::default();
    let fresh = Log::default();
    let failures = Failures::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let acted = Rc::new(Cell::new(false));
    let hook = {
        let (log, acted) = (log.clone(), Rc::clone(&acted));
        let (fresh, failures) = (fresh.clone(), Rc::clone(&failures));
        move |transport: &mut Transport<'_>, event: &Event| {
            let me = transport.id();
            let context = transport.context();
            match event {
                Event::Data(_) if !acted.replace(true) => {
                    for id in log.ids().into_iter().take(OLD).filter(|id| *id != me) {
                        if close { context.close(id) } else { context.abort(id) }
                    }
                }
                Event::Lost(_) if !context.is_stopping() => {
                    let caller = Caller::new(&fresh, &failures, only_record);
                    context.connect_tcp(target, caller).unwrap();
                }
                _ => {}
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..OLD).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == OLD);
    for client in &mut clients {
        client.write_all(b"old").unwrap();
    }
    // New clients wait as well, so the listener is ready in the same poll.
    let late: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert!(acted.get());
    turn_until(&mut reactor, "the new ones are there", |_| fresh.made() == OLD - 1);
    turn_until(&mut reactor, "the late ones are there", |_| log.made() == OLD + late.len());
    turns(&mut reactor, 5);

    assert_eq!(log.lost(), OLD - 1);
    assert_eq!(log.data(), b"old", "only the first one's data was delivered");
    assert!(fresh.data().is_empty() && fresh.lost() == 0 && failures.borrow().is_empty());
    if !close {
        let old: Vec<String> = log.ids()[..OLD].iter().map(|id| slot(*id)).collect();
        let again = fresh.ids().iter().filter(|id| old.contains(&slot(**id))).count();
        assert!(again > OLD / 2, "the scenario needs slots to be used again: {again}");
    }
    // The newcomers are whole: each hears what is meant for it.
    let mut peers: Vec<TcpStream> = (1..OLD).map(|_| listener.accept().unwrap().0).collect();
    for peer in &mut peers {
        peer.write_all(b"new").unwrap();
    }
    turn_until(&mut reactor, "all newcomers served", |_| fresh.data().len() == 3 * (OLD - 1));
    for id in fresh.ids() {
        assert_eq!(fresh.of(id), [Event::Made, Event::Data(b"new".to_vec())]);
    }
}

#[test]
fn stale_readiness_of_the_aborted_reaches_nobody_in_the_same_batch() {
    stale_readiness(false);
}

#[test]
fn stale_readiness_of_the_closed_reaches_nobody_in_the_same_batch() {
    stale_readiness(true);
}
