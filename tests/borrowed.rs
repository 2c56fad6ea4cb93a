//! A `RefCell` of a user's may stay borrowed while any method of `Context` is called.

#![cfg(target_os = "linux")]

#[path = "support/unix.rs"]
mod on_unix;
mod support;

use on_unix::Folder;
use ropewalk::{
    Address, ConnectOptions, Context, DatagramOptions, DatagramProtocol, DatagramTransport,
    Factory, Id, Interest, IpProtocol, ListenOptions, Producer, Protocol, SlowReader, SocketOption,
    Transport, UnixAddress, UnixConnectOptions, UnixListenOptions, Watcher,
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
use support::*;

const LATER: Duration = Duration::from_secs(3600);

/// How many members have been dropped.
type Room = Rc<RefCell<usize>>;

/// Uses the room when it is dropped, so that a drop within a call of the context would panic.
struct Member(Room, Option<OwnedFd>);

impl Drop for Member {
    fn drop(&mut self) {
        *self.0.borrow_mut() += 1;
    }
}

impl Factory for Member {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        None
    }
}

impl Protocol for Member {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl DatagramProtocol for Member {
    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
}

impl Producer for Member {
    fn resume_producing(&mut self, _transport: &mut Transport<'_>) {}
}

impl Watcher for Member {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.1.as_ref().expect("it watches something").as_fd()
    }
}

/// What there is to be called with.
struct Scene {
    room: Room,
    connection: Id,
    /// Another one, to be detached.
    other: Id,
    folder: Folder,
    /// The methods that were called.
    called: BTreeSet<&'static str>,
    made: usize,
}

impl Scene {
    fn member(&mut self) -> Member {
        self.made += 1;
        Member(Rc::clone(&self.room), None)
    }

