//! Aborts, resets while data is queued, and requests on stale ids.

use super::{on_data, on_made};
use crate::support::*;
use ropewalk::{Address, Context, Id, Transport};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn abort_sends_reset_and_drops_queued_data() {
    let log = Log::default();
    let hook = on_data(|transport| {
        transport.write(&vec![0; 4 * MUCH]);
        transport.abort();
        assert!(transport.is_closing());
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Aborted"]);
    let mut got = Vec::new();
    let error = client.read_to_end(&mut got).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(got.len() < 4 * MUCH);
}

#[test]
fn reset_during_large_write_frees_the_buffer() {
    let log = Log::default();
    let hook = on_made(|transport| transport.write(&vec![0; 50_000_000]));
    let (mut reactor, address) = up(recorders(&log, hook));
    for round in 1..=10 {
        let mut client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == round);
        let id = log.ids()[round - 1];
        client.read_exact(&mut vec![0; 100_000]).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(reactor.context().transport(id).write_buffer_size() > 1_000_000);
        reset(client);
        turn_until(&mut reactor, "lost", |_| log.lost() == round);
        assert_eq!(reactor.context().transport(id).write_buffer_size(), 0);
    }
    assert_eq!(log.reasons(), vec!["Reset"; 10]);
    log.check(true);
}

#[test]
fn many_resets_do_not_affect_other_connections() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => transport.write(&[b'h'; 10_000]),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut other = client(address);
    assert_eq!(read_turning(&mut reactor, &other, 10_000).len(), 10_000);
    for _ in 0..200 {
        let mut resetting = client(address);
        resetting.write_all(&[b'd'; 100_000]).unwrap();
        reset(resetting);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    turn_until(&mut reactor, "all lost", |reactor| {
        reactor.context().connections().count() == 1 && log.made() == log.lost() + 1
    });
    other.write_all(b"received").unwrap();
    assert_eq!(read_turning(&mut reactor, &other, 8), b"received");
    log.check(false);
}

#[test]
fn requests_on_attempts_and_stale_ids_are_harmless() {
    let (log, failures) = (Log::default(), Failures::default());
    let seen: Rc<RefCell<Vec<Id>>> = Rc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    let address = listener.local_addr().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(address, caller).unwrap();
    seen.borrow_mut().push(id);
    let ask = |context: &mut Context| {
        context.transport(id).pause();
        context.transport(id).resume();
        context.transport(id).set_write_buffer_limits(1, 1);
        context.transport(id).set_write_limit(1);
        (
            context.transport(id).is_closing(),
            context.transport(id).is_paused(),
            context.transport(id).peer(),
        )
    };
    assert_eq!(ask(reactor.context()), (false, false, Address::Unknown));
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    reactor.context().abort(id);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(ask(reactor.context()), (true, false, Address::Unknown));
}
