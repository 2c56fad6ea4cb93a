//! Datagram sockets: queued datagrams, and events for the protocol.

mod multicast;
mod queue;
mod receive;

use crate::source::error::{cannot_receive, cannot_send, cannot_send_unix};
use crate::source::listener::BACKOFF;
use crate::sys::{DatagramBackend, Readiness};
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::logging::DATAGRAM;
use crate::values::statistics::DatagramCounts;
use log::trace;
pub(crate) use multicast::MulticastSettings;
use queue::{DatagramQueue, Queued};
pub(crate) use receive::DatagramOutcome;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// The most datagrams that a socket receives in one turn, and the most queued ones that it sends. More would
/// delay other sockets.
pub(crate) const DATAGRAMS: usize = 256;

/// The most errors that wait for a callback. If a callback sends a million datagrams that are too long, the
/// first ones are reported and the others are counted.
const ERRORS: usize = 64;

/// A datagram socket.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// `None` once it is closed. The entry is kept until the protocol was notified.
    pub(crate) socket: Option<Box<dyn DatagramBackend>>,
    /// True if the poll reports when the socket can send again.
    pub(crate) writable_watched: bool,
    /// The local address. Stored here, since it is also available after the socket was closed.
    pub(crate) address: Address,
    pub(crate) peer: Option<Address>,
    /// After `connect`, the peer: datagrams of other senders, which arrived before, are discarded until the
    /// socket would block.
    only: Option<Address>,
    pub(crate) max_size: usize,
    /// A read buffer of its own, if the shared one is too short.
    pub(crate) buffer: Vec<u8>,
    pub(crate) readiness: Readiness,
    /// True if the last attempt to receive has failed.
    failing: bool,
    /// True until a timer has fired, after which the socket sends and receives again.
    pub(crate) backing_off: bool,
    /// The last delay between attempts to send while no event reports free space.
    retry_delay: Duration,
    queue: DatagramQueue,
    events: VecDeque<DatagramEvent>,
    /// True if the last such callback was to pause.
    paused: bool,
    /// True if a callback is pending.
    pub(crate) callback_pending: bool,
    counts: DatagramCounts,
    pub(crate) multicast: MulticastSettings,
}

/// An event for the protocol.
#[derive(Debug)]
pub(crate) enum DatagramEvent {
    Refused,
    Failed(Error),
    Paused,
    Resumed,
    Closed,
}

impl Datagram {
    pub(crate) fn new(
        socket: Box<dyn DatagramBackend>,
        address: Address,
        peer: Option<Address>,
        options: &DatagramOptions,
    ) -> Self {
        Self {
            socket: Some(socket),
            writable_watched: false,
            address,
            peer,
            only: None,
            max_size: options.max_datagram_size,
            buffer: Vec::new(),
            readiness: Readiness::WRITABLE,
            failing: false,
            backing_off: false,
            retry_delay: Duration::ZERO,
            queue: DatagramQueue::new(options),
            events: VecDeque::new(),
            paused: false,
            callback_pending: false,
            counts: DatagramCounts::default(),
            multicast: MulticastSettings::default(),
        }
    }

    fn is_writable(&self) -> bool {
        self.readiness.has(Readiness::WRITABLE)
    }

    /// Sends a datagram behind the queued ones, or queues it if the socket would block.
    pub(crate) fn send(&mut self, data: &[u8], to: Option<&Address>) {
        if self.socket.is_none() {
            return;
        }
        if to.is_none() && self.peer.is_none() {
            let error = io::Error::new(io::ErrorKind::NotConnected, "the socket has no peer");
            return self.drop_one(data.len(), to, error);
        }
        if let Some(Err(error)) = to.map(|to| self.check_family(to)) {
            return self.drop_one(data.len(), to, error);
        }
        if !self.queue.is_empty() || !self.transmit(data, to) {
            self.keep(data, to);
        }
    }

    /// Refuses a Unix address for a socket with an IP address, and vice versa. The system's errors differ, and
    /// are less clear.
    fn check_family(&self, address: &Address) -> io::Result<()> {
        match address.ip().is_none() == self.address.ip().is_none() {
            true => Ok(()),
            false => {
                let text = "a datagram cannot be sent between a Unix socket and an IP address";
                Err(io::Error::new(io::ErrorKind::Unsupported, text))
            }
        }
    }

    /// Sends queued datagrams, as far as the socket and the budget allow. Returns true if more could be sent.
    pub(crate) fn flush(&mut self) -> bool {
        for _ in 0..DATAGRAMS {
            if !self.is_writable() || self.socket.is_none() {
                break;
            }
            let Some(first) = self.queue.pop() else { break };
            if !self.transmit(&first.data, first.to.as_ref()) {
                self.queue.put_back(first);
            }
        }
        self.queue.note_space();
        self.is_writable() && self.socket.is_some() && !self.queue.is_empty()
    }

    /// Sends a datagram, or drops it after an error. Returns false if the socket would block.
    fn transmit(&mut self, data: &[u8], to: Option<&Address>) -> bool {
        let mut result = self.try_to_send(data, to);
        if self.peer.as_ref().is_some_and(|peer| peer.ip().is_some())
            && let Err(error) = result
        {
            // The error may be the network's answer to an earlier datagram, which the next call returns,
            // whatever it does. Then this datagram has not been tried yet.
            result = match error.kind() {
                io::ErrorKind::WouldBlock => Err(error),
                _ => self.try_again(data, to, error),
            };
        }
        match result {
            Ok(()) => {
                self.counts.sent += 1;
                self.retry_delay = Duration::ZERO;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.clear(Readiness::WRITABLE);
                return false;
            }
            Err(error) => self.drop_one(data.len(), to, error),
        }
        true
    }

