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

mod api;
mod reactor;
mod source;
mod sys;
mod values;

#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

pub use api::channel::Sender;
pub use api::context::Context;
pub use api::datagram_protocol::DatagramProtocol;
pub use api::datagram_transport::DatagramTransport;
pub use api::file_sender::FileSender;
pub use api::handle::{Handle, ReactorGone};
#[cfg(all(unix, feature = "systemd"))]
pub use api::inherited::InheritedSockets;
pub use api::listener::Port;
pub use api::producer::Producer;
pub use api::protocol::{Factory, Protocol};
pub use api::raw::IpProtocol;
pub use api::transport::Transport;
#[cfg(unix)]
pub use api::watch::Watcher;
pub use reactor::Reactor;
pub use reactor::group::{GroupHandle, GroupPort, Member, ReactorGroup};
#[cfg(unix)]
pub use source::detach::Detached;
pub use source::timer::TimerId;
pub use sys::backend;
#[cfg(unix)]
pub use sys::watch::Interest;
pub use values::address::Address;
#[cfg(unix)]
pub use values::credentials::Credentials;
pub use values::datagram_options::DatagramOptions;
pub use values::error::Error;
pub use values::id::Id;
pub use values::interface::Interface;
pub use values::options::{ConnectOptions, ListenOptions};
pub use values::reason::Reason;
pub use values::slow_reader::SlowReader;
pub use values::socket_option::{KeepAlive, SocketOption};
pub use values::statistics::DatagramCounts;
pub use values::statistics::{ConnectionCounts, Statistics};
pub use values::to_address::ToAddress;
pub use values::to_addresses::{LookUp, ToAddresses};
pub use values::unix_address::UnixAddress;
#[cfg(unix)]
pub use values::unix_options::{UnixConnectOptions, UnixListenOptions};

/// The README's code, compiled and run as the rest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
