//! Sockets that come from elsewhere, and connections and listeners that are let go.

#![cfg(unix)]

mod support;

#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::Ipv4RecvErr;
use ropewalk::{
    Address, DatagramOptions, DatagramProtocol, DatagramTransport, Detached, Error, Id,
    ListenOptions, Protocol, Reactor, SocketOption,
};
use rustix::io::{FdFlags, fcntl_getfd};
use socket2::{Domain, SockRef, Socket, Type};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;
use support::{
    Caller, Echo, Event, Failures, Log, MUCH, Recorder, a_small_client_is_answered, client,
    comes_to_rest, descriptors, echo, in_child, is_child, is_refused, only_record, pattern,
    peek_now, read_all_turning, read_turning, recorders, turn_until, turns, up,
};

/// A listener of the standard library's, and its address.
fn foreign_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A connection that no reactor has made, and its other end.
fn foreign_connection() -> (TcpStream, TcpStream) {
    let (listener, address) = foreign_listener();
    let client = client(address);
    (listener.accept().unwrap().0, client)
}

/// The only connection that a reactor has.
fn only_connection(reactor: &mut Reactor) -> Id {
    turn_until(reactor, "a connection", |reactor| reactor.context().connections().count() == 1);
    reactor.context().connections().next().unwrap()
}

#[test]
fn an_adopted_listener_serves_those_who_waited_before_and_those_who_come() {
    let (listener, address) = foreign_listener();
    let mut early = client(address);
    early.write_all(b"early").unwrap();

    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(listener, || Echo).unwrap();
    assert_eq!(port.address().socket_addr(), Some(address));
    assert_eq!(read_turning(&mut reactor, &early, 5), b"early");
    a_small_client_is_answered(&mut reactor, address);

    reactor.context().close(port.id());
    turns(&mut reactor, 1);
    is_refused(address);
}

#[test]
fn whoever_shares_an_adopted_listener_goes_on_when_ours_is_closed() {
    let (listener, address) = foreign_listener();
    let ours = listener.try_clone().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(ours, || Echo).unwrap();
    a_small_client_is_answered(&mut reactor, address);
    reactor.context().close(port.id());
    turns(&mut reactor, 1);

    let _client = client(address);
    listener.set_nonblocking(false).unwrap();
    listener.accept().expect("the client waits here");
}

#[test]
fn what_is_adopted_neither_blocks_nor_is_inherited() {
    let (listener, address) = foreign_listener();
    let (connection, _peer) = foreign_connection();
    for socket in [SockRef::from(&listener), SockRef::from(&connection)] {
        socket.set_nonblocking(false).unwrap();
        socket.set_cloexec(false).unwrap();
    }
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(listener, || Echo).unwrap();
    let connection = reactor.context().adopt_connection(connection, Echo).unwrap();
    for id in [port.id(), connection] {
        let descriptor = reactor.context().descriptor(id).unwrap();
        assert!(SockRef::from(&descriptor).nonblocking().unwrap(), "{id}");
        assert!(fcntl_getfd(descriptor).unwrap().contains(FdFlags::CLOEXEC), "{id}");
    }
    a_small_client_is_answered(&mut reactor, address);
}

#[test]
fn an_adopted_connection_is_made_first_then_hears_what_waited_and_is_lost_last() {
    let (connection, mut client) = foreign_connection();
    client.write_all(b"before").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let context = reactor.context();
    let id = context.adopt_connection(connection, Recorder::new(&log, echo)).unwrap();
    assert_eq!(context.peer(id).unwrap().socket_addr(), client.local_addr().ok());
    assert_eq!(log.made(), 0, "no callback runs inside this one");
    context.write(id, b"at once, ");

    assert_eq!(read_turning(&mut reactor, &client, 15), b"at once, before");
    drop(client);
    turn_until(&mut reactor, "the end", |_| log.lost() == 1);
    let data = Event::Data(b"before".to_vec());
    let lost = Event::Lost("ClosedByPeer".to_owned());
    assert_eq!(log.of(id), [Event::Made, data, Event::Eof, lost]);
}

