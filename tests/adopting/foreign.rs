//! Sockets that no reactor has made.

use crate::support::{client, turn_until};
use ropewalk::{Id, Reactor};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Returns a listener of the standard library, and its address.
pub(crate) fn foreign_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Returns both ends of a connection.
pub(crate) fn foreign_connection() -> (TcpStream, TcpStream) {
    let (listener, address) = foreign_listener();
    let client = client(address);
    (listener.accept().unwrap().0, client)
}

/// Waits until a reactor has its only connection.
pub(crate) fn only_connection(reactor: &mut Reactor) -> Id {
    turn_until(reactor, "a connection", |reactor| reactor.context().connections().count() == 1);
    reactor.context().connections().next().unwrap()
}
