//! Connections and listeners that are detached.

use crate::foreign::*;
use crate::support::{
    Caller, Echo, Event, Failures, Log, MUCH, Recorder, client, descriptors, in_child, is_child,
    only_record, pattern, peek_now, read_turning, recorders, this_test, turn_until, turns, up,
};
use ropewalk::{Address, Detached, Error, Id, Reactor};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

#[test]
fn detach_in_a_callback_returns_unsent_data() {
    let result: Rc<RefCell<Option<Detached>>> = Rc::default();
    let (log, kept) = (Log::default(), Rc::clone(&result));
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        let peer = transport.peer();
        if matches!(event, Event::Data(_)) {
            transport.write(b"hel");
            let detached = transport.detach().unwrap();
            assert_eq!(transport.peer(), peer, "the peer is still known");
            assert!(transport.is_closing());
            transport.write(b"dropped");
            transport.detach().unwrap_err();
            transport.close();
            transport.abort();
            *kept.borrow_mut() = Some(detached);
        }
    }));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "the end", |_| log.lost() == 1);
    client.write_all(b"for another").unwrap();
    turns(&mut reactor, 3);
    let id = log.ids()[0];
    let events = [Event::Made, Event::Data(b"go".to_vec()), Event::Lost("Detached".to_owned())];
    assert_eq!(log.of(id), events);
    assert_eq!(reactor.context().transport(id).peer(), Address::Unknown, "the slot is free");

    let Detached { socket, unsent, .. } = result.borrow_mut().take().unwrap();
    assert_eq!(unsent, b"hel");
    let context = reactor.context();
    let id = context.adopt_connection(socket, Echo).unwrap();
    context.transport(id).write(&unsent);
    context.transport(id).write(b"lo ");
    assert_eq!(read_turning(&mut reactor, &client, 17), b"hello for another");
}

#[test]
fn detach_leaves_one_descriptor() {
    let (mut reactor, address) = up(|| Echo);
    let client = client(address);
    let id = only_connection(&mut reactor);
    let detached = reactor.context().transport(id).detach().unwrap();
    assert!(peek_now(&client, &mut [0]).is_none(), "the connection is open");
    drop(detached);
    assert!(matches!(peek_now(&client, &mut [0]), Some(Ok(0))), "that was the only descriptor");
}

#[test]
fn detach_takes_no_descriptors() {
    if !is_child() {
        return drop(in_child(this_test!(), &[]));
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients = [0; 50].map(|_| client(address));
    turn_until(&mut reactor, "all made", |_| log.made() == clients.len());
    let before = descriptors();
    let mut all: Vec<Detached> = Vec::new();
    for id in log.ids() {
        all.push(reactor.context().transport(id).detach().unwrap());
        assert_eq!(descriptors(), before);
    }
    turns(&mut reactor, 1);
    assert_eq!((descriptors(), log.lost()), (before, all.len()));
}

#[test]
fn detach_without_an_open_connection_fails() {
    let (mut reactor, address) = up(|| Echo);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let connector = reactor.connect_tcp(address, caller).unwrap();
    let refused = |reactor: &mut Reactor, id: Id| -> Error {
        let error = reactor.context().transport(id).detach().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(error.to_string().starts_with(&format!("cannot detach {id}: ")), "{error}");
        error
    };
    refused(&mut reactor, connector);
    turn_until(&mut reactor, "the connection", |_| log.made() == 1);

    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    refused(&mut reactor, port.id());
    assert!(reactor.context().detach_listener(connector).is_none());
    assert_ne!(reactor.context().local_address(port.id()), Address::Unknown);

    reactor.context().transport(connector).write(&pattern(MUCH));
    reactor.context().close(connector);
    let error = refused(&mut reactor, connector);
    assert!(error.to_string().ends_with("the connection is closing"), "{error}");
    turn_until(&mut reactor, "its end", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"], "all of it was sent");
    refused(&mut reactor, connector);
}

#[test]
fn detached_listener_keeps_its_waiting_clients() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped: Rc<Cell<bool>> = Rc::default();
    let token = Dropped(Rc::clone(&dropped));
    let (mut first, mut second) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    let factory = move || {
        let _ = &token;
        Echo
    };
    let port = first.listen_tcp("127.0.0.1:0", factory).unwrap();
    let address = port.address().socket_addr().unwrap();
    let old = client(address);
    only_connection(&mut first);

    let mut waiting = client(address);
    waiting.write_all(b"hello").unwrap();
    let socket = first.context().detach_listener(port.id()).unwrap();
    assert!(first.context().detach_listener(port.id()).is_none(), "it is detached already");
    turns(&mut first, 2);
    assert!(dropped.get());
    assert_eq!(first.context().connections().count(), 1, "its connections stay");

    let mut later = client(address);
    later.write_all(b"later").unwrap();
    second.context().adopt_listener(socket, || Echo).unwrap();
    assert_eq!(read_turning(&mut second, &waiting, 5), b"hello");
    assert_eq!(read_turning(&mut second, &later, 5), b"later");
    (&old).write_all(b"still").unwrap();
    assert_eq!(read_turning(&mut first, &old, 5), b"still");
}

#[test]
fn connection_may_be_detached_before_connection_made() {
    let (connection, client) = foreign_connection();
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let context = reactor.context();
    let id = context.adopt_connection(connection, Recorder::new(&log, only_record)).unwrap();
    let detached = context.transport(id).detach().unwrap();
    turns(&mut reactor, 2);
    assert_eq!(log.of(id), [Event::Made, Event::Lost("Detached".to_owned())]);
    (&client).write_all(b"x").unwrap();
    let stream = TcpStream::from(detached.socket);
    stream.set_nonblocking(false).unwrap();
    assert_eq!((&stream).read(&mut [0; 8]).unwrap(), 1);
}

/// A producer that counts its stops.
struct Stopped(Rc<Cell<u32>>);

impl ropewalk::Producer for Stopped {
    fn resume_producing(&mut self, _transport: &mut ropewalk::Transport<'_>) {}

    fn stop_producing(&mut self, _context: &mut ropewalk::Context) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn detach_stops_the_producer() {
    let (mut reactor, address) = up(|| Echo);
    let _client = client(address);
    let id = only_connection(&mut reactor);
    let stopped = Rc::new(Cell::new(0));
    let producer = Stopped(Rc::clone(&stopped));
    reactor.context().transport(id).register_push_producer(producer).unwrap();
    turns(&mut reactor, 1);
    drop(reactor.context().transport(id).detach().unwrap());
    turns(&mut reactor, 2);
    assert_eq!(stopped.get(), 1);
}

#[test]
fn detach_right_after_registering_stops_the_producer() {
    let (log, stopped) = (Log::default(), Rc::new(Cell::new(0)));
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let context = reactor.context();
    context.transport(id).register_push_producer(Stopped(Rc::clone(&stopped))).unwrap();
    let _detached = context.transport(id).detach().unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!((stopped.get(), log.reasons()), (1, vec!["Detached".to_owned()]));
}