/// Why something is no listener that could be adopted.
fn no_listener(socket: impl Into<OwnedFd>) -> String {
    let error = Reactor::new().unwrap().context().adopt_listener(socket, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.to_string()
}

/// Why something is no connection that could be adopted.
fn no_connection(socket: impl Into<OwnedFd>) -> String {
    let error = Reactor::new().unwrap().context().adopt_connection(socket, Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.to_string()
}

fn only_bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket
}

#[test]
fn what_is_no_listener_is_refused_and_told_what_it_is() {
    let why = "cannot adopt a listener: the socket does not listen; call listen(2) first";
    assert_eq!(no_listener(only_bound()), why);
    assert_eq!(no_listener(foreign_connection().0), why);
    let why = "cannot adopt a listener: the socket is for datagrams, not a stream";
    assert_eq!(no_listener(UdpSocket::bind("127.0.0.1:0").unwrap()), why);
    let why = "cannot adopt a listener: the descriptor is not a socket; `Context::watch` watches \
               any other";
    assert_eq!(no_listener(File::open("/dev/null").unwrap()), why);
}

#[test]
fn what_is_no_connection_is_refused_and_told_what_it_is() {
    let why = "cannot adopt a connection: the socket is not connected, or not any more";
    assert_eq!(no_connection(only_bound()), why);
    let (reset, client) = foreign_connection();
    support::reset(client);
    assert_eq!(no_connection(reset), why);
    let why = "cannot adopt a connection: the socket listens; adopt it as a listener";
    assert_eq!(no_connection(foreign_listener().0), why);
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect("127.0.0.1:9").unwrap();
    let why = "cannot adopt a connection: the socket is for datagrams, not a stream";
    assert_eq!(no_connection(connected), why);
    let why = "cannot adopt a connection: the descriptor is not a socket; `Context::watch` \
               watches any other";
    assert_eq!(no_connection(File::open("/dev/null").unwrap()), why);
}

#[test]
fn what_is_refused_is_closed() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.context().adopt_listener(ours, || Echo).unwrap_err();
    assert_eq!((&theirs).read(&mut [0]).unwrap(), 0, "the end, since nobody holds the other side");
}

#[test]
fn a_reactor_that_stops_adopts_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let context = reactor.context();
    context.stop();
    let error = context.adopt_listener(foreign_listener().0, || Echo).unwrap_err();
    assert_eq!(error.to_string(), "cannot adopt a listener: the reactor is stopping");
    let error = context.adopt_connection(foreign_connection().0, Echo).unwrap_err();
    assert_eq!(error.to_string(), "cannot adopt a connection: the reactor is stopping");
}

/// Moves a connection to another reactor as one is to do it. Its new id, and how much was unsent.
fn hand_over(from: &mut Reactor, id: Id, to: &mut Reactor, protocol: impl Protocol) -> (Id, usize) {
    let Detached { socket, unsent, write_eof, .. } = from.context().detach(id).unwrap();
    let context = to.context();
    let id = context.adopt_connection(socket, protocol).unwrap();
    context.write(id, &unsent);
    if write_eof {
        context.write_eof(id);
    }
    (id, unsent.len())
}

