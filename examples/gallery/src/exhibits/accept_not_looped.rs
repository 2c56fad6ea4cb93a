//! An accept that is not looped.
//!
//! What one sees: under load some clients are never served. They are connected, as the kernel has done its part, and they
//! wait. The next client that connects frees one of them.
//!
//! Why: three clients that connect before the loop looks are *one* event of the listener. If the handler accepts one of
//! them, two stay in the backlog, and the edge is over.
//!
//! The cure: accept until the listener would block; or accept up to a budget, and come back without waiting for an event.
//! Ropewalk accepts up to 64 clients in a turn, and the listener is "queued" if there may be more.
//!
//! The issue: sipwise/rtpengine#346, "make cli_incoming accept multiple connections".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, listener};
use crate::{Exhibit, Result, Shown};
use mio::net::TcpListener;
use ropewalk::{Protocol, Reactor, Transport};
use std::io;
use std::net::{SocketAddr, TcpStream};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "accept_not_looped",
    about: "One accept for each event leaves the other clients in the backlog.",
    issue: "sipwise/rtpengine#346: make cli_incoming accept multiple connections",
    broken,
    cured,
};

const CLIENTS: usize = 3;

fn connect(address: SocketAddr) -> io::Result<Vec<TcpStream>> {
    (0..CLIENTS).map(|_| TcpStream::connect(address)).collect()
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut listener, address) = listener()?;
    small.add(&mut listener, 0)?;
    let _clients = connect(address)?;
    let mut accepted = Vec::new();
    for _ in 0..3 {
        for _event in small.wait_patiently()? {
            accepted.extend(acceptable(&mut small, &listener));
        }
    }
    let count = accepted.len();
    let shown = Shown::new(small.into_lines()).mark("accept").mark("waits up to");
    Ok(shown.judge(count < CLIENTS, format!("{count} of {CLIENTS} clients was accepted")))
}

/// Accepts one client for each event. This is the fault: there should be a loop that ends with `WouldBlock`.
fn acceptable(small: &mut SmallLoop, listener: &TcpListener) -> Option<mio::net::TcpStream> {
    small.accept(0, listener).ok()
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
    let address = port.address().socket_addr().ok_or("the listener has no address")?;
    let _clients = connect(address)?;
    turn_until(&mut reactor, |context| port.connection_count(context) == CLIENTS)?;
    let count = port.connection_count(reactor.context());
    let shown = Shown::new(lines(&mut reactor)).mark("accept");
    Ok(shown.judge(count < CLIENTS, format!("{count} of {CLIENTS} clients were accepted")))
}
