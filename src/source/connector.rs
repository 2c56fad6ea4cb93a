//! Connections in the making. Floor 1: it knows what has become of the attempt, others make the next.

use crate::source::send_buffer::Spares;
use crate::source::stream::Output;
use crate::source::timer::TimerId;
use crate::sys::{Readiness, StreamSocket};
use crate::values::address::Address;
use crate::values::error::{Action, Error};
use crate::values::options::ConnectOptions;
use crate::values::slow_reader::SlowReader;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// A connection in the making: one address of a name after the other, until one answers.
#[derive(Debug)]
pub(crate) struct Connector {
    /// The attempt that is under way.
    pub(crate) socket: Option<StreamSocket>,
    /// The system has refused even to begin the first attempt, for this reason.
    pub(crate) refused: Option<io::Error>,
    /// Where the attempt under way, or the last one, goes.
    pub(crate) address: Address,
    /// The addresses not tried yet.
    pub(crate) remaining: VecDeque<Address>,
    /// Ends the attempt under way when it fires, and the whole with the last.
    pub(crate) timer: TimerId,
    /// When the whole ends; `None` is beyond all time.
    pub(crate) deadline: Option<Instant>,
    /// How to connect.
    pub(crate) options: ConnectOptions,
    /// Whether the connection takes descriptors.
    pub(crate) takes_descriptors: bool,
    /// How long to wait for room in the queue of a listener that was full.
    #[cfg_attr(not(unix), allow(dead_code))]
    // Only listeners on Unix sockets have such a queue.
    pub(crate) patience: Duration,
    /// What was written before there is a connection, and what else was asked: the stream takes it over.
    pub(crate) output: Output,
    pub(crate) paused: bool,
    /// Hints that came with the news of being connected; the stream inherits them.
    pub(crate) readiness: Readiness,
}

impl Connector {
    /// What has become of the attempt under way: the peer's address if it has succeeded, and
    /// `Ok(None)` as long as nothing has.
    pub(crate) fn outcome(&mut self) -> io::Result<Option<Address>> {
        match self.refused.take() {
            Some(error) => Err(error),
            None => self.socket.as_ref().map_or(Ok(None), StreamSocket::connected_to),
        }
    }

    /// Takes data to be sent once there is a connection.
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

    /// How long the attempt that has just begun may take.
    pub(crate) fn share(&self, now: Instant) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        share(left.unwrap_or(self.options.timeout), self.remaining.len() + 1)
    }

    pub(crate) fn error(&self, cause: io::Error) -> Error {
        #[cfg(unix)]
        if let Address::Unix(address) = &self.address {
            return Error::new(Action::ConnectUnix, address.to_string(), cause);
        }
        Error::new(Action::Connect, self.address.to_string(), cause)
    }
}

/// How long the first of so many attempts may take: its part of what is left of the time, so that an address
/// that does not answer leaves time for those behind it.
pub(crate) fn share(left: Duration, attempts: usize) -> Duration {
    left / attempts as u32
}
