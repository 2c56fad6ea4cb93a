//! All methods of `Context`: none drops a value of the caller during the call.

#![cfg(target_os = "linux")]

use crate::LATER;
use crate::support::*;
use crate::unix::Folder;
use ropewalk::{
    Address, ConnectOptions, Context, DatagramOptions, DatagramProtocol, DatagramTransport,
    Factory, Id, Interest, IpProtocol, ListenOptions, Producer, Protocol, RunPhase, SlowReader,
    SocketOption, Transport, UnixAddress, Watcher, call_in_thread,
};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::pipe;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// The number of values that have been dropped.
type Drops = Rc<RefCell<usize>>;

/// Borrows the counter when it is dropped, so that a drop during a call panics.
struct Value(Drops, Option<OwnedFd>);

impl Drop for Value {
    fn drop(&mut self) {
        *self.0.borrow_mut() += 1;
    }
}

impl Factory for Value {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        None
    }
}

impl Protocol for Value {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl DatagramProtocol for Value {
    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
}

impl Producer for Value {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}
}

impl Watcher for Value {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.1.as_ref().expect("a descriptor to watch").as_fd()
    }
}

/// The arguments of the calls.
struct Scene {
    drops: Drops,
    connection: Id,
    /// A second connection, to be detached.
    other: Id,
    folder: Folder,
    /// The methods that were called.
    called: BTreeSet<&'static str>,
    made: usize,
}

impl Scene {
    fn value(&mut self) -> Value {
        self.made += 1;
        Value(Rc::clone(&self.drops), None)
    }

    fn watcher(&mut self, descriptor: impl Into<OwnedFd>) -> Value {
        self.made += 1;
        Value(Rc::clone(&self.drops), Some(descriptor.into()))
    }
}

/// Calls a method and records its name.
macro_rules! call {
    ($scene:ident, $context:ident.$method:ident($($argument:expr),* $(,)?)) => {{
        $scene.called.insert(stringify!($method));
        $context.$method($($argument),*)
    }};
}

fn time(scene: &mut Scene, context: &mut Context) {
    call!(scene, context.journal());
    call!(scene, context.now());
    let value = scene.value();
    let timer = call!(scene, context.call_later(LATER, move |_| drop(value)));
    assert!(call!(scene, context.is_active(timer)));
    assert!(call!(scene, context.reset(timer, 2 * LATER)));
    assert!(call!(scene, context.cancel(timer)));
    assert!(!call!(scene, context.cancel(timer)));
    let (value, when) = (scene.value(), context.now() + LATER);
    let timer = call!(scene, context.call_at(when, move |_| drop(value)));
    assert!(call!(scene, context.cancel(timer)));
    let value = scene.value();
    let sender = call!(scene, context.channel(move |_, ()| _ = &value));
    drop(sender);
    call!(scene, context.handle());
    let value = scene.value();
    let _ = call_in_thread(context, || (), move |_, _| drop(value));
    call!(scene, context.is_stopping());
    call!(scene, context.is_running());
    let value = scene.value();
    call!(scene, context.call_when_running(move |_| drop(value)));
    let value = scene.value();
    let trigger = RunPhase::AfterShutdown.call(context, move |_| drop(value));
    assert!(trigger.cancel(context));
}

fn streams(scene: &mut Scene, context: &mut Context) {
    let options = ListenOptions::new();
    let opened = call!(scene, context.listen_tcp("127.0.0.1:0", scene.value()));
    let taken =
        opened.as_ref().map_or_else(|_| Address::from(dead()), |port| port.address().clone());
    assert!(call!(scene, context.listen_tcp(&taken, scene.value())).is_err());
    assert!(call!(scene, context.listen_tcp("nowhere", scene.value())).is_err());
    assert!(options.listen_tcp(context, &taken, scene.value()).is_err());
    let _ = call!(scene, context.connect_tcp(&taken, scene.value()));
    let value = scene.value();
    let look_up = call!(scene, context.resolve("localhost:1", move |_, _| drop(value)));
    look_up.into_iter().for_each(|id| context.close(id));
    let value = scene.value();
    assert!(call!(scene, context.resolve("nowhere", move |_, _| drop(value))).is_err());
    assert!(call!(scene, context.connect_tcp("nowhere", scene.value())).is_err());
    let options = ConnectOptions::new();
    let none: [SocketAddr; 0] = [];
    let outcome = options.connect_tcp(context, &none[..], scene.value());
    assert!(outcome.is_err());
    if let Ok(port) = opened {
        call!(scene, context.detach_listener(port.id()));
    }
}

