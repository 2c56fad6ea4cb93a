//! The servers that are compared, ours and the peers', each doing the same work.
//!
//! What makes it fair:
//!
//! - Each is written as its own documentation would have it, and where that leaves a choice the
//!   faster way is taken. Its file says which.
//! - A broadcast goes by lines or by pieces. By lines, they are cut and sent one by one, with the
//!   tools that a library brings for it: so do tokio's chat example (`tokio`), Twisted's (`twisted`),
//!   our guide's (`ropewalk-lines`) and our chat (`ropewalk-chat`), which puts a name before each line.
//!   By pieces, lines are cut by hand ([`Lines`]), and all that one read completes are forwarded at
//!   once, which is cheaper: so do all others, most of which bring bytes only.
//! - All have a backlog of 4,096, send without delay (TCP_NODELAY), and read up to 64 KiB at
//!   once, as far as they let us choose; the bare echo, libuv and asyncio read up to 256 KiB, as
//!   ropewalk does once reads have filled its buffer.
//! - All run on as many processors as they are given; the benchmark gives them one, unless a row
//!   says otherwise. `ropewalk-threads`, `tokio-threads` and `may` start one
//!   worker for each.
//! - None loses a byte to a slow reader: an echo takes no more from who does not read, and a
//!   broadcast keeps what waits.

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

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Each byte goes back to whom it came from.
    Echo,
    /// Each line goes to every other connection, as it is.
    Broadcast,
    /// Each message is answered with a [digest](crate::digest) of it.
    Digest,
}

/// One of those that are compared.
#[derive(Debug)]
pub(crate) struct Server {
    /// What the user calls it: `--with NAME`.
    pub(crate) name: &'static str,
    /// What it is, in a few words, for the report.
    pub(crate) what: &'static str,
    /// Whether it is a Python program of `servers/python/`, which runs in the virtual environment.
    pub(crate) python: bool,
    /// Whether it is for several processors, and so measured on one only if the user names it.
    pub(crate) threads: bool,
    /// Whether its clients say their names first, and each line comes behind its speaker's. So does a chat.
    pub(crate) names: bool,
    /// What it can do.
    works: &'static [Work],
    serve: fn(Work, SocketAddr) -> Served,
}

impl Server {
    pub(crate) fn can(&self, work: Work) -> bool {
        self.works.contains(&work)
    }
}

/// A server serves for good, or says why it cannot.
type Served = Result<Infallible, Box<dyn Error>>;

/// What most can.
const ECHO_AND_BROADCAST: &[Work] = &[Work::Echo, Work::Broadcast];
/// What those can who are measured on two processors, too.
const ALL: &[Work] = &[Work::Echo, Work::Broadcast, Work::Digest];

/// All of them, in the report's order.
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
        what: "the same, but it never sleeps, and gathers what all say before it writes",
        python: false,
        threads: false,
        names: false,
        works: ECHO_AND_BROADCAST,
        serve: bare::serve_limit,
    },
    Server {
        name: "ropewalk",
        what: "this reactor, one thread; broadcasts by pieces",
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
        name: "tokio-pieces",
        what: "the same, broadcasting by pieces",
        python: false,
        threads: false,
        names: false,
        works: &[Work::Broadcast],
        serve: tokio::serve_pieces,
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
        name: "twisted-pieces",
        what: "the same, broadcasting by pieces",
        python: true,
        threads: false,
        names: false,
        works: &[Work::Broadcast],
        serve: python::serve_twisted_pieces,
    },
];

/// How many bytes one read may bring, for those who can choose: a bulk message in one piece.
const READ_SIZE: usize = 64 * 1024;

/// Serves for good, in this process; prints `listening on HOST:PORT` once it listens.
pub(crate) fn serve(server: &Server, work: Work, address: SocketAddr) -> Served {
    match server.can(work) {
        true => (server.serve)(work, address),
        false => Err(refusal(server.name, work)),
    }
}

/// Why a server does not serve.
fn refusal(name: &str, work: Work) -> Box<dyn Error> {
    format!("{name} does not serve {}", work.word()).into()
}

/// Tells whoever started us where we listen.
fn announce(address: impl Display) -> io::Result<()> {
    show(format_args!("listening on {address}\n"))
}
