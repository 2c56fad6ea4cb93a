//! Clients of a server under test, and clients that connect again.

use crate::support::SECOND;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_chat::Chat;
use ropewalk_protocols::Echo;
use ropewalk_simulation::kit::{TestConnection, TestServer};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

#[test]
fn the_drop_of_a_client_processes_its_events() {
    let mut server = TestServer::new(Chat::new().factory());
    let (mut anna, mut ben) = (server.connect(), server.connect());
    anna.feed("anna\n");
    ben.feed("ben\n");
    anna.take();
    drop(ben);
    assert!(anna.peek_text().contains("ben"), "{}", anna.peek_text());
    assert_eq!(server.call(|context| context.connections().count()), 1);
}

#[test]
fn a_client_can_be_dropped_inside_with_world() {
    let mut server = TestServer::new(|| Echo);
    let (mut stays, dropped) = (server.connect(), server.connect());
    server.with_world(|_| drop(dropped));
    stays.feed("hello");
    assert_eq!(stays.take_text(), "hello");
}

#[test]
fn a_server_advances_time_for_all_its_clients() {
    /// Sends "late" after a second.
    struct Late;

    impl Protocol for Late {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            transport
                .context()
                .call_later(SECOND, move |context| context.transport(id).write(b"late"));
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    }

    let mut server = TestServer::new(|| Late);
    let mut clients = [server.connect(), server.connect()];
    let begin = server.call(|context| context.now());
    server.advance(SECOND);
    assert_eq!(server.call(|context| context.now()) - begin, SECOND);
    for client in &mut clients {
        assert_eq!(client.take_text(), "late");
    }
    let handle = server.call(|context| context.handle());
    let id = clients[0].id();
    handle.call(move |context| context.transport(id).write(b"from elsewhere")).unwrap();
    server.settle();
    assert_eq!(clients[0].take_text(), "from elsewhere");
}

/// A client that connects again, and records its failures.
#[derive(Clone)]
struct Reconnecting {
    server: Address,
    failures: Rc<RefCell<Vec<Error>>>,
}

impl Reconnecting {
    fn new() -> Self {
        let server = Address::from(SocketAddr::from(([192, 0, 2, 1], 80)));
        Self { server, failures: Rc::default() }
    }

    fn connect_again(&self, context: &mut Context) {
        let this = self.clone();
        context.call_later(SECOND, move |context| {
            let server = this.server.clone();
            context.connect_tcp(server, this).expect("a numeric address");
        });
    }
}

impl Factory for Reconnecting {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self.clone()))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.failures.borrow_mut().push(error);
        self.connect_again(context);
    }
}

impl Protocol for Reconnecting {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        self.connect_again(transport.context());
    }
}

#[test]
fn a_reconnecting_client_is_accepted_each_time() {
    let mut connection = TestConnection::connecting(Reconnecting::new());
    for round in 1..4 {
        connection.feed("hello");
        assert_eq!(connection.take_text(), "hello", "in round {round}");
        connection.reset();
        assert!(connection.accept().is_none(), "it waits for a second");
        connection.advance(SECOND);
        let id = connection.id();
        connection = connection.accept().expect("it has connected again");
        assert_ne!(connection.id(), id);
    }
}

#[test]
fn clients_are_refused_while_the_test_stops_listening() {
    let client = Reconnecting::new();
    let failures = Rc::clone(&client.failures);
    let mut first = TestConnection::connecting(client);
    first.stop_listening();
    first.stop_listening();
    first.hang_up();
    first.advance(3 * SECOND);
    assert_eq!(failures.borrow().len(), 3);
    assert_eq!(failures.borrow()[0].kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(first.accept().is_none());
    first.start_listening();
    first.start_listening();
    first.advance(SECOND);
    let mut second = first.accept().expect("it has connected again");
    second.feed("hello");
    assert_eq!(second.take_text(), "hello");
    assert_eq!(failures.borrow().len(), 3);
}

#[test]
fn a_server_under_test_makes_no_connections() {
    assert!(TestConnection::new(|| Echo).accept().is_none());
}

/// Records the peers, and refuses those with port 1.
struct Selective(Rc<RefCell<Vec<Address>>>);

impl Factory for Selective {
    fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
        self.0.borrow_mut().push(peer.clone());
        (peer.port() != Some(1)).then(|| Box::new(Echo) as Box<dyn Protocol>)
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
        panic!("{error}");
    }
}

#[test]
fn the_peer_has_the_given_address() {
    let peers = Rc::default();
    let mut server = TestServer::new(Selective(Rc::clone(&peers)));
    let given = ["203.0.113.9:50000", "[2001:db8::9]:50000", "127.0.0.1:50000", "10.0.0.1:2"];
    for address in given {
        let mut connection = server.connect_from(address);
        connection.feed("hello");
        assert_eq!(connection.take(), b"hello");
        let id = connection.id();
        let peer = connection.call(|context| context.transport(id).peer());
        assert_eq!(peer.to_string(), address);
    }
    assert!(server.connect_from("10.0.0.1:1").was_refused());
    let received: Vec<String> = peers.borrow().iter().map(ToString::to_string).collect();
    assert_eq!(received[..4], given);

    for address in ["203.0.113.9:80", "[2001:db8::9]:80", "127.0.0.1:80", "[::1]:80"] {
        let peers = Rc::default();
        let mut connection = TestConnection::connecting_to(address, Selective(Rc::clone(&peers)));
        connection.feed("hello");
        assert_eq!(connection.take(), b"hello");
        assert_eq!(peers.borrow()[0].to_string(), address);
    }
    let mut connection = TestConnection::connecting_to("192.0.2.1:1", Selective(Rc::default()));
    assert!(connection.was_refused() && connection.has_ended());
    connection.settle();
}

#[test]
fn clients_of_one_server_receive_each_others_lines() {
    let mut server = TestServer::new(Chat::new().factory());
    let mut people: Vec<TestConnection> = (0..5).map(|_| server.connect()).collect();
    for (person, name) in people.iter_mut().zip(["anna", "ben", "cora", "dan", "eve"]) {
        person.feed(format!("{name}\n"));
    }
    people.iter_mut().for_each(|person| drop(person.take()));
    people[2].feed("hello, all\n");
    for (number, person) in people.iter_mut().enumerate() {
        let received = person.take_text();
        assert_eq!(received, if number == 2 { "" } else { "<cora> hello, all\n" });
    }
    drop(people.pop());
    people[0].settle();
    assert_eq!(people[0].take_text(), "* eve left\n");
}
