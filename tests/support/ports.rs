//! Ports that stay free or taken, although other processes use ports too.

use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::sync::LazyLock;

/// Returns an address that refuses connections. The port is bound until this process ends, so that no other
/// process takes it. A server that sets SO_REUSEADDR may listen on it.
pub(crate) fn dead() -> SocketAddr {
    static BOUND: LazyLock<Socket> = LazyLock::new(reserved);
    address(&BOUND)
}

/// Reserves a port until the socket is dropped. A server that sets SO_REUSEADDR may listen on it.
pub(crate) fn reserved() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket
}

pub(crate) fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().expect("its address").as_socket().expect("of IPv4")
}
