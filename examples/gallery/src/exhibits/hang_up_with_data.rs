//! A hang-up that is handled before the data.
//!
//! What one sees: clients that send and leave at once are lost, with all that they have sent. Clients that stay for the
//! answer are served.
//!
//! Why: one event says both, "readable" and "ended". The end is the end of the *stream*, and the bytes before it are still
//! in the socket. A handler that looks at the end first closes the socket, and drops them.
//!
//! The cure: read until read(2) returns 0. That is the end, and it comes after the data; the bit of the event is a hint.
//! Ropewalk calls `data_received` for all of it, then `eof_received`.
//!
//! The issue: dmtcp/dmtcp#1205, "Coord: Fixed epoll_wait corner case."

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{Ready, SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use mio::net::TcpStream;
use ropewalk::journal::CallOutcome;
use ropewalk::{Protocol, Reactor, Transport};
use std::io::Write;
use std::net;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "hang_up_with_data",
    about: "The end of a stream is handled before the bytes that came with it.",
    issue: "dmtcp/dmtcp#1205: Coord: Fixed epoll_wait corner case.",
    broken,
    cured,
};

const SENT: usize = 10_000;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, mut client) = connection()?;
    small.add(&mut socket, 1)?;
    client.write_all(&[b'x'; SENT])?;
    drop(client);
    let (mut socket, mut received) = (Some(socket), 0);
    for event in small.wait_patiently()? {
        received += ready(&mut small, &mut socket, event);
    }
    let shown = Shown::new(small.into_lines()).mark("ended").mark("closed");
    Ok(shown.judge(received < SENT, format!("{received} of {SENT} bytes were read")))
}

/// Handles an event. The fault: it looks at the end first.
fn ready(small: &mut SmallLoop, socket: &mut Option<TcpStream>, event: Ready) -> usize {
    if event.has_ended {
        small.say(Some(event.token), "closed");
        *socket = None;
    }
    let Some(socket) = socket else {
        return 0;
    };
    match small.receive(event.token, socket, &mut [0; SENT]) {
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
    drop(client);
    turn_until(&mut reactor, |context| context.statistics().lost() == 1)?;
    let received = reactor.context().statistics().received as usize;
    let shown = Shown::new(lines(&mut reactor)).mark("ended").mark("recv").mark("eof_received");
    Ok(shown.judge(received < SENT, format!("{received} of {SENT} bytes were read")))
}