#[test]
fn a_connection_that_changes_hands_under_load_loses_no_byte_and_doubles_none() {
    let (log, sent) = (Log::default(), pattern(MUCH));
    let (mut first, mut second) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    // A small one, so that what the client does not read waits with us, to be handed over.
    let options = ListenOptions::new().option(SocketOption::SendBuffer(32 * 1024));
    let factory = recorders(&log, echo);
    let port = first.context().listen_tcp_with("127.0.0.1:0", &options, factory).unwrap();
    let stream = client(port.address().socket_addr().unwrap());
    let mut id = only_connection(&mut first);

    let (mut written, mut got, mut hops, mut loaded) = (0, Vec::new(), 0, 0);
    let mut buffer = vec![0; 64 * 1024];
    stream.set_nonblocking(true).unwrap();
    while got.len() < sent.len() {
        // It writes as much as the socket takes, and reads a quarter of what it might: so the echo
        // has something unsent most of the time.
        if let Ok(count) = (&stream).write(&sent[written..]) {
            written += count;
        }
        let reactor = if hops % 2 == 0 { &mut first } else { &mut second };
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
        if let Ok(count) = (&stream).read(&mut buffer[..16 * 1024]) {
            assert_ne!(count, 0, "the end after {} bytes", got.len());
            got.extend_from_slice(&buffer[..count]);
        }
        if got.len() / 100_000 > hops {
            let recorder = Recorder::new(&log, echo);
            let unsent;
            (id, unsent) = match hops % 2 {
                0 => hand_over(&mut first, id, &mut second, recorder),
                _ => hand_over(&mut second, id, &mut first, recorder),
            };
            hops += 1;
            loaded += usize::from(unsent > 0);
        }
    }
    assert!(got == sent, "the bytes are not those that were sent");
    assert!(hops >= 50 && loaded >= 40, "{loaded} of {hops} hops had something unsent");
    drop(stream);
    for reactor in [&mut first, &mut second] {
        turns(reactor, 3);
    }
    assert_eq!(log.made(), hops + 1);
    assert_eq!(log.reasons().iter().filter(|reason| *reason == "Detached").count(), hops);
}

/// Takes a connection over, with what was to be sent on it, and goes on: another process, and one that
/// somebody else has written.
const PYTHON_GOES_ON: &str = "
import socket, sys
giver = socket.socket(fileno=int(sys.stdin.fileno()))
unsent, descriptors, flags, _ = socket.recv_fds(giver, 65536, 1)
client = socket.socket(fileno=descriptors[0])
client.settimeout(10)
while piece := giver.recv(65536):
    unsent += piece
client.sendall(unsent)
while question := client.recv(100):
    client.sendall(question.upper())
";

#[test]
fn a_connection_goes_to_another_process_and_its_client_does_not_notice() {
    let options = ListenOptions::new().option(SocketOption::SendBuffer(32 * 1024));
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().listen_tcp_with("127.0.0.1:0", &options, || Echo).unwrap();
    let mut client = client(port.address().socket_addr().unwrap());
    let id = only_connection(&mut reactor);
    reactor.context().write(id, &pattern(MUCH));
    turns(&mut reactor, 2);
    // Nobody here reads this any more.
    client.write_all(b"a question").unwrap();
    let Detached { socket, unsent, .. } = reactor.context().detach(id).unwrap();
    assert!(!unsent.is_empty() && unsent.len() < MUCH, "{} are unsent", unsent.len());

    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON_GOES_ON]).stdin(OwnedFd::from(theirs));
    let Ok(mut python) = python.spawn() else {
        return println!("skipped: there is no python3 here");
    };
    let courier = reactor.context().adopt_connection(ours, Echo).unwrap();
    reactor.context().send_descriptors(courier, &unsent, [socket]).unwrap();
    reactor.context().close(courier);
    let gone = |reactor: &mut Reactor| reactor.context().peer(courier).is_none();
    turn_until(&mut reactor, "all was passed", gone);
    drop(reactor);

    let mut got = vec![0; MUCH];
    client.read_exact(&mut got).unwrap();
    assert!(got == pattern(MUCH));
    let mut answer = [0; 10];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"A QUESTION");
    drop(client);
    assert!(python.wait().unwrap().success());
}

