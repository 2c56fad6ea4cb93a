//! A send buffer without a bound.
//!
//! What one sees: the memory of the server grows until it is killed. One slow client, or one that does not read at all, is
//! enough.
//!
//! Why: an asynchronous `write` never blocks. What the socket does not take is kept in memory, and the code that writes goes
//! on reading and writing as fast as it can.
//!
//! The cure: backpressure. Above a mark the writer stops, here by not reading from the client. Its own sends then
//! block. Ropewalk calls `pause_writing` and `resume_writing`. The fault is to ignore them; a limit of 64 MiB then
//! aborts the connection.
//!
//! The issue: infinispan/infinispan#17940, "Hot Rod client write backpressure".

use crate::on_ropewalk::{lines, turn_until};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, Transport};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "unbounded_send_buffer",
    about: "An echo queues without limit for a client that does not read.",
    issue: "infinispan/infinispan#17940: Hot Rod client write backpressure",
    broken: || play(false),
    cured: || play(true),
};

/// What the client sends, unless it is kept from sending.
const SENT: usize = 32_000_000;
/// Much less, and more than a mark and a read.
const MUCH: usize = 4_000_000;
/// Attempts to send in a row that would block, after which the client gives up.
const REFUSALS: usize = 50;

struct Echo {
    pauses: bool,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        if self.pauses {
            transport.pause();
        }
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        if self.pauses {
            transport.resume();
        }
    }
}

fn play(pauses: bool) -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", move || Echo { pauses })?;
    let mut client = TcpStream::connect(port.address())?;
    client.set_nonblocking(true)?;
    turn_until(&mut reactor, |context| context.statistics().made == 1)?;
    let (mut sent, mut refusals, mut peak) = (0, 0, 0);
    while sent < SENT && refusals < REFUSALS {
        match client.write(&[b'x'; 65536]) {
            Ok(count) => (sent, refusals) = (sent + count, 0),
            Err(_would_block) => refusals += 1,
        }
        reactor.turn(Some(Duration::ZERO))?;
        peak = peak.max(reactor.context().statistics().queued);
    }
    let shown = Shown::new(lines(&mut reactor));
    let shown =
        shown.mark("above the high mark").mark("pause_writing").mark_after("pause_writing", "recv");
    let verdict = format!("the client has sent {sent} bytes, and up to {peak} were queued");
    Ok(shown.judge(peak > MUCH, verdict))
}
