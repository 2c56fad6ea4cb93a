//! The testing kit: clients that go, and clients that connect again.

use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reason, Transport};
use ropewalk_chat::Chat;
use ropewalk_protocols::Echo;
use ropewalk_simulation::kit::{TestConnection, TestServer};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_follows_when_a_client_is_dropped_has_happened_when_the_drop_returns() {
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
fn a_client_may_be_dropped_where_the_world_is_lent_out() {
    let mut server = TestServer::new(|| Echo);
    let (mut stays, goes) = (server.connect(), server.connect());
    server.with_world(|_| drop(goes));
    stays.feed("hello");
    assert_eq!(stays.take_text(), "hello");
}

#[test]
fn a_server_lets_time_pass_for_all_its_clients() {
    /// Says so after a second.
    struct Late;

    impl Protocol for Late {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let id = transport.id();
            transport.context().call_later(SECOND, move |context| context.write(id, b"late"));
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
    handle.call(move |context| context.write(id, b"from elsewhere")).unwrap();
    server.settle();
    assert_eq!(clients[0].take_text(), "from elsewhere");
}

/// A client that connects again, and notes why it could not.
#[derive(Clone)]
struct Faithful {
    server: Address,
    failures: Rc<RefCell<Vec<Error>>>,
}

impl Faithful {
    fn new() -> Self {
        let server = Address::from(SocketAddr::from(([192, 0, 2, 1], 80)));
        Self { server, failures: Rc::default() }
    }

    fn again(&self, context: &mut Context) {
        let this = self.clone();
        context.call_later(SECOND, move |context| {
            let server = this.server.clone();
            context.connect_tcp(server, this).expect("an address in digits");
        });
    }
}

impl Factory for Faithful {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self.clone()))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.failures.borrow_mut().push(error);
        self.again(context);
    }
}

impl Protocol for Faithful {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        self.again(transport.context());
    }
}

#[test]
fn a_client_that_connects_again_is_accepted_each_time() {
    let mut connection = TestConnection::connecting(Faithful::new());
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
fn a_client_is_refused_while_the_test_does_not_listen() {
    let faithful = Faithful::new();
    let failures = Rc::clone(&faithful.failures);
    let mut first = TestConnection::connecting(faithful);
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
fn nothing_is_accepted_from_a_server_under_test() {
    assert!(TestConnection::new(|| Echo).accept().is_none());
}