    fn watcher(&mut self, descriptor: impl Into<OwnedFd>) -> Member {
        self.made += 1;
        Member(Rc::clone(&self.room), Some(descriptor.into()))
    }
}

/// Calls a method, and notes that it was.
macro_rules! call {
    ($scene:ident, $context:ident.$method:ident($($argument:expr),* $(,)?)) => {{
        $scene.called.insert(stringify!($method));
        $context.$method($($argument),*)
    }};
}

fn time(scene: &mut Scene, context: &mut Context) {
    call!(scene, context.now());
    let member = scene.member();
    let timer = call!(scene, context.call_later(LATER, move |_| drop(member)));
    assert!(call!(scene, context.is_active(timer)));
    assert!(call!(scene, context.reset(timer, 2 * LATER)));
    assert!(call!(scene, context.cancel(timer)));
    assert!(!call!(scene, context.cancel(timer)));
    let (member, when) = (scene.member(), context.now() + LATER);
    let timer = call!(scene, context.call_at(when, move |_| drop(member)));
    assert!(call!(scene, context.cancel(timer)));
    let member = scene.member();
    let sender = call!(scene, context.channel(move |_, ()| _ = &member));
    drop(sender);
    call!(scene, context.handle());
    call!(scene, context.is_stopping());
}

fn streams(scene: &mut Scene, context: &mut Context) {
    let options = ListenOptions::new();
    let opened = call!(scene, context.listen_tcp("127.0.0.1:0", scene.member()));
    let taken =
        opened.as_ref().map_or_else(|_| Address::from(dead()), |port| port.address().clone());
    assert!(call!(scene, context.listen_tcp(&taken, scene.member())).is_err());
    assert!(call!(scene, context.listen_tcp("nowhere", scene.member())).is_err());
    assert!(call!(scene, context.listen_tcp_with(&taken, &options, scene.member())).is_err());
    let _ = call!(scene, context.connect_tcp(&taken, scene.member()));
    let _ = call!(scene, context.look_up(&taken));
    assert!(call!(scene, context.connect_tcp("nowhere", scene.member())).is_err());
    let options = ConnectOptions::new();
    let none: [SocketAddr; 0] = [];
    let outcome = call!(scene, context.connect_tcp_with(&none[..], &options, scene.member()));
    assert!(outcome.is_err());
    if let Ok(port) = opened {
        call!(scene, context.detach_listener(port.id()));
    }
}

fn unix(scene: &mut Scene, context: &mut Context) {
    let (listen, connect) = (UnixListenOptions::new(), UnixConnectOptions::new());
    let datagrams = DatagramOptions::new();
    let file = scene.folder.path("file");
    File::create(&file).unwrap();
    let free = scene.folder.path("free");
    let _ = call!(scene, context.listen_unix(&free, scene.member()));
    assert!(call!(scene, context.listen_unix(&file, scene.member())).is_err());
    assert!(call!(scene, context.listen_unix_with(&file, &listen, scene.member())).is_err());
    let _ = call!(scene, context.connect_unix(&file, scene.member()));
    let _ = call!(scene, context.connect_unix_with(&free, &connect, scene.member()));
    let free = scene.folder.path("free for datagrams");
    let _ = call!(scene, context.listen_unix_datagram(&free, scene.member()));
    let outcome =
        call!(scene, context.listen_unix_datagram_with(&file, &datagrams, scene.member()));
    assert!(outcome.is_err());
    let _ = call!(scene, context.connect_unix_datagram(&free, scene.member()));
    let outcome =
        call!(scene, context.connect_unix_datagram_with(&file, &datagrams, scene.member()));
    assert!(outcome.is_err());
    assert!(UnixAddress::from(&free).path().is_some());
}

fn datagrams(scene: &mut Scene, context: &mut Context) {
    let options = DatagramOptions::new();
    let opened = call!(scene, context.listen_udp("127.0.0.1:0", scene.member()));
    let id = opened.as_ref().map_or(scene.connection, |port| port.id());
    let taken = opened.map_or_else(|_| Address::from(dead()), |port| port.address().clone());
    assert!(call!(scene, context.listen_udp("nowhere", scene.member())).is_err());
    assert!(call!(scene, context.listen_udp_with(&taken, &options, scene.member())).is_err());
    let _ = call!(scene, context.connect_udp(&taken, scene.member()));
    let outcome = call!(scene, context.connect_udp_with("nowhere", &options, scene.member()));
    assert!(outcome.is_err());
    let _ = call!(scene, context.open_raw(Ipv4Addr::LOCALHOST, IpProtocol(253), scene.member()));
    let foreign = Ipv4Addr::new(192, 0, 2, 1);
    let raw = IpProtocol(253);
    assert!(call!(scene, context.open_raw_with(foreign, raw, &options, scene.member())).is_err());
    let _ = call!(scene, context.open_ping(Ipv4Addr::LOCALHOST, scene.member()));
    assert!(call!(scene, context.open_ping_with(foreign, &options, scene.member())).is_err());
    call!(scene, context.send(id, b"hello"));
    call!(scene, context.send_to(id, b"hello", &taken));
    call!(scene, context.send_to(id, b"hello", "nowhere"));
    let _ = call!(scene, context.connect(id, &taken));
    call!(scene, context.datagram_counts(id));
    let (group, source, interface) = (Ipv4Addr::new(239, 255, 77, 2), foreign, Ipv4Addr::LOCALHOST);
    let _ = call!(scene, context.join_group(id, group, interface));
    let _ = call!(scene, context.leave_group(id, group, interface));
    let _ = call!(scene, context.join_source(id, group, source, interface));
    let _ = call!(scene, context.leave_source(id, group, source, interface));
    let _ = call!(scene, context.set_multicast_ttl(id, 1));
    let _ = call!(scene, context.set_multicast_loopback(id, true));
    let _ = call!(scene, context.set_multicast_interface(id, interface));
    call!(scene, context.close(id));
}

fn adopting(scene: &mut Scene, context: &mut Context) {
    let options = DatagramOptions::new();
    let file = || File::open("/dev/null").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _ = call!(scene, context.adopt_connection(stream, scene.member()));
    assert!(call!(scene, context.adopt_connection(file(), scene.member())).is_err());
    let _ = call!(scene, context.adopt_listener(listener, scene.member()));
    assert!(call!(scene, context.adopt_listener(file(), scene.member())).is_err());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _ = call!(scene, context.adopt_datagram(socket, &options, scene.member()));
    assert!(call!(scene, context.adopt_datagram(file(), &options, scene.member())).is_err());
    let other = scene.other;
    let _ = call!(scene, context.detach(other));
    assert!(call!(scene, context.detach(other)).is_err());

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
    let _ = call!(scene, context.register_push_producer(id, scene.member()));
    let _ = call!(scene, context.register_push_producer(id, scene.member()));
    let _ = call!(scene, context.register_pull_producer(id, scene.member()));
    call!(scene, context.unregister_producer(id));
    call!(scene, context.write(id, b"hello"));
    let _ = call!(scene, context.send_descriptors(id, b"x", [File::open("/dev/null").unwrap()]));
    call!(scene, context.descriptors_waiting(id));
    call!(scene, context.pause(id));
    call!(scene, context.resume(id));
    call!(scene, context.is_paused(id));
    call!(scene, context.write_buffer_size(id));
    call!(scene, context.set_write_buffer_limits(id, 10, 5));
    call!(scene, context.set_write_limit(id, 1000));
    call!(scene, context.set_slow_reader(id, SlowReader::DropOldest(1000)));
    call!(scene, context.local_address(id));
    call!(scene, context.peer(id));
    call!(scene, context.peer_credentials(id));
    assert!(call!(scene, context.connections()).count() > 0);
    call!(scene, context.connection_counts(id));
    call!(scene, context.statistics());
    let _ = call!(scene, context.set_option(id, SocketOption::KeepAlive(None)));
    call!(scene, context.descriptor(id));
    call!(scene, context.write_eof(id));
    call!(scene, context.close_within(id, LATER));
    call!(scene, context.close(id));
    call!(scene, context.abort(id));
    call!(scene, context.is_closing(id));
    let _ = call!(scene, context.register_pull_producer(id, scene.member()));
}

/// All methods that users may call.
fn methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/context");
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
fn a_refcell_may_stay_borrowed_while_any_method_of_the_context_is_called() {
    let room = Room::default();
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _clients = [client(address), client(address)];
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    let (connection, other) = (log.ids()[0], log.ids()[1]);
    let folder = Folder::new();
    let (called, made) = (BTreeSet::new(), 0);
    let scene = Scene { room: Rc::clone(&room), connection, other, folder, called, made };
    let scene = Rc::new(RefCell::new(scene));
    let theirs = Rc::clone(&scene);
    reactor.context().call_later(Duration::ZERO, move |context| {
        let scene = &mut *theirs.borrow_mut();
        // Once as it is, and once when the reactor is stopping and refuses everything.
        for _ in 0..2 {
            let room = Rc::clone(&scene.room);
            let _borrowed = room.borrow_mut();
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
    assert!(methods().len() > 70, "the sources are read");
    assert_eq!(methods().difference(&called).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(*room.borrow(), scene.made, "all were dropped");
}