#[test]
fn what_was_written_before_a_hand_over_comes_before_what_is_written_after_it() {
    let (mut first, address) = up(|| Echo);
    let mut second = Reactor::new().unwrap();
    let client = client(address);
    let id = only_connection(&mut first);
    // More than the system takes, so that some of it is ours to hand over.
    first.context().write(id, &pattern(MUCH));
    first.context().write_eof(id);
    turns(&mut first, 2);
    let detached = first.context().detach(id).unwrap();
    let waiting = detached.unsent.len();
    assert!(waiting > 0 && waiting < MUCH, "{waiting} bytes are unsent");
    assert!(detached.write_eof);
    assert_eq!(Some(detached.peer.socket_addr().unwrap()), client.local_addr().ok());

    let log = Log::default();
    let context = second.context();
    let socket = detached.socket;
    let id = context.adopt_connection(socket, Recorder::new(&log, only_record)).unwrap();
    context.write(id, &detached.unsent);
    context.write(id, b"the end");
    context.write_eof(id);
    let got = read_all_turning(&mut second, &client).unwrap();
    assert!(got[..MUCH] == pattern(MUCH) && &got[MUCH..] == b"the end");
}

#[test]
fn one_that_lets_itself_go_hears_of_it_last_and_once_and_what_it_wrote_is_in_the_parcel() {
    let parcel: Rc<RefCell<Option<Detached>>> = Rc::default();
    let (log, kept) = (Log::default(), Rc::clone(&parcel));
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        let peer = transport.peer();
        if matches!(event, Event::Data(_)) {
            transport.write(b"hel");
            let detached = transport.detach().unwrap();
            assert_eq!(transport.peer(), peer, "it is still known");
            assert!(transport.is_closing());
            transport.write(b"dropped");
            transport.detach().unwrap_err();
            transport.close();
            transport.abort();
            *kept.borrow_mut() = Some(detached);
        }
    }));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "it to be told", |_| log.lost() == 1);
    client.write_all(b"for another").unwrap();
    turns(&mut reactor, 3);
    let id = log.ids()[0];
    let events = [Event::Made, Event::Data(b"go".to_vec()), Event::Lost("Detached".to_owned())];
    assert_eq!(log.of(id), events);
    assert_eq!(reactor.context().peer(id), None, "the slot is free");

    let Detached { socket, unsent, .. } = parcel.borrow_mut().take().unwrap();
    assert_eq!(unsent, b"hel");
    let context = reactor.context();
    let id = context.adopt_connection(socket, Echo).unwrap();
    context.write(id, &unsent);
    context.write(id, b"lo ");
    assert_eq!(read_turning(&mut reactor, &client, 17), b"hello for another");
}

#[test]
fn one_that_was_let_go_is_held_by_nobody_here() {
    let (mut reactor, address) = up(|| Echo);
    let client = client(address);
    let id = only_connection(&mut reactor);
    let detached = reactor.context().detach(id).unwrap();
    assert!(peek_now(&client, &mut [0]).is_none(), "it is open");
    drop(detached);
    assert!(matches!(peek_now(&client, &mut [0]), Some(Ok(0))), "it was the only descriptor");
}

