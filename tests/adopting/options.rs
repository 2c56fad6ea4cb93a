//! Options of adopted connections and listeners.

use crate::foreign::foreign_connection;
use crate::support::*;
use ropewalk::{
    ConnectOptions, KeepAlive, ListenOptions, Protocol, Reactor, SocketOption, Transport,
};
use ropewalk_simulation::kit::ToyCipher;
use socket2::SockRef;
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

fn client(key: u64) -> ConnectOptions {
    ConnectOptions::new().filter(move || ToyCipher::client(key))
}

fn server(key: u64) -> ConnectOptions {
    ConnectOptions::new().filter(move || ToyCipher::server(key))
}

/// Adopts both ends of a connection, with these options, and writes at once. Returns the records of both.
fn adopt_both(client: &ConnectOptions, server: &ConnectOptions) -> (Reactor, Log, Log) {
    let (ours, theirs) = foreign_connection();
    let (mut reactor, one, other) = (Reactor::new().unwrap(), Log::default(), Log::default());
    let context = reactor.context();
    let echo = Recorder::new(&other, echo);
    server.adopt_connection(context, theirs, echo).unwrap();
    let id = client.adopt_connection(context, ours, Recorder::new(&one, only_record)).unwrap();
    context.transport(id).write(b"hello");
    (reactor, one, other)
}

#[test]
fn adopted_connections_have_filters() {
    let (mut reactor, one, other) = adopt_both(&client(7), &server(7));
    turn_until(&mut reactor, "an answer", |_| one.data() == b"hello");
    let id = one.ids()[0];
    reactor.context().close(id);
    turn_until(&mut reactor, "both ends", |_| one.lost() + other.lost() == 2);
    assert_eq!((one.reasons(), other.reasons()), (closed("Closed"), closed("ClosedByPeer")));
    one.check(true);
    other.check(true);
}

fn closed(reason: &str) -> Vec<String> {
    vec![reason.to_owned()]
}

#[test]
fn failed_handshake_ends_an_adopted_connection() {
    let (mut reactor, one, other) = adopt_both(&client(7), &server(8));
    turn_until(&mut reactor, "both ends", |_| one.lost() + other.lost() == 2);
    assert!(other.reasons()[0].starts_with("Failed"), "{:?}", other.reasons());
    one.check(true);
    other.check(true);
}

#[test]
fn silent_peer_ends_an_adopted_handshake() {
    let (ours, _theirs) = foreign_connection();
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let options = client(7).handshake_timeout(Duration::from_millis(10));
    options.adopt_connection(reactor.context(), ours, Recorder::new(&log, only_record)).unwrap();
    turn_until(&mut reactor, "the end", |_| log.lost() == 1);
    assert!(log.reasons()[0].contains("the handshake timed out"), "{:?}", log.reasons());
    log.check(true);
}

#[test]
fn panic_of_a_filter_factory_ends_one_connection() {
    let options = ConnectOptions::new().filter(|| -> ToyCipher { panic!("no filter") });
    let (mut reactor, one, other) = adopt_both(&options, &server(7));
    turn_until(&mut reactor, "both ends", |_| one.lost() + other.lost() == 2);
    assert_eq!(one.reasons(), ["Panicked"]);
    one.check(true);
}

#[test]
fn adopted_connection_has_socket_options() {
    let (ours, _theirs) = foreign_connection();
    let mut reactor = Reactor::new().unwrap();
    let keep_alive =
        KeepAlive { idle: Duration::from_secs(7), interval: Duration::from_secs(3), count: 2 };
    let options = ConnectOptions::new().keep_alive(keep_alive);
    let id = options
        .adopt_connection(reactor.context(), ours, Recorder::new(&Log::default(), only_record))
        .unwrap();
    let descriptor = reactor.context().descriptor(id).unwrap();
    let socket = SockRef::from(&descriptor);
    assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
}

#[test]
fn unsupported_option_refuses_the_adopted_connection() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let options = ConnectOptions::new().option(SocketOption::TrafficClass(0));
    let protocol = Recorder::new(&Log::default(), only_record);
    let error = options.adopt_connection(reactor.context(), ours, protocol).unwrap_err();
    assert!(error.to_string().starts_with("cannot adopt a connection: "), "{error}");
    assert_eq!(reactor.context().connections().count(), 0);
    assert_eq!(std::io::Read::read(&mut theirs, &mut [0]).unwrap(), 0, "it is closed");
}

/// Counts received descriptors.
struct Counting(Rc<RefCell<usize>>);

impl Protocol for Counting {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn descriptors_received(
        &mut self,
        _transport: &mut Transport<'_>,
        _data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        *self.0.borrow_mut() += descriptors.len();
    }
}

/// Passes a descriptor over a Unix socket by a second reactor.
fn pass(socket: UnixStream) {
    let mut sender = Reactor::new().unwrap();
    let count = Rc::default();
    let id = sender.context().adopt_connection(socket, Counting(count)).unwrap();
    let (descriptor, _) = UnixStream::pair().unwrap();
    sender.context().transport(id).send_descriptors(b"x", [descriptor]).unwrap();
    sender.turn(Some(Duration::ZERO)).unwrap();
    sender.context().stop();
    sender.run().unwrap();
}

#[test]
fn adopted_sockets_take_descriptors_if_requested() {
    for takes in [true, false] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let path =
            std::env::temp_dir().join(format!("ropewalk-take-{}-{takes}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let (mut reactor, count) = (Reactor::new().unwrap(), Rc::new(RefCell::new(0)));
        let context = reactor.context();
        let options = ConnectOptions::new().descriptors(takes);
        options.adopt_connection(context, ours, Counting(Rc::clone(&count))).unwrap();
        let shared = Rc::clone(&count);
        let listen = ListenOptions::new().descriptors(takes);
        listen.adopt_listener(context, listener, move || Counting(Rc::clone(&shared))).unwrap();
        pass(theirs);
        pass(UnixStream::connect(&path).unwrap());
        turns(&mut reactor, 10);
        assert_eq!(*count.borrow(), if takes { 2 } else { 0 });
        std::fs::remove_file(path).unwrap();
    }
}
