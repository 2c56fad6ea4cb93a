//! Event-driven networking with callback objects: Twisted's protocols and factories, in Rust, on a
//! reactor small enough to read.
//!
//! You write a [`Protocol`]: an object with a method for each event of a connection.
//! A [`Factory`] makes one for each connection. The [`Reactor`] owns the sockets and calls the protocols.
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
//! | handle the events of a connection | [`Protocol`] |
//! | write, close, pause in a callback | [`Transport`] |
//! | use other connections, set timers, listen and connect in a callback | [`Context`], [`Context::transport`] |
//! | listen and connect with other options than the defaults | [`ListenOptions`], [`ConnectOptions`], [`DatagramOptions`] |
//! | connect within this machine | [`Context::listen_unix`], [`Context::connect_unix`] |
//! | pass open files and sockets to another process | [`Transport::send_descriptors`] |
//! | send and receive datagrams | [`DatagramProtocol`], [`DatagramTransport`] |
//! | send a file, or data that is produced in steps | [`FileSender`], [`Producer`] |
//! | choose a policy for slow readers | [`SlowReader`] |
//! | encrypt, compress or inspect the bytes of a connection | [`Filter`] |
//! | set options of sockets | [`SocketOption`] |
//! | adopt sockets from elsewhere, detach connections | [`Context::adopt_listener`], [`Transport::detach`] |
//! | use a protocol on pipes, terminals and files | [`Pipes`] |
//! | start programs | `ProcessProtocol`, `ProcessOptions`, `ProcessRun` (feature `process`) |
//! | watch any other descriptor | [`Context::watch`], [`Watcher`] |
//! | read statistics | [`Context::statistics`], [`Transport::counts`] |
//! | write to all connections of a listener, limit their number | [`Port::connections`], [`Transport::siblings`], [`ListenOptions::max_connections`] |
//! | refuse clients, handle failed connection attempts | [`Factory`] |
//! | run the loop | [`Reactor`] |
//! | run a reactor inside another loop | `Reactor::descriptor`, [step 10](guide#10-a-loop-of-your-own) of the guide |
//! | act at the beginning and the end of a run | [`RunPhase`], [`Hold`], [`Context::call_when_running`] |
//! | use more than one processor | [`ReactorGroup`] |
//! | call the reactor from a thread | [`Handle`], [`Sender`] |
//! | do work that blocks | [`call_in_thread`], [`Transport::call_in_thread`] |
//! | know why a connection ended | [`Reason`] |
//! | test a protocol | [step 6](guide#6-time-and-a-test) of the guide |
//!
//! The crate `ropewalk-protocols` has lines and other common protocols, `ropewalk-chat` a chat server, and
//! `ropewalk-simulation` a testing kit.
//!
//! # Logging
//!
//! The reactor logs through the [`log`] crate, under one target for each subsystem. The targets are stable.
//! To see the log, set up a logger such as env_logger in the program, and run it with
//! `RUST_LOG=ropewalk=info`.
//!
//! | target | of |
//! |---|---|
//! | `ropewalk::reactor` | turns, stops, panics in callbacks, slow callbacks |
//! | `ropewalk::tcp` | listeners, connections, each system call on them |
//! | `ropewalk::datagram` | datagram sockets, each system call on them |
//! | `ropewalk::process` | processes |
//! | `ropewalk::timer` | timers |
//! | `ropewalk::handle` | calls from other threads |
//! | `ropewalk::signal` | signals |
//! | `ropewalk::journal` | the last records of the [`journal`] before a panic or a slow callback |
//!
//! | level | means |
//! |---|---|
//! | error | a bug in Ropewalk, or a panic in a callback |
//! | warn | a failure that the reactor handled: descriptors have run out, a callback was slow |
//! | info | listening, connected, lost (with the reason, the bytes and the time), stopping |
//! | debug | details: closing, the end of one side, a refused client |
//! | trace | each readiness event, each read |
//!
//! # Features
//!
//! - `system` (on by default): `Reactor::new` and [`ReactorGroup`], with the crates mio, socket2, rustix and libc.
//!   Without it a reactor is made by [`Reactor::with_backend`], and the crate compiles for `wasm32-wasip1`.
//! - `signals` (on by default; Unix): `Reactor::stop_on_signals`, with the crate signal-hook.
//! - `process` (Unix): `Pipes::standard`; processes (`ProcessOptions::spawn`, on Linux); with the crate rustix.
//! - `pty` (Unix): `ProcessOptions::pseudo_terminal`; `process`, with the crate pty-process.
//! - `credentials` (Unix): `Transport::peer_credentials` (on Linux), with the crate nix.
//! - `foreign_sockets`: [adopting](Context::adopt_connection) also turns off rare options that another program may have set (on
//!   Linux), with the crate nix.
//! - `idna`: international names of hosts are looked up in their ASCII form, with the crate idna.
//! - `systemd` (Unix): `InheritedSockets`; `foreign_sockets`, with the crate sd-listen-fds.
//!
//! # Platforms
//!
//! Ropewalk runs and is tested on Linux. Unix-only items are behind `cfg(unix)`. CI compiles the crates for other systems
//! that mio supports; no test has run there.

