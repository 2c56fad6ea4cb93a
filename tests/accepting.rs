//! Listeners: who gets in, who does not, and what a listener survives.

#[path = "support/script.rs"]
mod script;
mod support;

use ropewalk::{Address, Factory, Id, ListenOptions, Protocol, Reactor, Transport};
use script::{Script, Wire};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use support::*;

/// Refuses, and panics, now and then.
struct Fickle {
    log: Log,
    asked: usize,
}

impl Factory for Fickle {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.asked += 1;
        match self.asked % 3 {
            1 => None,
            2 => panic!("the factory's own fault"),
            _ => Some(Box::new(Recorder::new(&self.log, echo))),
        }
    }
}

#[test]
fn a_factory_that_refuses_or_panics_costs_only_that_socket() {
    let log = Log::default();
    let (mut reactor, address) = up(Fickle { log: log.clone(), asked: 0 });
    let mut clients: Vec<TcpStream> = (0..9).map(|_| client(address)).collect();
    turn_until(&mut reactor, "every third is in", |_| log.made() == 3);
    assert_eq!(reactor.context().connections().count(), 3);
    for (n, client) in clients.iter_mut().enumerate() {
        match n % 3 {
            0 => assert_eq!(read_all(client), b"", "it is closed"),
            1 => {
                let outcome = client.read(&mut [0]);
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
            }
            _ => {
                client.write_all(b"let in").unwrap();
                assert_eq!(read_turning(&mut reactor, client, 6), b"let in");
            }
        }
    }
    assert_eq!(log.lost(), 0);
}

#[test]
fn hundreds_of_waiting_clients_all_get_in_a_budget_at_a_time() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients: Vec<TcpStream> = (0..400).map(|_| client(address)).collect();
    reactor.turn(Some(PATIENCE)).unwrap();
    let first = log.made();
    assert!(first > 0 && first < 200, "a turn accepts a bounded number: {first}");
    // The kernel has told of them once; it says nothing more.
    turn_until(&mut reactor, "all in", |_| log.made() == clients.len());
}

#[test]
fn fifteen_hundred_ready_at_once_are_all_served() {
    if !is_child() {
        in_child("fifteen_hundred_ready_at_once_are_all_served", &MANY_FILES);
        return;
    }
    const ALL: usize = 1500;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients = Vec::new();
    for _ in 0..ALL / 100 {
        clients.extend((0..100).map(|_| client(address)));
        turn_until(&mut reactor, "a hundred more in", |_| log.made() == clients.len());
    }
    for client in &mut clients {
        client.write_all(b"all at once").unwrap();
    }
    turn_until(&mut reactor, "all served", |_| log.data().len() == 11 * ALL);
    turns(&mut reactor, 3);
    for client in &mut clients {
        let mut buffer = [0; 11];
        client.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"all at once");
    }
}

#[test]
fn a_listener_closed_by_its_own_connection_takes_nobody_else_and_frees_the_port_at_once() {
    let (old, new) = (Log::default(), Log::default());
    let port: Rc<RefCell<Option<(Id, SocketAddr)>>> = Rc::default();
    let hook = {
        let (port, new) = (Rc::clone(&port), new.clone());
        move |transport: &mut Transport<'_>, event: &Event| {
            echo(transport, event);
            if *event == Event::Made
                && let Some((id, address)) = port.borrow_mut().take()
            {
                let context = transport.context();
                context.close(id);
                context.close(id);
                context.abort(id);
                once_free(|| context.listen_tcp(address, recorders(&new, echo)));
            }
        }
    };
    let (mut reactor, other_address) = up(recorders(&old, echo));
    let listening = reactor.listen_tcp("127.0.0.1:0", recorders(&old, hook)).unwrap();
    let address = listening.address().socket_addr().unwrap();
    *port.borrow_mut() = Some((listening.id(), address));
    let mut bystander = client(other_address);
    turn_until(&mut reactor, "the bystander is in", |_| old.made() == 1);

    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address)).collect();
    turn_until(&mut reactor, "one of five is in", |_| old.made() == 2);
    turns(&mut reactor, 5);
    assert_eq!((old.made(), old.lost(), new.made()), (2, 0, 0));
    for left in [&mut bystander, &mut clients[0]] {
        left.write_all(b"still here").unwrap();
        assert_eq!(read_turning(&mut reactor, left, 10), b"still here");
    }
    for refused in &mut clients[1..] {
        let outcome = refused.read(&mut [0; 10]);
        assert!(matches!(&outcome, Ok(0) | Err(_)), "{outcome:?}");
    }
    let mut newcomer = client(address);
    newcomer.write_all(b"hello").unwrap();
    assert_eq!(read_turning(&mut reactor, &newcomer, 5), b"hello");
    assert_eq!(new.made(), 1);
}

