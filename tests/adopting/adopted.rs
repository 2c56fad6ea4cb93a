//! Listeners and connections that are adopted, or refused.

use crate::foreign::*;
use crate::support;
use crate::support::{
    Echo, Event, Log, Recorder, assert_client_is_echoed, client, echo, in_shutdown, is_refused,
    read_turning, turn_until, turns,
};
use ropewalk::Reactor;
use rustix::io::{FdFlags, fcntl_getfd};
use socket2::{Domain, SockRef, Socket, Type};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

#[test]
fn adopted_listener_serves_earlier_and_later_clients() {
    let (listener, address) = foreign_listener();
    let mut early = client(address);
    early.write_all(b"early").unwrap();

    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(listener, || Echo).unwrap();
    assert_eq!(port.address().socket_addr(), Some(address));
    assert_eq!(read_turning(&mut reactor, &early, 5), b"early");
    assert_client_is_echoed(&mut reactor, address);

    reactor.context().close(port.id());
    turns(&mut reactor, 1);
    is_refused(address);
}

#[test]
fn closing_adopted_listener_spares_its_other_descriptors() {
    let (listener, address) = foreign_listener();
    let ours = listener.try_clone().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.context().adopt_listener(ours, || Echo).unwrap();
    assert_client_is_echoed(&mut reactor, address);
    reactor.context().close(port.id());
    turns(&mut reactor, 1);

    let _client = client(address);
    listener.set_nonblocking(false).unwrap();
    listener.accept().expect("the client is in the queue");
}

#[test]
fn adopted_sockets_are_nonblocking_and_close_on_exec() {
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
    assert_client_is_echoed(&mut reactor, address);
}

#[test]
fn adopted_connection_receives_what_arrived_before() {
    let (connection, mut client) = foreign_connection();
    client.write_all(b"before").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let context = reactor.context();
    let id = context.adopt_connection(connection, Recorder::new(&log, echo)).unwrap();
    assert_eq!(context.transport(id).peer().socket_addr(), client.local_addr().ok());
    assert_eq!(log.made(), 0, "no callback runs within the call");
    context.transport(id).write(b"at once, ");

    assert_eq!(read_turning(&mut reactor, &client, 15), b"at once, before");
    drop(client);
    turn_until(&mut reactor, "the end", |_| log.lost() == 1);
    let data = Event::Data(b"before".to_vec());
    let lost = Event::Lost("ClosedByPeer".to_owned());
    assert_eq!(log.of(id), [Event::Made, data, Event::Eof, lost]);
}

/// Returns the reason why `socket` cannot be adopted as a listener.
fn no_listener(socket: impl Into<OwnedFd>) -> String {
    let error = Reactor::new().unwrap().context().adopt_listener(socket, || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.to_string()
}

/// Returns the reason why `socket` cannot be adopted as a connection.
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
fn other_sockets_are_refused_as_listeners() {
    let why = "cannot adopt a listener: the socket is not listening; call listen(2) first";
    assert_eq!(no_listener(only_bound()), why);
    assert_eq!(no_listener(foreign_connection().0), why);
    let why = "cannot adopt a listener: the socket is a datagram socket, not a stream socket";
    assert_eq!(no_listener(UdpSocket::bind("127.0.0.1:0").unwrap()), why);
    let why = "cannot adopt a listener: the descriptor is not a socket; use `Context::watch` for \
               other descriptors";
    assert_eq!(no_listener(File::open("/dev/null").unwrap()), why);
}

#[test]
fn other_sockets_are_refused_as_connections() {
    let why = "cannot adopt a connection: the socket is not connected";
    assert_eq!(no_connection(only_bound()), why);
    let (reset, client) = foreign_connection();
    support::reset(client);
    assert_eq!(no_connection(reset), why);
    let why = "cannot adopt a connection: the socket is listening; adopt it as a listener";
    assert_eq!(no_connection(foreign_listener().0), why);
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect("127.0.0.1:9").unwrap();
    let why = "cannot adopt a connection: the socket is a datagram socket, not a stream socket";
    assert_eq!(no_connection(connected), why);
    let why = "cannot adopt a connection: the descriptor is not a socket; use `Context::watch` for \
               other descriptors";
    assert_eq!(no_connection(File::open("/dev/null").unwrap()), why);
}

#[test]
fn refused_sockets_are_closed() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.context().adopt_listener(ours, || Echo).unwrap_err();
    assert_eq!((&theirs).read(&mut [0]).unwrap(), 0, "the refused end is closed");
}

#[test]
fn stopping_reactor_adopts_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let errors = in_shutdown(&mut reactor, |context| {
        let listener = context.adopt_listener(foreign_listener().0, || Echo).map(drop);
        let connection = context.adopt_connection(foreign_connection().0, Echo).map(drop);
        [listener, connection].map(|outcome| outcome.unwrap_err().to_string())
    });
    assert_eq!(errors[0], "cannot adopt a listener: the reactor is stopping");
    assert_eq!(errors[1], "cannot adopt a connection: the reactor is stopping");
}
