//! State of an outgoing connection attempt.

use crate::source::error::cannot_connect;
#[cfg(unix)]
use crate::source::error::cannot_connect_unix;
use crate::source::send_buffer::Spares;
use crate::source::stream::{Output, WriteSide};
use crate::source::timer::TimerId;
use crate::sys::{Readiness, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::options::ConnectOptions;
use crate::values::slow_reader::SlowReader;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// A connection attempt: it tries the addresses of a name one after the other.
#[derive(Debug)]
pub(crate) struct Connector {
    /// The socket that is connecting.
    pub(crate) socket: Option<StreamSocket>,
    /// The error with which the system refused to begin the first attempt.
    pub(crate) refused: Option<io::Error>,
    /// The address of the present or last attempt.
    pub(crate) address: Address,
    /// The addresses not tried yet.
    pub(crate) remaining: VecDeque<Address>,
    /// The timer that ends the present attempt, and with the last address the whole.
    pub(crate) timer: TimerId,
    /// The deadline of the whole; `None` is no deadline.
    pub(crate) deadline: Option<Instant>,
    /// The options of the caller.
    pub(crate) options: ConnectOptions,
    /// The pause before the next attempt if the queue of a listener on a Unix socket was full.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) retry_delay: Duration,
    /// Data written before the connection exists, and other requests; the stream takes them over.
    pub(crate) output: Output,
    pub(crate) paused: bool,
    /// Hints that arrived with the success of the attempt; the stream takes them over.
    pub(crate) readiness: Readiness,
}

impl Connector {
    /// Returns the outcome of the present attempt: the peer's address after a success, `Ok(None)` while it is
    /// undecided.
    pub(crate) fn outcome(&mut self) -> io::Result<Option<Address>> {
        match self.refused.take() {
            Some(error) => Err(error),
            None => self.socket.as_ref().map_or(Ok(None), StreamSocket::connected_to),
        }
    }

    /// Returns true if written data will be sent once the connection is established.
    pub(crate) fn takes_writes(&self) -> bool {
        self.output.write_side == WriteSide::Open
    }

    /// Queues data to send after the connection is established.
    pub(crate) fn push(&mut self, data: &[u8], spares: &mut Spares) {
        let Output { buffer, drop_oldest, .. } = &mut self.output;
        match drop_oldest.is_chosen() {
            true => drop_oldest.push(data),
            false => buffer.push(data, spares),
        }
    }

    pub(crate) fn set_slow_reader(&mut self, slow_reader: SlowReader, spares: &mut Spares) {
        let Output { buffer, drop_oldest, limits, .. } = &mut self.output;
        limits.set_slow_reader(slow_reader);
        drop_oldest.choose(slow_reader, false, buffer, spares);
    }

    /// Returns the time limit of the attempt that has just begun.
    pub(crate) fn share(&self, now: Instant) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        share(left.unwrap_or(self.options.timeout), self.remaining.len() + 1)
    }

    pub(crate) fn error(&self, cause: io::Error) -> Error {
        #[cfg(unix)]
        if let Address::Unix(address) = &self.address {
            return cannot_connect_unix(address.to_string(), cause);
        }
        cannot_connect(self.address.to_string(), cause)
    }
}

/// Returns the time limit of the next of `count` attempts: an equal share of the remaining time, so that a
/// silent address leaves time for the later ones.
pub(crate) fn share(left: Duration, attempts: usize) -> Duration {
    left / attempts as u32
}
