//! A connection under test, with the test as its peer.

use crate::kit::TestServer;
use crate::kit::harness::Harness;
use crate::kit::no_interfaces;
use crate::kit::reconnecting::BACKLOG;
use crate::kit::recording::{ProtocolRecord, RecordingFactory};
use crate::kit::test_end::TestEnd;
use crate::net::SimulatedListener;
use crate::{NodeId, World};
use ropewalk::{Address, Context, Factory, ToAddress};
use std::cell::{RefCell, RefMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// The default server address of a client: an address for documentation (RFC 5737).
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 80);

/// A connection under test: a protocol with the test as its peer.
///
/// The test sends data with [`feed`](Self::feed), takes what the protocol wrote with [`take`](Self::take), and
/// moves the clock with [`advance`](Self::advance).
///
/// ```
/// use ropewalk::{Protocol, Reason, Transport};
/// use ropewalk_simulation::kit::TestConnection;
/// use std::time::Duration;
///
/// /// Closes each connection after a minute.
/// struct Minute;
///
/// impl Protocol for Minute {
///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
///         let id = transport.id();
///         transport.context().call_later(Duration::from_secs(60), move |context| {
///             context.transport(id).write(b"Time is up.\r\n");
///             context.close(id);
///         });
///     }
///
///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
/// }
///
/// let mut connection = TestConnection::new(|| Minute);
/// connection.advance(Duration::from_secs(59));
/// assert!(connection.reason().is_none());
/// connection.advance(Duration::from_secs(1));
/// assert_eq!(connection.take_text(), "Time is up.\r\n");
/// assert!(matches!(connection.reason(), Some(Reason::Closed)));
/// ```
///
/// # Panics
///
/// Methods that process events panic if a callback, a timer or a call panics meanwhile: see the
/// [module](crate::kit).
#[derive(Debug)]
#[doc(alias = "StringTransport")]
#[doc(alias = "EmbeddedChannel")]
#[doc(alias = "Clock")]
pub struct TestConnection {
    pub(super) harness: Rc<RefCell<Harness>>,
    pub(super) node: NodeId,
    /// The index of the test's end in the harness.
    end: usize,
    pub(super) record: Rc<RefCell<ProtocolRecord>>,
}

impl TestConnection {
    /// Returns a connection of a client with a server. The protocol is that of the server: `factory` builds it, as
    /// with [`listen_tcp`](Context::listen_tcp). The test is the client.
    ///
    /// For several clients of one factory, or another client address, use [`TestServer`].
    pub fn new(factory: impl Factory) -> Self {
        TestServer::new(factory).connect()
    }

    /// Returns a connection of a client with a server. The protocol is that of the client: `factory` builds it, as
    /// with [`connect_tcp`](Context::connect_tcp). The test is the server.
    ///
    /// ```
    /// use ropewalk::{Protocol, Transport};
    /// use ropewalk_simulation::kit::TestConnection;
    ///
    /// struct Caller;
    ///
    /// impl Protocol for Caller {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         transport.write(b"hello, server\r\n");
    ///     }
    ///
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    /// }
    ///
    /// let mut connection = TestConnection::connecting(|| Caller);
    /// assert_eq!(connection.take_text(), "hello, server\r\n");
    /// ```
    pub fn connecting(factory: impl Factory) -> Self {
        Self::connecting_to(SERVER, factory)
    }

    /// [`connecting`](Self::connecting), to a server at this address.
    ///
    /// # Panics
    ///
    /// If it is not a numeric IP address with a port, or if a callback panics.
    pub fn connecting_to(address: impl ToAddress, factory: impl Factory) -> Self {
        let address =
            address.to_address(&no_interfaces).ok().and_then(|address| address.socket_addr());
        let address = address.expect("a numeric IP address with a port");
        let mut harness = Harness::new();
        let node = harness.world.add_node("tested", |_| Ok(()));
        let mut host = harness.world.add_node("peer", |_| Ok(()));
        if address.ip().is_loopback() {
            host = node; // No other node has that address.
        } else {
            harness.world.net().borrow_mut().addresses.insert(address.ip(), host);
        }
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let any = Address::from(SocketAddr::new(any, address.port()));
        let listener = SimulatedListener::listen(harness.world.net(), host, &any, BACKLOG, &[]);
        let listener = listener.expect("the port is free in a new world");
        let (factory, records) = RecordingFactory::new(factory, &harness.panic, None);
        let begun = harness.call(node, |context| context.connect_tcp(address, factory).map(drop));
        begun.expect("a numeric address is valid");
        let end = harness.add_end(listener.accept_for_test().expect("the client has connected"));
        harness.listener = Some((host, any, listener));
        harness.settle();
        let record = records.borrow().last().cloned().expect("the factory has built a protocol");
        Self::of(Rc::new(RefCell::new(harness)), node, end, record)
    }

    pub(super) fn of(
        harness: Rc<RefCell<Harness>>,
        node: NodeId,
        end: usize,
        record: Rc<RefCell<ProtocolRecord>>,
    ) -> Self {
        Self { harness, node, end, record }
    }

