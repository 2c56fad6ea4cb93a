//! The load: clients that cost less than any of the servers.
//!
//! The load stays cheap, so that the server is what is measured:
//!
//! - It has no event loop. It checks its sockets in a fixed order, and since a server answers in
//!   about the same order, most of them have data. It is in no poll and is never woken, which would
//!   cost the server's processor.
//! - When a quarter of the sockets had no data, it spins for a while, so that the next pass finds
//!   more. It counts that time as idle.
//! - The echo of a short message is noticed (FIONREAD), which is enough to send the next message,
//!   and read together with the following seven.
//! - Data is counted and discarded by the system (MSG_TRUNC); a sample is read and compared. A long
//!   message is sent from a file in memory, without a copy.
//! - Without a processor of its own, it sleeps instead of spinning, until about half of the sockets
//!   have data.
//! - The clock is read once a pass and for a sample of the messages, not for each message.

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

/// How long a server has to send the rest.
const FINISH: Duration = Duration::from_secs(5);

/// The kind of load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Echo(echo::Shape),
    FanOut(fan_out::Shape),
    Connect(connect::Shape),
}

/// The clients of a server.
pub(crate) trait Load {
    /// Puts load on the server for about `duration`. Messages in flight at the end continue in the
    /// next stretch, so that the warm-up passes into the measurement.
    fn run(&mut self, duration: Duration) -> io::Result<Stretch>;

    /// Finishes the work: waits until everything that was sent has arrived, and compares the last
    /// answers of every client.
    fn finish(&mut self) -> io::Result<()>;
}

/// The result of a stretch of load.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// Messages, deliveries or connections, all of them checked.
    pub(crate) count: u64,
    /// Bytes received.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// How long the load had nothing to do.
    pub(crate) idle: Duration,
    /// The load's processor time.
    pub(crate) processor_time: Duration,
    /// Latencies of a sample, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl Stretch {
    /// Returns messages, deliveries or connections a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the share of time in which the load was busy, from 0 to 1.
    pub(crate) fn busy(&self) -> f64 {
        1.0 - self.idle.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Returns a quantile of the latencies: 99 % are within `latency(0.99)`.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(share))
    }
}

/// Connects the clients of `shape` to a server.
pub(crate) fn connect(shape: Shape, address: SocketAddr) -> io::Result<Box<dyn Load>> {
    Ok(match shape {
        Shape::Echo(shape) => Box::new(echo::Echo::connect(shape, address)?),
        Shape::FanOut(shape) => Box::new(fan_out::FanOut::connect(shape, address)?),
        Shape::Connect(shape) => Box::new(connect::Connect::new(shape, address)?),
    })
}

/// Returns an empty histogram. Longer latencies than a minute count as a minute.
fn no_latencies() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)
}