fn unix(scene: &mut Scene, context: &mut Context) {
    let (listen, connect) = (ListenOptions::new(), ConnectOptions::new());
    let datagrams = DatagramOptions::new();
    let file = scene.folder.path("file");
    File::create(&file).unwrap();
    let free = scene.folder.path("free");
    let _ = call!(scene, context.listen_unix(&free, scene.value()));
    assert!(call!(scene, context.listen_unix(&file, scene.value())).is_err());
    assert!(listen.listen_unix(context, &file, scene.value()).is_err());
    let _ = call!(scene, context.connect_unix(&file, scene.value()));
    let _ = connect.connect_unix(context, &free, scene.value());
    let free = scene.folder.path("free for datagrams");
    let _ = call!(scene, context.listen_unix_datagram(&free, scene.value()));
    let outcome = datagrams.listen_unix_datagram(context, &file, scene.value());
    assert!(outcome.is_err());
    let _ = call!(scene, context.connect_unix_datagram(&free, scene.value()));
    let outcome = datagrams.connect_unix_datagram(context, &file, scene.value());
    assert!(outcome.is_err());
    assert!(UnixAddress::from(&free).path().is_some());
}

fn datagrams(scene: &mut Scene, context: &mut Context) {
    let options = DatagramOptions::new();
    let opened = call!(scene, context.listen_udp("127.0.0.1:0", scene.value()));
    let id = opened.as_ref().map_or(scene.connection, |port| port.id());
    let taken = opened.map_or_else(|_| Address::from(dead()), |port| port.address().clone());
    assert!(call!(scene, context.listen_udp("nowhere", scene.value())).is_err());
    assert!(options.listen_udp(context, &taken, scene.value()).is_err());
    let _ = call!(scene, context.connect_udp(&taken, scene.value()));
    let outcome = options.connect_udp(context, "nowhere", scene.value());
    assert!(outcome.is_err());
    let _ = call!(scene, context.open_raw(Ipv4Addr::LOCALHOST, IpProtocol(253), scene.value()));
    let foreign = Ipv4Addr::new(192, 0, 2, 1);
    let raw = IpProtocol(253);
    assert!(options.open_raw(context, foreign, raw, scene.value()).is_err());
    let _ = call!(scene, context.open_ping(Ipv4Addr::LOCALHOST, scene.value()));
    assert!(options.open_ping(context, foreign, scene.value()).is_err());
    call!(scene, context.datagram(id)).send(b"hello");
    call!(scene, context.datagram(id)).send_to(b"hello", &taken);
    call!(scene, context.datagram(id)).send_to(b"hello", "nowhere");
    let _ = call!(scene, context.datagram(id)).connect(&taken);
    call!(scene, context.datagram(id)).counts();
    let (group, source, interface) = (Ipv4Addr::new(239, 255, 77, 2), foreign, Ipv4Addr::LOCALHOST);
    let _ = call!(scene, context.datagram(id)).join_group(group, interface);
    let _ = call!(scene, context.datagram(id)).leave_group(group, interface);
    let _ = call!(scene, context.datagram(id)).join_source(group, source, interface);
    let _ = call!(scene, context.datagram(id)).leave_source(group, source, interface);
    let _ = call!(scene, context.datagram(id)).set_multicast_ttl(1);
    let _ = call!(scene, context.datagram(id)).set_multicast_loopback(true);
    let _ = call!(scene, context.datagram(id)).set_multicast_interface(interface);
    call!(scene, context.close(id));
}

fn adopting(scene: &mut Scene, context: &mut Context) {
    let file = || File::open("/dev/null").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _ = call!(scene, context.adopt_connection(stream, scene.value()));
    assert!(call!(scene, context.adopt_connection(file(), scene.value())).is_err());
    let _ = call!(scene, context.adopt_listener(listener, scene.value()));
    assert!(call!(scene, context.adopt_listener(file(), scene.value())).is_err());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _ = call!(scene, context.adopt_datagram(socket, scene.value()));
    assert!(call!(scene, context.adopt_datagram(file(), scene.value())).is_err());
    let (listen, datagrams) = (ListenOptions::new(), DatagramOptions::new());
    assert!(listen.adopt_listener(context, file(), scene.value()).is_err());
    assert!(datagrams.adopt_datagram(context, file(), scene.value()).is_err());
    let other = scene.other;
    let _ = call!(scene, context.transport(other)).detach();
    let value = scene.value();
    let started =
        call!(scene, context.transport(other)).call_in_thread(|| (), move |_, _| drop(value));
    assert!(started.is_err(), "it has been detached");
    assert!(call!(scene, context.transport(other)).detach().is_err());

    let (reader, _writer) = pipe().unwrap();
    let watched = call!(scene, context.watch(scene.watcher(reader), Interest::Readable));
    let regular = File::open("/proc/self/exe").unwrap();
    let outcome = call!(scene, context.watch(scene.watcher(regular), Interest::Readable));
    assert!(outcome.is_err());
    if let Ok(id) = watched {
        call!(scene, context.set_interest(id, Interest::Nothing));
        call!(scene, context.close(id));
    }
}