#[test]
fn to_let_go_of_many_takes_no_descriptors() {
    const NAME: &str = "to_let_go_of_many_takes_no_descriptors";
    if !is_child() {
        return drop(in_child(NAME, &[]));
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let clients = [0; 50].map(|_| client(address));
    turn_until(&mut reactor, "all of them", |_| log.made() == clients.len());
    let before = descriptors();
    let mut all: Vec<Detached> = Vec::new();
    for id in log.ids() {
        all.push(reactor.context().detach(id).unwrap());
        assert_eq!(descriptors(), before);
    }
    turns(&mut reactor, 1);
    assert_eq!((descriptors(), log.lost()), (before, all.len()));
}

#[test]
fn who_is_closing_gone_or_not_there_yet_is_not_let_go_and_nothing_happens_to_it() {
    let (mut reactor, address) = up(|| Echo);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let connector = reactor.connect_tcp(address, caller).unwrap();
    let refused = |reactor: &mut Reactor, id: Id| -> Error {
        let error = reactor.context().detach(id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(error.to_string().starts_with(&format!("cannot detach {id}: ")), "{error}");
        error
    };
    refused(&mut reactor, connector);
    turn_until(&mut reactor, "the connection", |_| log.made() == 1);

    let port = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    refused(&mut reactor, port.id());
    assert!(reactor.context().detach_listener(connector).is_none());
    assert!(reactor.context().local_address(port.id()).is_some());

    reactor.context().write(connector, &pattern(MUCH));
    reactor.context().close(connector);
    let error = refused(&mut reactor, connector);
    assert!(error.to_string().ends_with("the connection is closing"), "{error}");
    turn_until(&mut reactor, "its end", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"], "all of it was sent");
    refused(&mut reactor, connector);
}

#[test]
fn a_listener_that_is_let_go_takes_its_waiting_clients_along_and_its_factory_is_dropped() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped: Rc<Cell<bool>> = Rc::default();
    let token = Dropped(Rc::clone(&dropped));
    let (mut first, mut second) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    let factory = move || {
        let _ = &token;
        Echo
    };
    let port = first.listen_tcp("127.0.0.1:0", factory).unwrap();
    let address = port.address().socket_addr().unwrap();
    let old = client(address);
    only_connection(&mut first);

    let mut waiting = client(address);
    waiting.write_all(b"hello").unwrap();
    let socket = first.context().detach_listener(port.id()).unwrap();
    assert!(first.context().detach_listener(port.id()).is_none(), "it is gone");
    turns(&mut first, 2);
    assert!(dropped.get());
    assert_eq!(first.context().connections().count(), 1, "its connections stay");

    let mut later = client(address);
    later.write_all(b"later").unwrap();
    second.context().adopt_listener(socket, || Echo).unwrap();
    assert_eq!(read_turning(&mut second, &waiting, 5), b"hello");
    assert_eq!(read_turning(&mut second, &later, 5), b"later");
    (&old).write_all(b"still").unwrap();
    assert_eq!(read_turning(&mut first, &old, 5), b"still");
}

#[test]
fn a_connection_that_the_protocol_has_not_met_yet_may_go_on_to_the_next() {
    let (connection, client) = foreign_connection();
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let context = reactor.context();
    let id = context.adopt_connection(connection, Recorder::new(&log, only_record)).unwrap();
    let detached = context.detach(id).unwrap();
    turns(&mut reactor, 2);
    assert_eq!(log.of(id), [Event::Made, Event::Lost("Detached".to_owned())]);
    (&client).write_all(b"x").unwrap();
    let stream = TcpStream::from(detached.socket);
    stream.set_nonblocking(false).unwrap();
    assert_eq!((&stream).read(&mut [0; 8]).unwrap(), 1);
}

/// Stopped when there is nobody to produce for any more.
struct Stopped(Rc<Cell<u32>>);

impl ropewalk::Producer for Stopped {
    fn resume_producing(&mut self, _transport: &mut ropewalk::Transport<'_>) {}

    fn stop_producing(&mut self, _context: &mut ropewalk::Context) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn the_producer_of_one_that_was_let_go_is_stopped() {
    let (mut reactor, address) = up(|| Echo);
    let _client = client(address);
    let id = only_connection(&mut reactor);
    let stopped = Rc::new(Cell::new(0));
    let producer = Stopped(Rc::clone(&stopped));
    reactor.context().register_push_producer(id, producer).unwrap();
    turns(&mut reactor, 1);
    drop(reactor.context().detach(id).unwrap());
    turns(&mut reactor, 2);
    assert_eq!(stopped.get(), 1);
}

/// Sends back what it gets, in capitals.
struct Capitals;

impl DatagramProtocol for Capitals {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        match transport.peer() {
            Some(_) => transport.send(&data.to_ascii_uppercase()),
            None => transport.send_to(&data.to_ascii_uppercase(), sender),
        }
    }
}

#[test]
fn a_socket_for_datagrams_is_adopted_connected_or_not_with_what_waits_in_it() {
    let options = DatagramOptions::new();
    for connected in [false, true] {
        let (theirs, ours) = (udp(), udp());
        if connected {
            ours.connect(theirs.local_addr().unwrap()).unwrap();
        }
        theirs.send_to(b"early", ours.local_addr().unwrap()).unwrap();
        let mut reactor = Reactor::new().unwrap();
        let address = ours.local_addr().unwrap();
        let port = reactor.context().adopt_datagram(ours, &options, Capitals).unwrap();
        assert_eq!(port.address().socket_addr(), Some(address));
        assert_eq!(reactor.context().peer(port.id()).is_some(), connected);
        let mut buffer = [0; 10];
        theirs.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "an answer", |_| theirs.recv(&mut buffer).is_ok());
        assert_eq!(buffer[..5], *b"EARLY");
    }
}

/// With IP_RECVERR the system queues each error, in the room that is for datagrams (ip(7)).
#[cfg(target_os = "linux")]
#[test]
fn a_socket_whose_errors_were_queued_neither_spins_nor_goes_deaf() {
    let (theirs, ours) = (udp(), udp());
    SockRef::from(&ours).set_recv_buffer_size(4096).unwrap();
    nix::sys::socket::setsockopt(&ours, Ipv4RecvErr, &true).unwrap();
    let dead = udp().local_addr().unwrap();
    ours.send_to(b"anybody?", dead).unwrap();
    let address = ours.local_addr().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let options = DatagramOptions::new();
    let id = reactor.context().adopt_datagram(ours, &options, Capitals).unwrap().id();
    theirs.set_nonblocking(true).unwrap();
    let expect = |reactor: &mut Reactor, data: &[u8]| {
        let (mut buffer, mut length) = ([0; 20], 0);
        turn_until(reactor, "a datagram", |_| {
            length = theirs.recv(&mut buffer).unwrap_or(0);
            length > 0
        });
        assert_eq!(buffer[..length], *data);
    };
    reactor.context().send_to(id, b"you?", theirs.local_addr().unwrap());
    expect(&mut reactor, b"you?");
    for _ in 0..100 {
        reactor.context().send_to(id, b"anybody?", dead);
        turns(&mut reactor, 1);
    }
    assert!(comes_to_rest(&mut reactor));
    theirs.send_to(b"still there?", address).unwrap();
    expect(&mut reactor, b"STILL THERE?");
}

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn what_is_not_for_datagrams_is_refused_and_told_what_it_is() {
    let mut reactor = Reactor::new().unwrap();
    let mut no_datagrams = |socket: OwnedFd| {
        let options = DatagramOptions::new();
        let adopted = reactor.context().adopt_datagram(socket, &options, Capitals);
        adopted.unwrap_err().to_string()
    };
    assert_eq!(
        no_datagrams(foreign_listener().0.into()),
        "cannot adopt a socket for datagrams: the socket is a stream, not for datagrams"
    );
    assert!(no_datagrams(File::open("Cargo.toml").unwrap().into()).contains("not a socket"));
}

#[test]
fn a_producer_of_one_that_is_let_go_in_the_same_callback_is_stopped() {
    struct Stopped(Rc<Cell<u32>>);
    impl ropewalk::Producer for Stopped {
        fn resume_producing(&mut self, _transport: &mut ropewalk::Transport<'_>) {}
        fn stop_producing(&mut self, _context: &mut ropewalk::Context) {
            self.0.set(self.0.get() + 1);
        }
    }
    let (log, stopped) = (Log::default(), Rc::new(Cell::new(0)));
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let context = reactor.context();
    context.register_push_producer(id, Stopped(Rc::clone(&stopped))).unwrap();
    let _detached = context.detach(id).unwrap();
    turn_until(&mut reactor, "told", |_| log.lost() == 1);
    assert_eq!((stopped.get(), log.reasons()), (1, vec!["Detached".to_owned()]));
}
