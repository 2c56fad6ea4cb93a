//! The compared servers, each doing the same work.
//!
//! The comparison is fair in these respects:
//!
//! - Each server is written as its own documentation recommends, and in the faster way where that
//!   leaves a choice. Its file says which.
//! - A broadcast is by lines or by chunks. By lines, they are split and sent one by one, with the
//!   library's own tools: tokio's chat example (`tokio`), Twisted's (`twisted`), the chat of
//!   Ropewalk's guide (`ropewalk-lines`), and the chat crate (`ropewalk-chat`), which adds a name
//!   to each line. By chunks, lines are split by hand ([`Lines`]), and all lines of one read are
//!   forwarded at once, which is cheaper: all others, most of which deliver bytes only.
//! - All have a backlog of 4,096, set TCP_NODELAY, and read up to 64 KiB at once where they can;
//!   the bare echo, libuv and asyncio read up to 256 KiB, as does ropewalk once reads have filled
//!   its buffer.
//! - All run on the given processors. Default: one; some rows use more. `ropewalk-threads`,
//!   `tokio-threads` and `may` start one worker for each.
//! - None loses data to a slow reader: an echo stops reading, and a broadcast queues data.

mod bare;
mod libuv;
mod lines;
mod listener;
mod may;
mod message_io;
mod mill_net;
pub(crate) mod python;
mod ropewalk;
mod tokio;

use crate::output::show;
use lines::Lines;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

/// The work of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Each byte is sent back to its sender.
    Echo,
    /// Each line is sent unchanged to every other connection.
    Broadcast,
    /// Each message is answered with a [digest](crate::digest) of it.
    Digest,
}

/// A compared server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its name on the command line: `--with NAME`.
    pub(crate) name: &'static str,
    /// A short description for the report.
    pub(crate) what: &'static str,
    /// It is a Python program of `servers/python/`, which runs in the virtual environment.
    pub(crate) python: bool,
    /// It uses several processors, and is measured on one only if the user names it.
    pub(crate) threads: bool,
    /// Its clients send their names first, and each line arrives with its sender's name, as in a
    /// chat.
    pub(crate) names: bool,
    /// The works that it supports.
    works: &'static [Work],
    serve: fn(Work, SocketAddr) -> Served,
}

impl Server {
    pub(crate) fn can(&self, work: Work) -> bool {
        self.works.contains(&work)
    }
}

/// A server runs until it is killed, or returns an error.
type Served = Result<Infallible, Box<dyn Error>>;

/// The works of most servers.
const ECHO_AND_BROADCAST: &[Work] = &[Work::Echo, Work::Broadcast];
/// The works of servers that are measured on two processors as well.
const ALL: &[Work] = &[Work::Echo, Work::Broadcast, Work::Digest];

/// All servers, in the report's order.
pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "bare",
        what: "a plain epoll loop, no framework",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: bare::serve,
    },
    Server {
        name: "limit",
        what: "the same, but it never sleeps, and gathers before it writes",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: bare::serve_limit,
    },
    Server {
        name: "ropewalk",
        what: "Ropewalk, one thread; broadcasts by chunks",
        python: false,
        threads: false,
        names: false,
        works: ALL,
        serve: ropewalk::serve,
    },
    Server {
        name: "ropewalk-lines",
        what: "the same, broadcasting by lines",
        python: false,
        threads: false,
        names: false,
        works: &[Work::Broadcast],
        serve: ropewalk::serve_lines,
    },
    Server {
        name: "ropewalk-chat",
        what: "the same, the chat of the crate ropewalk-chat; by lines",
        python: false,
        threads: false,
        names: true,
        works: &[Work::Broadcast],
        serve: ropewalk::serve_chat,
    },
    Server {
        name: "ropewalk-threads",
        what: "a reactor for each processor",
        python: false,
        threads: true,
        names: false,
        works: &[Work::Echo, Work::Digest],
        serve: ropewalk::serve_on_threads,
    },
    Server {
        name: "tokio",
        what: "tokio, current-thread runtime; broadcasts by lines",
        python: false,
        threads: false,
        names: false,
        works: ALL,
        serve: tokio::serve,
    },
    Server {
        name: "tokio-chunks",
        what: "the same, broadcasting by chunks",
        python: false,
        threads: false,
        names: false,
        works: &[Work::Broadcast],
        serve: tokio::serve_chunks,
    },
    Server {
        name: "tokio-threads",
        what: "tokio, multi-thread runtime",
        python: false,
        threads: true,
        names: false,
        works: ALL,
        serve: tokio::serve_on_threads,
    },
    Server {
        name: "mill-net",
        what: "mill-net, low-latency event loop",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: mill_net::serve,
    },
    Server {
        name: "message-io",
        what: "message-io, raw TCP transport",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: message_io::serve,
    },
    Server {
        name: "may",
        what: "may, stackful coroutines",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: may::serve,
    },
    Server {
        name: "libuv",
        what: "libuv, a C program; read buffer of 256 KiB",
        python: false,
        threads: false,
        names: false,
        works: &[Work::Echo],
        serve: libuv::serve,
    },
    Server {
        name: "asyncio",
        what: "asyncio on its own loop, Python",
        python: true,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: python::serve_asyncio,
    },
    Server {
        name: "uvloop",
        what: "asyncio on uvloop, Python",
        python: true,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: python::serve_uvloop,
    },
    Server {
        name: "twisted",
        what: "Twisted, epoll reactor, Python; broadcasts by lines",
        python: true,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: python::serve_twisted,
    },
    Server {
        name: "twisted-chunks",
        what: "the same, broadcasting by chunks",
        python: true,
        threads: false,
        names: false,
        works: &[Work::Broadcast],
        serve: python::serve_twisted_chunks,
    },
];

/// How many bytes one read may return, where that can be chosen: a bulk message in one read.
const READ_SIZE: usize = 64 * 1024;

/// Serves in this process until it is killed. Prints `listening on HOST:PORT` once it listens.
pub(crate) fn serve(server: &Server, work: Work, address: SocketAddr) -> Served {
    match server.can(work) {
        true => (server.serve)(work, address),
        false => Err(refusal(server.name, work)),
    }
}

/// Returns the error of a server that does not support `work`.
fn refusal(name: &str, work: Work) -> Box<dyn Error> {
    format!("{name} does not serve {}", work.word()).into()
}

/// Prints the address that the server listens on.
fn announce(address: impl Display) -> io::Result<()> {
    show(format_args!("listening on {address}\n"))
}
