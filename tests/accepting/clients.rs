//! Clients: accepted within a budget, refused by the factory, and gone before they are accepted.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Address, Factory, ListenOptions, Protocol, Reactor};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Of three clients it refuses the first, panics at the second and accepts the third.
struct RefusingFactory {
    log: Log,
    asked: usize,
}

impl Factory for RefusingFactory {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        self.asked += 1;
        match self.asked % 3 {
            1 => None,
            2 => panic!("a panic on purpose"),
            _ => Some(Box::new(Recorder::new(&self.log, echo))),
        }
    }
}

#[test]
fn factory_refusal_or_panic_costs_one_socket() {
    let log = Log::default();
    let (mut reactor, address) = up(RefusingFactory { log: log.clone(), asked: 0 });
    let mut clients: Vec<TcpStream> = (0..9).map(|_| client(address)).collect();
    turn_until(&mut reactor, "one of three is accepted", |_| log.made() == 3);
    assert_eq!(reactor.context().connections().count(), 3);
    for (n, client) in clients.iter_mut().enumerate() {
        match n % 3 {
            0 => assert_eq!(read_all(client), b"", "it is closed"),
            1 => {
                let outcome = client.read(&mut [0]);
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
            }
            _ => {
                client.write_all(b"accept").unwrap();
                assert_eq!(read_turning(&mut reactor, client, 6), b"accept");
            }
        }
    }
    assert_eq!(log.lost(), 0);
}

#[test]
fn waiting_clients_are_accepted_within_a_budget() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients: Vec<TcpStream> = (0..400).map(|_| client(address)).collect();
    reactor.turn(Some(PATIENCE)).unwrap();
    let first = log.made();
    assert!(first > 0 && first < 200, "a turn accepts a bounded number: {first}");
    // The event was reported once, and is not repeated.
    turn_until(&mut reactor, "all accepted", |_| log.made() == clients.len());
}

#[test]
fn many_ready_connections_are_all_served() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    const ALL: usize = 1500;
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients = Vec::new();
    for _ in 0..ALL / 100 {
        clients.extend((0..100).map(|_| client(address)));
        turn_until(&mut reactor, "a hundred more accepted", |_| log.made() == clients.len());
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
fn clients_gone_before_accept_are_harmless() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    reset(client(address));
    drop(client(address));
    let mut stays: TcpStream = client(address);
    stays.write_all(b"here").unwrap();
    turn_until(&mut reactor, "the third is answered", |_| log.data() == b"here");
    let mut buffer = [0; 4];
    stays.read_exact(&mut buffer).unwrap();
    turn_until(&mut reactor, "the other two are lost", |_| log.lost() == log.made() - 1);
    log.check(false);
}

#[test]
fn backlog_of_one_serves_clients_in_turn() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().backlog(1);
    let factory = recorders(&log, echo);
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", factory).unwrap();
    let address = port.address().socket_addr().unwrap();
    let mut clients = Vec::new();
    for count in 1..=20 {
        clients.push(client(address));
        turn_until(&mut reactor, "one more accepted", |_| log.made() == count);
    }
}

#[test]
fn listener_in_backoff_ignores_new_clients() {
    let log = Log::default();
    let (script, mut reactor) = Script::new();
    reactor.listen_tcp("10.0.0.1:7000", recorders(&log, only_record)).unwrap();
    script.accept([Err(ErrorKind::Other)]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    for _ in 0..5 {
        script.accept([Ok(Wire::unlimited())]); // A new client causes a new event.
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
    assert_eq!((log.made(), reactor.timeout()), (0, Some(Duration::from_millis(100))));
    reactor.turn(None).unwrap();
    assert_eq!(log.made(), 5);
}
