//! Ports: in use, closed, reused, and port zero.

use crate::support::*;
use ropewalk::{Id, Reactor, Transport};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;

#[test]
fn listener_closed_in_callback_accepts_no_more() {
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
    let mut unrelated = client(other_address);
    turn_until(&mut reactor, "the other listener's client is accepted", |_| old.made() == 1);

    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address)).collect();
    turn_until(&mut reactor, "one of five is accepted", |_| old.made() == 2);
    turns(&mut reactor, 5);
    assert_eq!((old.made(), old.lost(), new.made()), (2, 0, 0));
    for left in [&mut unrelated, &mut clients[0]] {
        left.write_all(b"still here").unwrap();
        assert_eq!(read_turning(&mut reactor, left, 10), b"still here");
    }
    for refused in &mut clients[1..] {
        let outcome = refused.read(&mut [0; 10]);
        assert!(matches!(&outcome, Ok(0) | Err(_)), "{outcome:?}");
    }
    let mut later = client(address);
    later.write_all(b"hello").unwrap();
    assert_eq!(read_turning(&mut reactor, &later, 5), b"hello");
    assert_eq!(new.made(), 1);
}

#[test]
fn closing_a_listener_keeps_its_connections() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(&log, echo)).unwrap();
    let address = port.address().socket_addr().unwrap();
    let mut client = client(address);
    turn_until(&mut reactor, "accepted", |_| log.made() == 1);
    reactor.context().close(port.id());
    is_refused(address);
    client.write_all(b"echo").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"echo");
    assert_eq!(log.lost(), 0);
}

#[test]
fn port_zero_reports_the_chosen_port() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(&log, only_record)).unwrap();
    assert!(port.address().port().is_some_and(|port| port != 0));
    assert_eq!(reactor.context().local_address(port.id()), *port.address());
    let client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "accepted", |_| log.made() == 1);
    let id = log.ids()[0];
    let context = reactor.context();
    assert_eq!(context.local_address(id), *port.address());
    assert_eq!(context.transport(id).peer(), client.local_addr().unwrap().into());
}

#[test]
fn port_in_use_is_refused_with_advice() {
    let (mut reactor, address) = up(|| Echo);
    let error = reactor.listen_tcp(address, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    let expected = format!("cannot listen on {address}: address already in use");
    assert!(text.starts_with(&expected) && text.contains("port 0"), "{text}");
    // Another reactor is refused too.
    let error = Reactor::new().unwrap().listen_tcp(address, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn invalid_listen_address_is_refused_with_advice() {
    let mut reactor = Reactor::new().unwrap();
    let error = reactor.listen_tcp("7000", || Echo).unwrap_err();
    assert!(error.to_string().contains("7000") && error.to_string().contains("HOST:PORT"));
    let nowhere: [SocketAddr; 0] = [];
    assert!(reactor.listen_tcp(&nowhere[..], || Echo).is_err());
}

#[test]
fn restarted_server_reuses_port_in_time_wait() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.close();
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    // The side that closes first, here the server, keeps the connection in TIME_WAIT.
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
        // Its port is still protected.
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
    assert_eq!(reactor.context().transport(id).peer(), *port.address());
}