    /// Sends `data` from the peer, in one chunk of up to 64 KiB. If the protocol has paused reading, the data is
    /// queued. If the connection is over, the data is lost.
    #[doc(alias = "dataReceived")]
    #[doc(alias = "writeInbound")]
    pub fn feed(&mut self, data: impl AsRef<[u8]>) {
        self.do_as_peer(|end| end.outgoing.extend(data.as_ref()));
    }

    /// Sends these chunks from the peer, one after the other: see [`Split`](crate::kit::Split).
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::TestConnection;
    /// let mut connection = TestConnection::new(|| Echo);
    /// connection.feed_in(["h", "ell", "o"]);
    /// assert_eq!(connection.take_text(), "hello");
    /// ```
    pub fn feed_in(&mut self, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for piece in pieces {
            self.feed(piece);
        }
    }

    /// Ends the peer's side. The peer still reads.
    pub fn feed_eof(&mut self) {
        self.do_as_peer(|end| end.ends = true);
    }

    /// Resets the connection from the peer's side.
    pub fn reset(&mut self) {
        self.do_as_peer(|end| end.close(true));
    }

    /// Closes the connection by the peer's program: its side ends, and it reads no more. Later writes to it are
    /// answered by a reset.
    pub fn hang_up(&mut self) {
        self.do_as_peer(|end| end.close(false));
    }

    /// Stops reading at the peer, with all buffers on the way full: later writes are queued in the reactor.
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::TestConnection;
    /// let mut connection = TestConnection::new(|| Echo);
    /// connection.stop_reading();
    /// connection.feed([b'x'; 65_536]);
    /// connection.feed("x");
    /// assert_eq!(connection.callbacks().last(), Some(&"pause_writing"));
    /// assert!(connection.is_paused()); // It stops reading from a peer that does not read.
    /// connection.start_reading();
    /// assert_eq!(connection.take().len(), 65_537);
    /// assert!(!connection.is_paused());
    /// ```
    pub fn stop_reading(&mut self) {
        self.do_as_peer(|end| end.set_reading(false));
    }

    /// Lets the peer read again, after [`stop_reading`](Self::stop_reading).
    pub fn start_reading(&mut self) {
        self.do_as_peer(|end| end.set_reading(true));
    }

    /// Advances the clock, and processes all events of that time.
    ///
    /// Nothing else moves the clock that the protocol sees, [`Context::now`].
    pub fn advance(&mut self, span: Duration) {
        self.harness.borrow_mut().advance(span);
    }

    /// Processes all pending events. This is only needed after a request that did not use this connection, such as
    /// a call through a [`Handle`](ropewalk::Handle).
    pub fn settle(&mut self) {
        self.harness.borrow_mut().settle();
    }

    /// Calls a function with the context of the protocol's reactor.
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::TestConnection;
    /// let mut connection = TestConnection::new(|| Echo);
    /// let id = connection.id();
    /// connection.call(|context| context.transport(id).write(b"from elsewhere"));
    /// assert_eq!(connection.take_text(), "from elsewhere");
    /// ```
    ///
    /// # Panics
    ///
    /// If the reactor has [stopped](Context::stop), or if a callback panics.
    pub fn call<R>(&mut self, call: impl FnOnce(&mut Context) -> R) -> R {
        self.harness.borrow_mut().call(self.node, call)
    }

    /// Calls a function with the world of the connection, for example to add nodes, latency, faults or a trace.
    /// Node 0 is the protocol's, node 1 is the peer's.
    ///
    /// ```
    /// # use ropewalk_protocols::Echo;
    /// # use ropewalk_simulation::kit::TestConnection;
    /// let mut connection = TestConnection::new(|| Echo);
    /// connection.with_world(|world| {
    ///     world.on_record(|record| println!("{record}"));
    ///     world.add_node("backend", |reactor| reactor.listen_tcp("[::]:7", || Echo).map(drop));
    /// });
    /// ```
    pub fn with_world<R>(&mut self, call: impl FnOnce(&mut World) -> R) -> R {
        self.harness.borrow_mut().with_world(call)
    }

    fn do_as_peer(&mut self, act: impl FnOnce(&mut TestEnd)) {
        act(&mut self.test_end());
        self.settle();
    }

    pub(super) fn test_end(&self) -> RefMut<'_, TestEnd> {
        RefMut::map(self.harness.borrow_mut(), |harness| &mut harness.ends[self.end])
    }
}

/// The peer's program [closes](TestConnection::hang_up) the connection, and the resulting events are processed.
///
/// # Panics
///
/// If a callback panics: see the [module](crate::kit).
impl Drop for TestConnection {
    fn drop(&mut self) {
        // It is borrowed if a closure that has the world drops a connection.
        if let Ok(mut harness) = self.harness.try_borrow_mut() {
            harness.ends[self.end].close(false);
            if !thread::panicking() && !harness.never_idle {
                harness.settle();
            }
        }
    }
}
