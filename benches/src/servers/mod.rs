//! The servers that are compared, ours and the peers', each doing the same work.
//!
//! What makes it fair:
//!
//! - Each is written as its own documentation would have it, and where that leaves a choice the
//!   faster way is taken. Its file says which.
//! - In the broadcast tokio, Twisted and ropewalk cut lines and send them one by one, with the
//!   tools that each brings for it, for so do tokio's chat example, Twisted's and our guide.
//!   Where a library brings bytes only, lines are cut by hand ([`Lines`]), and all that ended in
//!   one piece are forwarded at once; that spares it much. (What it would be worth to ropewalk
//!   and to tokio is told in their files.)
//! - All have a backlog of 4,096, send without delay (TCP_NODELAY), and read up to 64 KiB at
//!   once, as far as they let us choose.
//! - All run on as many processors as they are given; the benchmark gives them one, unless a row
//!   says otherwise. `tokio-threads` and `may` start one worker for each.
//! - None loses a byte to a slow reader: an echo takes no more from who does not read, and a
//!   broadcast keeps what waits.

mod bare;
mod lines;
mod listener;
mod may;
mod message_io;
mod mill_net;
pub(crate) mod python;
mod ropewalk;
mod tokio;

use lines::Lines;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Each byte goes back to whom it came from.
    Echo,
    /// Each line goes to every other connection, as it is.
    Broadcast,
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
    serve: fn(Work, SocketAddr) -> Served,
}

/// A server serves for good, or says why it cannot.
type Served = Result<Infallible, Box<dyn Error>>;

/// All of them, in the report's order.
pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "bare",
        what: "an epoll loop, no framework: the limit",
        python: false,
        serve: bare::serve,
    },
    Server {
        name: "ropewalk",
        what: "this reactor, one thread",
        python: false,
        serve: ropewalk::serve,
    },
    Server {
        name: "tokio",
        what: "tokio, current-thread runtime",
        python: false,
        serve: tokio::serve,
    },
    Server {
        name: "tokio-threads",
        what: "tokio, multi-thread runtime",
        python: false,
        serve: tokio::serve_on_threads,
    },
    Server {
        name: "mill-net",
        what: "mill-net, low-latency event loop",
        python: false,
        serve: mill_net::serve,
    },
    Server {
        name: "message-io",
        what: "message-io, raw TCP transport",
        python: false,
        serve: message_io::serve,
    },
    Server { name: "may", what: "may, stackful coroutines", python: false, serve: may::serve },
    Server {
        name: "uvloop",
        what: "asyncio on uvloop, Python",
        python: true,
        serve: python::serve_uvloop,
    },
    Server {
        name: "twisted",
        what: "Twisted, epoll reactor, Python",
        python: true,
        serve: python::serve_twisted,
    },
];

/// How many bytes one read may bring, for those who can choose: a bulk message in one piece.
const READ_SIZE: usize = 64 * 1024;

/// Serves for good, in this process; prints `listening on HOST:PORT` once it listens.
pub(crate) fn serve(server: &Server, work: Work, address: SocketAddr) -> Served {
    (server.serve)(work, address)
}

/// Tells whoever started us where we listen.
fn announce(address: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()
}
