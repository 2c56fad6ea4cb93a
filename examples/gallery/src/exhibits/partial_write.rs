//! A write that is not all written.
//!
//! What one sees: small answers arrive, large ones are cut. On a fast network with large buffers the limit is so high that
//! no test reaches it.
//!
//! Why: write(2) on a non-blocking socket takes what fits into the socket's buffer, and returns how much that was. The
//! rest is still the program's.
//!
//! The cure: keep what was not taken, and send it when the socket is writable; close only when nothing is left. In
//! Ropewalk `write` takes everything, the reactor sends it, and `close` comes after what is queued.
//!
//! The issue: dcarp/asynchronous#9, "Partial writes not handled?".

use crate::on_ropewalk::{lines, read_all, turn_until};
use crate::small_loop::{SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, Transport};
use std::net::TcpStream;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "partial_write",
    about: "The socket takes a part of an answer, and the rest is forgotten.",
    issue: "dcarp/asynchronous#9: Partial writes not handled?",
    broken,
    cured,
};

/// More than the buffers of both sockets hold.
const ANSWER: usize = 16_000_000;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, client) = connection()?;
    // The fault: what the call returns is not looked at.
    small.send(1, &mut socket, &vec![b'x'; ANSWER]);
    small.say(Some(1), "closed");
    drop(socket);
    let received = read_all(client).join().map_err(|_| "the client has panicked")?;
    let shown = Shown::new(small.into_lines()).mark("send").mark("closed");
    Ok(shown.judge(received < ANSWER, format!("{received} of {ANSWER} bytes arrived")))
}

struct Answerer;

impl Protocol for Answerer {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&vec![b'x'; ANSWER]);
        transport.close();
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Answerer)?;
    let client = read_all(TcpStream::connect(port.address())?);
    turn_until(&mut reactor, |context| context.statistics().lost() == 1)?;
    let received = client.join().map_err(|_| "the client has panicked")?;
    let shown = Shown::new(lines(&mut reactor)).mark("closing").mark("send").mark("lost");
    Ok(shown.judge(received < ANSWER, format!("{received} of {ANSWER} bytes arrived")))
}