fn connections(scene: &mut Scene, context: &mut Context) {
    let id = scene.connection;
    let value = scene.value();
    let _ = call!(scene, context.transport(id)).call_in_thread(|| (), move |_, _| drop(value));
    let _ = call!(scene, context.transport(id)).register_push_producer(scene.value());
    let _ = call!(scene, context.transport(id)).register_push_producer(scene.value());
    let _ = call!(scene, context.transport(id)).register_pull_producer(scene.value());
    call!(scene, context.transport(id)).unregister_producer();
    call!(scene, context.transport(id)).write(b"hello");
    let _ = call!(scene, context.transport(id))
        .send_descriptors(b"x", [File::open("/dev/null").unwrap()]);
    call!(scene, context.transport(id)).descriptors_waiting();
    call!(scene, context.transport(id)).pause();
    call!(scene, context.transport(id)).resume();
    call!(scene, context.transport(id)).is_paused();
    call!(scene, context.transport(id)).write_buffer_size();
    call!(scene, context.transport(id)).set_write_buffer_limits(10, 5);
    call!(scene, context.transport(id)).set_write_limit(1000);
    call!(scene, context.transport(id)).set_slow_reader(SlowReader::DropOldest(1000));
    call!(scene, context.transport(id)).pause();
    call!(scene, context.datagram(id)).send(b"hello");
    call!(scene, context.set_timer(id, LATER));
    call!(scene, context.local_address(id));
    call!(scene, context.transport(id)).peer();
    #[cfg(feature = "credentials")]
    call!(scene, context.transport(id)).peer_credentials();
    assert!(call!(scene, context.connections()).count() > 0);
    call!(scene, context.transport(id)).counts();
    call!(scene, context.statistics());
    let _ = call!(scene, context.set_option(id, SocketOption::KeepAlive(None)));
    call!(scene, context.descriptor(id));
    call!(scene, context.transport(id)).write_eof();
    call!(scene, context.transport(id)).close_within(LATER);
    call!(scene, context.close(id));
    call!(scene, context.abort(id));
    call!(scene, context.transport(id)).is_closing();
    let _ = call!(scene, context.transport(id)).register_pull_producer(scene.value());
}

/// Returns the names of all public methods of `Context`.
fn methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut of_context = false;
        for line in text.lines() {
            of_context = of_context && line != "}" || line == "impl Context {";
            if let (true, Some(rest)) = (of_context, line.strip_prefix("    pub fn ")) {
                let end = rest.find(['(', '<']).unwrap();
                methods.insert(rest[..end].to_owned());
            }
        }
    }
    methods
}

#[test]
fn no_method_drops_values_during_the_call() {
    let drops = Drops::default();
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _clients = [client(address), client(address)];
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    let (connection, other) = (log.ids()[0], log.ids()[1]);
    let folder = Folder::new();
    let (called, made) = (BTreeSet::new(), 0);
    let scene = Scene { drops: Rc::clone(&drops), connection, other, folder, called, made };
    let scene = Rc::new(RefCell::new(scene));
    let theirs = Rc::clone(&scene);
    reactor.context().call_later(Duration::ZERO, move |context| {
        let scene = &mut *theirs.borrow_mut();
        // First with a running reactor, then with a stopping one, which refuses requests.
        for _ in 0..2 {
            let drops = Rc::clone(&scene.drops);
            let _borrowed = drops.borrow_mut();
            time(scene, context);
            streams(scene, context);
            unix(scene, context);
            datagrams(scene, context);
            adopting(scene, context);
            connections(scene, context);
            call!(scene, context.stop());
        }
    });
    reactor.context().call_later(Duration::ZERO, |context| context.stop());
    reactor.run().unwrap();
    assert_eq!(reactor.context().statistics().panics, 0);
    drop(reactor);
    let scene = scene.borrow();
    let called: BTreeSet<String> = scene.called.iter().map(|&name| name.to_owned()).collect();
    assert!(methods().len() > 30, "the sources are read");
    assert_eq!(methods().difference(&called).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(*drops.borrow(), scene.made, "all were dropped");
}
