//! Connections in the making. Floor 1: it knows what has become of the attempt, others make the next.

use crate::address::Address;
use crate::error::{Action, Error};
use crate::options::ConnectOptions;
use crate::outbox::Outbox;
use crate::stream::{Limits, Producing, WriteSide};
use crate::timer::TimerId;
use crate::world::{Readiness, StreamSocket};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

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
    /// Ends the whole when it fires.
    pub(crate) timer: TimerId,
    /// How to connect.
    pub(crate) options: ConnectOptions,
    /// Whether the connection takes descriptors.
    pub(crate) takes_descriptors: bool,
    /// How long to wait for room in the queue of a listener that was full.
    #[cfg_attr(not(unix), allow(dead_code))]
    // Only listeners on Unix sockets have such a queue.
    pub(crate) patience: Duration,
    /// What was asked of the connection before there was one: the stream takes it over.
    pub(crate) early: Outbox,
    pub(crate) write_side: WriteSide,
    pub(crate) paused: bool,
    pub(crate) limits: Limits,
    pub(crate) producing: Producing,
    pub(crate) registration: u32,
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

    pub(crate) fn error(&self, cause: io::Error) -> Error {
        #[cfg(unix)]
        if let Address::Unix(address) = &self.address {
            return Error::new(Action::ConnectUnix, address.to_string(), cause);
        }
        Error::new(Action::Connect, self.address.to_string(), cause)
    }
}
