//! A testing kit: one protocol, or a client and a server, without sockets, threads or sleeping.
//!
//! What Twisted's `StringTransport` and `Clock` are for, and Netty's `EmbeddedChannel`. The protocols run
//! unchanged, in a [world](crate::World) in which nothing takes time: the clock stands still until the
//! test moves it. The first test takes five lines:
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
//! | You want to | see |
//! |---|---|
//! | play the peer of one protocol: say things, hear what it says, reset, read no more | [`TestConnection`] |
//! | let time pass | [`TestConnection::advance`], [`TestServer::advance`], [`TestPair::advance`] |
//! | have a client connect again, or refuse it | [`TestConnection::accept`], [`TestConnection::stop_listening`] |
//! | have several clients of one factory, as of a chat | [`TestServer`] |
//! | let a client and a server talk, and read what they said | [`TestPair`] |
//! | know that it does not matter in which pieces the input comes | [`assert_same_for_every_split`], [`Split`] |
//! | more: other nodes, latency, faults | [`with_world`](TestConnection::with_world), [`World`](crate::World) |
//!
//! # A test sees what has happened
//!
//! Each call of the kit returns when nothing is left to be done at this moment: what was fed has been
//! received, what was written has come, the reactor waits. What is due later waits for `advance`.
//!
//! # A panic fails the test
//!
//! The reactor catches panics of callbacks, so that one costs no more than its connection. Here it goes on
//! into the test, with what it says, from the call of the kit in which it happened. So a protocol may
//! hold assertions. One who wants to see what else becomes of a panic catches it
//! ([`std::panic::catch_unwind`]) and goes on: [`reason`](TestConnection::reason) is
//! [`Panicked`](ropewalk::Reason::Panicked) then. A panic of a timer, of a call, or of a drop fails the test as
//! well, also after the reactor has stopped, and at the end of the test, when what is under test is dropped.
//!
//! So does one who never comes to rest, as by a timer of no time that sets itself anew: when 100,000 things
//! have happened without the clock having moved, the kit panics.

mod connection;
mod harness;
mod observing;
mod pair;
mod reconnecting;
mod recording;
mod server;
mod split;
mod test_end;

use std::io;
use std::net::SocketAddr;

pub use connection::TestConnection;
pub use pair::{Side, TestPair, Transcript, TranscriptEntry};
pub use server::TestServer;
pub use split::{Split, assert_same_for_every_split, splits};

/// A simulated node has no interfaces with names.
fn no_interfaces(name: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
    let text = format!("a simulated node has no interface for {name}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
