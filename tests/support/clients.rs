//! Blocking clients of the standard library, and their data.

use super::PATIENCE;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Connects a client with blocking reads and writes, and a timeout.
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("a listener");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_nodelay(true).expect("no delay");
    // A fixed size, because the system would otherwise enlarge the buffer for a writer.
    let socket = socket2::SockRef::from(&client);
    socket.set_recv_buffer_size(256 * 1024).expect("a buffer");
    client
}

/// Closes a client with a reset.
pub(crate) fn reset(client: TcpStream) {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(client);
}

/// Reads to the end. A reset or a timeout fails the test.
pub(crate) fn read_all(mut client: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    client.read_to_end(&mut all).expect("the end of the stream");
    all
}

/// Reads without blocking. Returns `None` if it would block.
pub(crate) fn peek_now(client: &TcpStream, buffer: &mut [u8]) -> Option<std::io::Result<usize>> {
    client.set_nonblocking(true).expect("nonblocking");
    let result = (&mut &*client).read(buffer);
    client.set_nonblocking(false).expect("blocking");
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        result => Some(result),
    }
}

/// More bytes than the system takes for a peer that does not read: tcp(7), tcp_wmem is 4 MiB.
pub(crate) const MUCH: usize = 6_000_000;
