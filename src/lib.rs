//! Event-driven networking with callback objects: Twisted's protocols and factories, in Rust, on a
//! reactor small enough to read.
//!
//! You write a [`Protocol`]: an object with a method for each thing that can happen to a connection.
//! A [`Factory`] makes one for each connection. The [`Reactor`] owns the sockets and calls.
//!
//! ```
//! use ropewalk::{Error, Protocol, Reactor, Transport};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let mut reactor = Reactor::new()?;
//!     let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
//!     println!("listening on {}", port.address());
//! #   reactor.context().stop();
//!     reactor.run()
//! }
//! ```
//!
//! # Where to find what
//!
//! | You want to | see |
//! |---|---|
//! | learn it from the beginning | the [`guide`] |
//! | say what happens to a connection | [`Protocol`] |
//! | write, close, pause in a callback | [`Transport`] |
//! | reach other connections, set timers, listen and connect in a callback | [`Context`] |
//! | connect within this machine | [`Context::listen_unix`], [`Context::connect_unix`] |
//! | pass open files and sockets to another process | [`Transport::send_descriptors`] |
//! | send and receive datagrams | [`DatagramProtocol`], [`DatagramTransport`] |
//! | send a file, or whatever is made piece by piece | [`FileSender`], [`Producer`] |
//! | say what becomes of those who read too slowly | [`SlowReader`] |
//! | set options of sockets | [`SocketOption`] |
//! | take over sockets from elsewhere, let connections go | [`Context::adopt_listener`], [`Context::detach`] |
//! | watch any other descriptor | [`Context::watch`], [`Watcher`] |
//! | count what happens | [`Context::statistics`], [`Transport::counts`] |
//! | refuse clients, hear of failed attempts to connect | [`Factory`] |
//! | run it all | [`Reactor`] |
//! | use more than one processor | [`ReactorGroup`] |
//! | have a thread answer | [`Handle`], [`Sender`] |
//! | know why a connection ended | [`Reason`] |
//! | test a protocol | [step 6](guide#6-time-and-a-test) of the guide |
//!
//! Lines, and other things that many protocols need, are in the crate `ropewalk-protocols`; a chat server is in
//! `ropewalk-chat`; a testing kit is in `ropewalk-simulation`.
//!
//! # Logging
//!
//! The reactor logs through the [`log`] crate, under one target for each subsystem; they are stable.
//! To see it, have a program set a logger up, such as env_logger, and run it with
//! `RUST_LOG=ropewalk=info`.
//!
//! | target | of |
//! |---|---|
//! | `ropewalk::reactor` | turns, stops, panics in callbacks, slow callbacks |
//! | `ropewalk::tcp` | listeners, connections, each system call on them |
//! | `ropewalk::datagram` | datagram sockets, each system call on them |
//! | `ropewalk::timer` | timers |
//! | `ropewalk::handle` | calls from other threads |
//! | `ropewalk::signal` | signals |
//!
//! | level | means |
//! |---|---|
//! | error | a bug: ours, or a panic in a callback |
//! | warn | trouble that was survived: descriptors have run out, a callback was slow |
//! | info | listening, connected, lost (with the reason, the bytes and the time), stopping |
//! | debug | what leads there: closing, the end of one side, a refused client |
//! | trace | each readiness event, each read |
//!
//! # Features
//!
//! - `signals` (on unless turned off; Unix): `Reactor::stop_on_signals`, by the crates signal-hook
//!   and signal-hook-mio.
//! - `systemd` (Unix): `InheritedSockets`, by the crate sd-listen-fds.
//!
//! # Platforms
//!
//! Linux is where it runs and is tested. What is Unix-only stands behind `cfg(unix)`; other systems
//! that mio knows may work and have not been tried.

mod address;
mod blocks;
mod channel;
mod connector;
mod context;
#[cfg(unix)]
mod credentials;
mod datagram;
mod datagram_options;
mod datagram_protocol;
mod datagram_transport;
#[cfg(unix)]
mod descriptors;
mod detached;
mod dispatch;
mod error;
mod file_sender;
mod group;
pub mod guide;
mod handle;
mod id;
#[cfg(all(unix, feature = "systemd"))]
mod inherited;
mod interface;
mod lingering;
mod listener;
mod logging;
mod options;
mod outbox;
mod producer;
mod protocol;
mod reactor;
mod reason;
mod retention;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod slow_reader;
mod socket_option;
mod sources;
mod statistics;
mod stream;
mod timer;
mod to_address;
mod to_addresses;
mod transport;
mod unix_address;
#[cfg(unix)]
mod unix_options;
#[cfg(unix)]
mod watch;
#[cfg(unix)]
mod watcher;
mod world;
mod zone;

pub use address::Address;
pub use channel::Sender;
pub use context::{Context, IpProtocol, Port};
#[cfg(unix)]
pub use credentials::Credentials;
pub use datagram::DatagramCounts;
pub use datagram_options::DatagramOptions;
pub use datagram_protocol::DatagramProtocol;
pub use datagram_transport::DatagramTransport;
#[cfg(unix)]
pub use detached::Detached;
pub use error::Error;
pub use file_sender::FileSender;
pub use group::{GroupHandle, GroupPort, Member, ReactorGroup};
pub use handle::{Handle, ReactorGone};
pub use id::Id;
#[cfg(all(unix, feature = "systemd"))]
pub use inherited::InheritedSockets;
pub use interface::Interface;
pub use options::{ConnectOptions, ListenOptions};
pub use producer::Producer;
pub use protocol::{Factory, Protocol};
pub use reactor::Reactor;
pub use reason::Reason;
pub use slow_reader::SlowReader;
pub use socket_option::{KeepAlive, SocketOption};
pub use statistics::{ConnectionCounts, Statistics};
pub use timer::TimerId;
pub use to_address::ToAddress;
pub use to_addresses::{LookUp, ToAddresses};
pub use transport::Transport;
pub use unix_address::UnixAddress;
#[cfg(unix)]
pub use unix_options::{UnixConnectOptions, UnixListenOptions};
#[cfg(unix)]
pub use watch::Interest;
#[cfg(unix)]
pub use watcher::Watcher;
pub use world::backend;

/// The README's code, compiled and run as the rest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