#[test]
fn closing_a_listener_leaves_its_connections_alone() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(&log, echo)).unwrap();
    let address = port.address().socket_addr().unwrap();
    let mut client = client(address);
    turn_until(&mut reactor, "in", |_| log.made() == 1);
    reactor.context().close(port.id());
    is_refused(address);
    client.write_all(b"echo").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"echo");
    assert_eq!(log.lost(), 0);
}

#[test]
fn port_zero_becomes_a_port_that_can_be_asked_for() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(&log, only_record)).unwrap();
    assert!(port.address().port().is_some_and(|port| port != 0));
    assert_eq!(reactor.context().local_address(port.id()).as_ref(), Some(port.address()));
    let client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "in", |_| log.made() == 1);
    let id = log.ids()[0];
    let context = reactor.context();
    assert_eq!(context.local_address(id).as_ref(), Some(port.address()));
    assert_eq!(context.peer(id), Some(client.local_addr().unwrap().into()));
}

#[test]
fn a_port_in_use_is_refused_with_the_address_and_a_way_out() {
    let (mut reactor, address) = up(|| Echo);
    let error = reactor.listen_tcp(address, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    let expected = format!("cannot listen on {address}: address already in use");
    assert!(text.starts_with(&expected) && text.contains("port 0"), "{text}");
    // Another reactor is refused just so.
    let error = Reactor::new().unwrap().listen_tcp(address, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn listening_nowhere_or_on_nonsense_is_an_error_with_advice() {
    let mut reactor = Reactor::new().unwrap();
    let error = reactor.listen_tcp("7000", || Echo).unwrap_err();
    assert!(error.to_string().contains("7000") && error.to_string().contains("HOST:PORT"));
    let nowhere: [SocketAddr; 0] = [];
    assert!(reactor.listen_tcp(&nowhere[..], || Echo).is_err());
}

#[test]
fn a_server_that_starts_anew_has_its_port_though_old_connections_are_in_time_wait() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.close();
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    // Who ends its side first keeps the TIME_WAIT: that is the server here.
    let clients: Vec<TcpStream> = (0..50).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all lost", |_| log.lost() == 50);
    for client in clients {
        assert_eq!(read_all(&client), b"");
    }
    turns(&mut reactor, 5);
    drop(reactor);
    for _ in 0..3 {
        let mut reactor = Reactor::new().unwrap();
        once_free(|| reactor.listen_tcp(address, || Echo));
        // A live listener is refused all the same.
        assert!(reactor.listen_tcp(address, || Echo).is_err());
    }
}

#[test]
fn ipv6_listens_and_connects() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no ::1");
        return;
    }
    let (served, called) = (Log::default(), Log::default());
    let failures = Failures::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("[::1]:0", recorders(&served, echo)).unwrap();
    assert!(port.address().to_string().starts_with("[::1]:"));
    let caller = Caller::new(&called, &failures, |transport, event| {
        if *event == Event::Made {
            transport.write(b"six");
        }
    });
    let id = reactor.connect_tcp(port.address(), caller).unwrap();
    turn_until(&mut reactor, "echoed", |_| called.data() == b"six");
    assert_eq!(reactor.context().peer(id).as_ref(), Some(port.address()));
}

#[test]
fn a_tiny_backlog_takes_any_number_of_clients_one_after_the_other() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().backlog(1);
    let factory = recorders(&log, echo);
    let port = reactor.context().listen_tcp_with("127.0.0.1:0", &options, factory).unwrap();
    let address = port.address().socket_addr().unwrap();
    let mut clients = Vec::new();
    for count in 1..=20 {
        clients.push(client(address));
        turn_until(&mut reactor, "one more in", |_| log.made() == count);
    }
}

#[test]
fn a_listener_that_has_met_the_limits_is_not_asked_again_before_its_rest_is_over() {
    let log = Log::default();
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", recorders(&log, only_record)).unwrap();
    script.accept([Err(ErrorKind::Other)]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    for _ in 0..5 {
        script.accept([Ok(Wire::wide())]); // A new client, and a new event.
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
    assert_eq!((log.made(), reactor.timeout()), (0, Some(Duration::from_millis(100))));
    reactor.turn(None).unwrap();
    assert_eq!(log.made(), 5);
}
