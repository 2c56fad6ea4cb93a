//! An edge that is not drained.
//!
//! What one sees: a client sends a message, and the server has the first part of it only. The rest arrives as soon as the
//! client sends something more, so a test with a chatty client does not find it.
//!
//! Why: epoll(7), edge-triggered, reports that something has *changed*. The bytes that a handler leaves behind were
//! reported already, and they are not reported again.
//!
//! The cure: read until the socket would block, or keep a list of the sockets that have more, and wait for nothing while
//! that list has entries. Ropewalk does both: within a turn it reads up to a budget, and a socket with more is "queued".
//!
//! The issue: tokio-rs/mio#1076, "udp poll with edge hangs"; a datagram socket, and the same reason.

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use mio::net::TcpStream;
use ropewalk::journal::CallOutcome;
use ropewalk::{Protocol, Reactor, Transport};
use std::io::Write;
use std::net;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "edge_not_drained",
    about: "One read for each event leaves the rest of a message unread.",
    issue: "tokio-rs/mio#1076: udp poll with edge hangs",
    broken,
    cured,
};

const SENT: usize = 40_000;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, mut client) = connection()?;
    small.add(&mut socket, 1)?;
    client.write_all(&[b'x'; SENT])?;
    let mut received = 0;
    for _ in 0..3 {
        for _event in small.wait_patiently()? {
            received += readable(&mut small, &mut socket);
        }
    }
    let shown = Shown::new(small.into_lines()).mark("recv").mark("waits up to");
    Ok(shown.judge(received < SENT, format!("{received} of {SENT} bytes were read")))
}

/// Reads once for each event. This is the fault: there should be a loop that ends with `WouldBlock`.
fn readable(small: &mut SmallLoop, socket: &mut TcpStream) -> usize {
    match small.receive(1, socket, &mut [0; 4096]) {
        CallOutcome::Bytes(count) => count as usize,
        _ => 0,
    }
}

struct Reader;

impl Protocol for Reader {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Reader)?;
    let mut client = net::TcpStream::connect(port.address())?;
    client.write_all(&[b'x'; SENT])?;
    turn_until(&mut reactor, |context| context.statistics().received == SENT as u64)?;
    let received = reactor.context().statistics().received as usize;
    let shown = Shown::new(lines(&mut reactor)).mark("recv");
    Ok(shown.judge(received < SENT, format!("{received} of {SENT} bytes were read")))
}