mod api;
mod reactor;
mod source;
mod sys;
mod values;

pub mod guide;

pub use api::blocking_call::BlockingCallError;
pub use api::channel::Sender;
pub use api::context::Context;
pub use api::datagram_protocol::DatagramProtocol;
pub use api::datagram_transport::DatagramTransport;
pub use api::factory::Factory;
pub use api::file_sender::FileSender;
pub use api::handle::{Handle, ReactorGone};
#[cfg(all(unix, feature = "systemd"))]
pub use api::inherited::InheritedSockets;
pub use api::listener::Port;
pub use api::names::Resolver;
#[cfg(unix)]
pub use api::pipes::Pipes;
#[cfg(all(unix, feature = "process"))]
pub use api::process_protocol::ProcessProtocol;
#[cfg(all(unix, feature = "process"))]
pub use api::process_run::ProcessRun;
#[cfg(all(unix, feature = "process"))]
pub use api::process_transport::ProcessTransport;
pub use api::producer::Producer;
pub use api::protocol::Protocol;
pub use api::raw::IpProtocol;
#[cfg(feature = "signals")]
pub use api::signals::SignalHandlerId;
pub use api::thread_job::{JobPanicked, call_in_thread};
pub use api::transport::Transport;
pub use api::trigger::{Hold, RunPhase, TriggerId};
#[cfg(unix)]
pub use api::watch::Watcher;
pub use reactor::Reactor;
#[cfg(feature = "system")]
pub use reactor::group::{GroupHandle, GroupPort, Member, ReactorGroup};
pub use reactor::step::{Queues, Step};
#[cfg(unix)]
pub use source::detach::Detached;
pub use source::timer::TimerId;
/// The journal: records of what a reactor does. See [`Journal`](journal::Journal).
pub mod journal {
    pub use crate::api::journal::Observer;
    pub use crate::values::journal::{
        Arrival, CallOutcome, Callback, Cursor, Decoder, Journal, Malformed, Record, StopPhase,
        SystemCall, TimerJob, WaitLimit, What, short_name,
    };
}

pub use sys::backend;
pub use sys::backend::Answer;
pub use values::address::Address;
#[cfg(all(unix, feature = "credentials"))]
pub use values::credentials::Credentials;
pub use values::datagram_options::DatagramOptions;
pub use values::error::Error;
pub use values::filter::{Filter, FilterLink};
pub use values::id::Id;
pub use values::interface::Interface;
pub use values::options::{ConnectOptions, ListenOptions};
#[cfg(all(unix, feature = "process"))]
pub use values::process::{
    ProcessExit, ProcessLimit, ProcessOptions, ProcessOutput, Signal, WindowSize,
};
pub use values::reason::Reason;
pub use values::slow_reader::SlowReader;
pub use values::socket_option::{KeepAlive, SocketOption};
pub use values::statistics::DatagramCounts;
pub use values::statistics::{ConnectionCounts, Statistics};
pub use values::thread_options::ThreadOptions;
pub use values::to_address::{LookUp, ToAddress};
pub use values::to_addresses::{Target, ToAddresses};
pub use values::unix_address::UnixAddress;
#[cfg(unix)]
pub use values::watch::Interest;

/// The code of the README and of the book, compiled and run as the rest.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/turn.md")]
    struct Turn;
    #[doc = include_str!("../docs/journey.md")]
    struct Journey;
    #[doc = include_str!("../docs/backpressure.md")]
    struct Backpressure;
    #[doc = include_str!("../docs/life.md")]
    struct Life;
}
