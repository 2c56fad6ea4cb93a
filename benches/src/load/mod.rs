//! The load: clients of our own, cheaper than any server that they are let loose on.
//!
//! How it is kept cheap, so that the server is what is measured:
//!
//! - It has no event loop. It asks its sockets in turns, and since a server answers more or less in
//!   the order in which it was asked, most of them have something. They are in no poll, and nobody
//!   has to be woken, which the server's processor would pay for.
//! - When a quarter had nothing, it spins for a while, so that the next turn finds more. That time it
//!   counts: it is the load's idleness.
//! - The echo of a short message is seen (FIONREAD), which is enough to send the next one, and read
//!   with the seven that follow.
//! - What is read is counted by the system and thrown away there (MSG_TRUNC); a sample of it is taken
//!   in and compared. A long message is sent from a file in memory, without a copy.
//! - Where it has no processor of its own, it sleeps instead of spinning, until about half have
//!   something.
//! - The clock is read once a turn and for a sample of the messages, not for each.

pub(crate) mod connect;
pub(crate) mod echo;
pub(crate) mod fan_out;
mod pace;
mod pattern;
mod socket;

use hdrhistogram::Histogram;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a server has to send the last of it.
const FINISH: Duration = Duration::from_secs(5);

/// What is done to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Echo(echo::Shape),
    FanOut(fan_out::Shape),
    Connect(connect::Shape),
}

/// Clients of a server, as many as their shape says.
pub(crate) trait Load {
    /// Puts load on the server for about so long. What is under way at the end goes on in the next
    /// stretch, so that a stretch to warm up runs into the one that is measured.
    fn run(&mut self, duration: Duration) -> io::Result<Stretch>;

    /// Ends the work in order: sees that all that has been sent arrives, and compares the last of it,
    /// of every client.
    fn finish(&mut self) -> io::Result<()>;
}

/// What a stretch of load came to.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// Messages, deliveries or connections, all of them checked.
    pub(crate) count: u64,
    /// Bytes that came back.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// For how long of it the load had nothing to do.
    pub(crate) idle: Duration,
    /// The load's processor time in it.
    pub(crate) processor_time: Duration,
    /// How long a sample of them took, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl Stretch {
    /// Messages, deliveries or connections a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// How much of its time the load was busy, from 0 to 1.
    pub(crate) fn busy(&self) -> f64 {
        1.0 - self.idle.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// How long they took, but for the slowest of them: `latency(0.99)` is what 99 % stay within.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(share))
    }
}

/// Connects clients of this shape to a server.
pub(crate) fn connect(shape: Shape, address: SocketAddr) -> io::Result<Box<dyn Load>> {
    Ok(match shape {
        Shape::Echo(shape) => Box::new(echo::Echo::connect(shape, address)?),
        Shape::FanOut(shape) => Box::new(fan_out::FanOut::connect(shape, address)?),
        Shape::Connect(shape) => Box::new(connect::Connect::new(shape, address)?),
    })
}

/// No latencies yet. One of a minute is as good as none.
fn no_latencies() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)
}