    fn try_to_send(&self, data: &[u8], to: Option<&Address>) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let result = socket.send(data, to);
        trace!(target: DATAGRAM, "{} send {}: {result:?}", self.address, data.len());
        result
    }

    fn try_again(&mut self, data: &[u8], to: Option<&Address>, first: io::Error) -> io::Result<()> {
        let second = self.try_to_send(data, to);
        match &second {
            // Both errors concern this datagram.
            Err(second) if second.kind() == first.kind() && !is_refusal(&first) => {}
            _ => self.handle_error(first),
        }
        second
    }

    /// Queues a datagram, or drops it if the queue is full.
    fn keep(&mut self, data: &[u8], to: Option<&Address>) {
        match self.queue.push(data, to) {
            Queued::Kept => {}
            Queued::StillOverflow => self.counts.dropped += 1,
            Queued::Overflow => {
                let text = "the send queue is full";
                self.drop_one(data.len(), to, io::Error::new(io::ErrorKind::WouldBlock, text));
            }
        }
    }

    fn drop_one(&mut self, length: usize, to: Option<&Address>, error: io::Error) {
        self.counts.dropped += 1;
        let receiver = to.or(self.peer.as_ref());
        let over_unix = receiver.is_some_and(|to| to.ip().is_none());
        // A Unix socket answers at once, about this datagram, and is no longer connected.
        if over_unix && to.is_none() && error.kind() == io::ErrorKind::NotConnected {
            return self.handle_error(io::ErrorKind::ConnectionRefused.into());
        }
        if is_refusal(&error) && !(over_unix && to.is_some()) {
            return self.handle_error(error);
        }
        let what = match receiver {
            Some(to) => format!("{length} bytes to {to}"),
            None => format!("{length} bytes"),
        };
        let cannot = if over_unix { cannot_send_unix } else { cannot_send };
        self.report(cannot(what, error));
    }

    /// Handles an error that does not concern the datagram being sent. A socket without a peer ignores that one
    /// of its many receivers refused a datagram.
    fn handle_error(&mut self, error: io::Error) {
        match &self.peer {
            Some(_) if is_refusal(&error) => {
                if !matches!(self.events.back(), Some(DatagramEvent::Refused)) {
                    self.events.push_back(DatagramEvent::Refused);
                }
            }
            None if is_refusal(&error) => {}
            Some(peer) => {
                let what = format!("{} from {peer}", self.address);
                self.report(cannot_receive(what, error));
            }
            None => self.report(cannot_receive(self.address.to_string(), error)),
        }
    }

    /// Adds an error to the events.
    pub(crate) fn report(&mut self, error: Error) {
        if self.events.len() < ERRORS {
            self.events.push_back(DatagramEvent::Failed(error));
        }
    }

    /// Counts and reports a datagram that was refused before it reached the socket.
    pub(crate) fn refuse(&mut self, error: Error) {
        self.counts.dropped += 1;
        self.report(error);
    }

    /// Ends it: a last attempt is made to send queued datagrams, and no more are accepted or delivered. Returns
    /// the socket for the caller to close.
    pub(crate) fn end(&mut self) -> Option<Box<dyn DatagramBackend>> {
        self.readiness |= Readiness::WRITABLE; // Unknown; the attempt finds out.
        while self.flush() {}
        self.counts.dropped += self.queue.clear() as u64;
        self.socket.take()
    }

    /// Returns true if the socket's registration with the poll has to change.
    pub(crate) fn watch_changes(&self) -> bool {
        let waits = !self.queue.is_empty() && self.gets_space_events();
        self.socket.is_some() && self.writable_watched != waits
    }

    /// Returns true if the poll reports when a queued datagram can be sent. A datagram on a Unix socket waits
    /// for space in its receiver's queue. The poll reports that only for the socket's peer; for other receivers
    /// it reports after each attempt, or never.
    fn gets_space_events(&self) -> bool {
        self.address.ip().is_some() || self.peer.is_some() && self.queue.is_for_peer()
    }

    /// Returns true if there are queued datagrams and the socket would block.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.queue.is_empty() && !self.is_writable()
    }

    /// Returns the delay before the next attempt. Without events that report free space it is a millisecond,
    /// doubled after each attempt that would block.
    pub(crate) fn next_delay(&mut self) -> Duration {
        if self.gets_space_events() || !self.is_stuck() {
            return BACKOFF;
        }
        self.retry_delay = (self.retry_delay * 2).clamp(Duration::from_millis(1), BACKOFF);
        self.retry_delay
    }

    pub(crate) fn end_backoff(&mut self) {
        self.backing_off = false;
        self.readiness |= Readiness::WRITABLE; // A hint, like those of the poll.
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty() || self.socket.is_none() || self.paused == self.queue.is_empty()
    }

    /// Takes the next event for the protocol.
    pub(crate) fn next_event(&mut self) -> Option<DatagramEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if self.socket.is_none() {
            return Some(DatagramEvent::Closed);
        }
        if self.paused != self.queue.is_empty() {
            return None;
        }
        self.paused = !self.paused;
        Some(if self.paused { DatagramEvent::Paused } else { DatagramEvent::Resumed })
    }

    /// Returns the number of queued bytes.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    pub(crate) fn counts(&self) -> DatagramCounts {
        DatagramCounts { queued: self.queue.len(), ..self.counts }
    }
}

/// Returns the error of a request to a closed socket.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket is closed")
}

/// Returns true if an error is the answer of a machine on which no socket receives at that port. Windows calls
/// it a reset.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset)
}
