//! A factory under test, and its clients.

use crate::kit::TestConnection;
use crate::kit::harness::Harness;
use crate::kit::no_interfaces;
use crate::kit::recording::{RecordingFactory, Records};
use crate::net::SimulatedStream;
use crate::{NodeId, World};
use ropewalk::{Address, Context, Factory, ToAddress};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// The port of the server.
const PORT: u16 = 7000;

/// The address of the first client; others have the following ports. It is an address for documentation (RFC
/// 5737).
const CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 50_000);

/// A server under test: a factory that listens, and any number of clients that are the test.
///
/// For a protocol that only deals with its own peer, use [`TestConnection::new`].
///
/// ```
/// use ropewalk_chat::Chat;
/// use ropewalk_simulation::kit::TestServer;
///
/// let mut server = TestServer::new(Chat::new().factory());
/// let (mut anna, mut ben) = (server.connect(), server.connect());
/// anna.feed("anna\n");
/// ben.feed("ben\n");
/// anna.take();
/// ben.feed("hello\n");
/// assert_eq!(anna.take_text(), "<ben> hello\n");
/// ```
#[derive(Debug)]
pub struct TestServer {
    harness: Rc<RefCell<Harness>>,
    node: NodeId,
    records: Records,
    clients: u16,
}

impl TestServer {
    /// Returns a server with the protocols of `factory`, in a world of its own.
    pub fn new(factory: impl Factory) -> Self {
        let mut harness = Harness::new();
        let node = harness.world.add_node("tested", |_| Ok(()));
        harness.world.add_node("peer", |_| Ok(()));
        let (factory, records) = RecordingFactory::new(factory, &harness.panic, None);
        let listens = harness.call(node, |context| context.listen_tcp(("::", PORT), factory));
        listens.expect("the port is free in a new world");
        Self { harness: Rc::new(RefCell::new(harness)), node, records, clients: 0 }
    }

    /// Advances the clock, and processes all events of that time. All clients of a server are in the same world,
    /// so their clock moves as well.
    ///
    /// # Panics
    ///
    /// If a callback panics: see the [module](crate::kit).
    pub fn advance(&mut self, span: Duration) {
        self.harness.borrow_mut().advance(span);
    }

    /// Processes all pending events. This is only needed after a request that did not use the kit, such as a call
    /// through a [`Handle`](ropewalk::Handle).
    ///
    /// # Panics
    ///
    /// If a callback panics: see the [module](crate::kit).
    pub fn settle(&mut self) {
        self.harness.borrow_mut().settle();
    }

    /// Calls a function with the context of the server's reactor.
    ///
    /// ```
    /// use ropewalk_protocols::Echo;
    /// use ropewalk_simulation::kit::TestServer;
    ///
    /// let mut server = TestServer::new(|| Echo);
    /// let clients = [server.connect(), server.connect()];
    /// assert_eq!(server.call(|context| context.connections().count()), 2);
    /// drop(clients);
    /// assert_eq!(server.call(|context| context.connections().count()), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// If the reactor has [stopped](Context::stop), or if a callback panics.
    pub fn call<R>(&mut self, call: impl FnOnce(&mut Context) -> R) -> R {
        self.harness.borrow_mut().call(self.node, call)
    }

    /// Calls a function with the world of the server: see [`TestConnection::with_world`]. Node 0 is the server,
    /// node 1 is that of the clients.
    ///
    /// # Panics
    ///
    /// If a callback panics: see the [module](crate::kit).
    pub fn with_world<R>(&mut self, call: impl FnOnce(&mut World) -> R) -> R {
        self.harness.borrow_mut().with_world(call)
    }

    /// Connects another client.
    ///
    /// # Panics
    ///
    /// If a callback panics: see the [module](crate::kit).
    pub fn connect(&mut self) -> TestConnection {
        self.connect_from((CLIENT.0, CLIENT.1.wrapping_add(self.clients)))
    }

    /// Connects another client from this address: IPv4, IPv6, or a Unix address.
    ///
    /// ```
    /// use ropewalk::{Address, Factory, Protocol};
    /// use ropewalk_protocols::Echo;
    /// use ropewalk_simulation::kit::TestServer;
    ///
    /// struct LocalEcho;
    ///
    /// impl Factory for LocalEcho {
    ///     fn build(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
    ///         peer.ip()?.is_loopback().then(|| Box::new(Echo) as Box<dyn Protocol>)
    ///     }
    /// }
    ///
    /// let mut server = TestServer::new(LocalEcho);
    /// assert!(server.connect_from("203.0.113.9:50000").was_refused());
    /// assert!(!server.connect_from("127.0.0.1:50000").was_refused());
    /// ```
    ///
    /// # Panics
    ///
    /// If it is not a numeric address, if the server does not listen any more, or if a callback panics.
    pub fn connect_from(&mut self, address: impl ToAddress) -> TestConnection {
        let peer = address.to_address(&no_interfaces).expect("the address of a client");
        self.clients = self.clients.wrapping_add(1);
        let mut harness = self.harness.borrow_mut();
        let host = harness.world.nodes().nth(1).expect("the second node");
        let ip = match &peer {
            Address::Inet(SocketAddr::V6(_)) => harness.world.ipv6(self.node),
            _ => harness.world.ipv4(self.node),
        };
        let to = (self.node, SocketAddr::new(ip, PORT));
        let stream = SimulatedStream::connect_to_listener(harness.world.net(), (host, peer), to);
        let end = harness.add_end(stream.expect("the server listens"));
        harness.settle();
        drop(harness);
        let record = self.records.borrow().last().cloned();
        let record = record.expect("the factory is called for each client");
        TestConnection::of(self.harness.clone(), self.node, end, record)
    }
}
