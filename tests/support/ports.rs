//! Ports that stay free, or taken, on a machine that is shared with others.

use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::sync::LazyLock;

/// An address that refuses every connection. The port is bound as long as this process lives, so that no other
/// process gets it; a server that sets SO_REUSEADDR may listen on it.
pub(crate) fn dead() -> SocketAddr {
    static BOUND: LazyLock<Socket> = LazyLock::new(reserved);
    address(&BOUND)
}

/// A port of the test's own, as long as the socket is there: bound, and open to a server that sets SO_REUSEADDR.
pub(crate) fn reserved() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket
}

pub(crate) fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().expect("its address").as_socket().expect("of IPv4")
}
