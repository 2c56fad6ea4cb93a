//! A testing kit for protocols, without sockets, threads or sleeping.
//!
//! It corresponds to Twisted's `StringTransport` and `Clock`, and to Netty's `EmbeddedChannel`. Protocols run
//! unchanged, in a [world](crate::World) without latency. Only the test moves its clock. The first test takes
//! five lines:
//!
//! ```
//! use ropewalk_protocols::Echo;
//! use ropewalk_simulation::kit::TestConnection;
//!
//! let mut connection = TestConnection::new(|| Echo);
//! connection.feed(b"hello");
//! assert_eq!(connection.take_text(), "hello");
//! connection.feed_eof();
//! assert!(matches!(connection.reason(), Some(ropewalk::Reason::ClosedByPeer)));
//! ```
//!
//! | To | see |
//! |---|---|
//! | act as the peer of one protocol: send, read, reset, stop reading | [`TestConnection`] |
//! | advance the clock | [`TestConnection::advance`], [`TestServer::advance`], [`TestPair::advance`] |
//! | let a client connect again, or refuse it | [`TestConnection::accept`], [`TestConnection::stop_listening`] |
//! | use several clients of one factory, such as a chat | [`TestServer`] |
//! | connect a client with a server, and read their transcript | [`TestPair`] |
//! | check that the chunks of the input do not matter | [`assert_same_for_every_split`], [`Split`] |
//! | add nodes, latency, faults | [`with_world`](TestConnection::with_world), [`World`](crate::World) |
//!
//! # When a call returns
//!
//! Each call of the kit returns when no event is left at the current time: data sent by the test has been
//! received, data written by the protocol has arrived, and the reactor waits. Later events need `advance`.
//!
//! # A panic fails the test
//!
//! The reactor catches panics of callbacks, so that a panic ends only its connection. The kit raises the panic
//! again, with its message, from the call during which it happened. So protocols may contain assertions. A test
//! that examines the consequences of a panic catches it ([`std::panic::catch_unwind`]) and continues:
//! [`reason`](TestConnection::reason) is then [`Panicked`](ropewalk::Reason::Panicked). A panic of a timer, of a
//! call, or of a drop fails the test as well, also after the reactor has stopped, and at the end of the test, when
//! the protocol is dropped.
//!
//! A protocol that never becomes idle, such as one with a self-rescheduling zero timer, also fails the test: the
//! kit panics after 100,000 events without a movement of the clock.

mod connection;
mod harness;
mod observing;
mod pair;
mod reconnecting;
mod recording;
mod server;
mod split;
mod test_end;
mod toy_cipher;

use std::io;
use std::net::SocketAddr;

pub use connection::TestConnection;
pub use pair::{Side, TestPair, Transcript, TranscriptEntry};
pub use server::TestServer;
pub use split::{Split, assert_same_for_every_split, splits};
pub use toy_cipher::ToyCipher;

/// Refuses names of interfaces, which a simulated node does not have.
fn no_interfaces(name: &str, _port: &str) -> io::Result<Vec<SocketAddr>> {
    let text = format!("a simulated node has no interface for {name}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
