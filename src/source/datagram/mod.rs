//! Datagram sockets: what waits to be sent, and what there is to tell. Floor 1: it reports, others
//! act.

mod queue;
mod receive;

use crate::source::error::cannot_receive;
use crate::source::error::cannot_send;
use crate::source::error::cannot_send_unix;
use crate::source::listener::BACKOFF;
use crate::sys::{DatagramBackend, Readiness};
use crate::values::address::Address;
use crate::values::datagram_options::DatagramOptions;
use crate::values::error::Error;
use crate::values::logging::DATAGRAM;
use crate::values::statistics::DatagramCounts;
use log::trace;
use queue::{DatagramQueue, Queued};
pub(crate) use receive::DatagramOutcome;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// How many datagrams a socket receives in one turn, and how many of those that waited it sends.
pub(crate) const DATAGRAMS: usize = 256;

/// How many errors wait to be told. A callback that sends a million datagrams which are too long
/// gets to know of the first, and the others are counted.
const ERRORS: usize = 64;

/// A datagram socket.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// `None` once it has been closed; then it stays until its protocol has been told.
    pub(crate) socket: Option<Box<dyn DatagramBackend>>,
    /// The poll reports when the socket can send again.
    pub(crate) writable_watched: bool,
    /// Where it is bound. Kept, since it is told even when the socket is closed.
    pub(crate) address: Address,
    pub(crate) peer: Option<Address>,
    /// The one peer of which datagrams are delivered, until the socket is dry: what others sent before it
    /// was connected may be in it.
    only: Option<Address>,
    pub(crate) max_size: usize,
    /// Only if it needs a longer one than that which all share.
    pub(crate) buffer: Vec<u8>,
    pub(crate) readiness: Readiness,
    /// Receiving has failed, and nothing has come since.
    failing: bool,
    /// It waits for a timer, and then tries again whatever it has to do.
    pub(crate) backing_off: bool,
    /// How long it last waited for room of which nobody tells.
    patience: Duration,
    queue: DatagramQueue,
    events: VecDeque<DatagramEvent>,
    /// It was last told to pause.
    paused: bool,
    /// There is a notice for it already.
    pub(crate) noticed: bool,
    counts: DatagramCounts,
}

/// Something of which the protocol has to be told.
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
            patience: Duration::ZERO,
            queue: DatagramQueue::new(options),
            events: VecDeque::new(),
            paused: false,
            noticed: false,
            counts: DatagramCounts::default(),
        }
    }

    fn is_writable(&self) -> bool {
        self.readiness.has(Readiness::WRITABLE)
    }

    /// Sends a datagram after all that wait; what the socket does not take waits, too.
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

    /// Refuses a Unix address for a socket with an IP address, and the other way round. The system's answers are
    /// several, and say less.
    fn check_family(&self, address: &Address) -> io::Result<()> {
        match address.ip().is_none() == self.address.ip().is_none() {
            true => Ok(()),
            false => {
                let text = "sockets with an IP address and Unix sockets do not reach each other";
                Err(io::Error::new(io::ErrorKind::Unsupported, text))
            }
        }
    }

    /// Sends what waits, as far as the socket and the budget allow. Whether more could be sent.
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
        self.queue.note_room();
        self.is_writable() && self.socket.is_some() && !self.queue.is_empty()
    }

    /// Whether the socket has taken a datagram, or it is dropped; if not, it has to wait.
    fn transmit(&mut self, data: &[u8], to: Option<&Address>) -> bool {
        let mut result = self.try_to_send(data, to);
        if self.peer.as_ref().is_some_and(|peer| peer.ip().is_some())
            && let Err(error) = result
        {
            // It may be the network's answer to an earlier one, which the next call tells of,
            // whatever it is about. Then this one has not been tried yet.
            result = match error.kind() {
                io::ErrorKind::WouldBlock => Err(error),
                _ => self.try_again(data, to, error),
            };
        }
        match result {
            Ok(()) => {
                self.counts.sent += 1;
                self.patience = Duration::ZERO;
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
            // Both are about this one.
            Err(second) if second.kind() == first.kind() && !is_refusal(&first) => {}
            _ => self.hear(first),
        }
        second
    }

    /// Has a datagram wait, if there is room.
    fn keep(&mut self, data: &[u8], to: Option<&Address>) {
        match self.queue.push(data, to) {
            Queued::Kept => {}
            Queued::StillOverflow => self.counts.dropped += 1,
            Queued::Overflow => {
                let text = "too much waits to be sent";
                self.drop_one(data.len(), to, io::Error::new(io::ErrorKind::WouldBlock, text));
            }
        }
    }

    fn drop_one(&mut self, length: usize, to: Option<&Address>, error: io::Error) {
        self.counts.dropped += 1;
        let receiver = to.or(self.peer.as_ref());
        let over_unix = receiver.is_some_and(|to| to.ip().is_none());
        // A Unix socket answers at once, and about this one; and it is not connected any more then.
        let gone = over_unix && to.is_none() && error.kind() == io::ErrorKind::NotConnected;
        if gone {
            return self.hear(io::ErrorKind::ConnectionRefused.into());
        }
        if is_refusal(&error) && !(over_unix && to.is_some()) {
            return self.hear(error);
        }
        let what = match receiver {
            Some(to) => format!("{length} bytes to {to}"),
            None => format!("{length} bytes to nobody"),
        };
        let cannot = if over_unix { cannot_send_unix } else { cannot_send };
        self.report(cannot(what, error));
    }

    /// An error that is not about what is being sent. Who is not connected does not hear that one of
    /// many peers has gone.
    fn hear(&mut self, error: io::Error) {
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

    /// Has the protocol told of an error.
    pub(crate) fn report(&mut self, error: Error) {
        if self.events.len() < ERRORS {
            self.events.push_back(DatagramEvent::Failed(error));
        }
    }

    /// A datagram that never came as far as here.
    pub(crate) fn refuse(&mut self, error: Error) {
        self.counts.dropped += 1;
        self.report(error);
    }

    /// Ends it: what waits gets a last chance, and no more datagrams are taken or delivered. The
    /// socket is the caller's to close.
    pub(crate) fn end(&mut self) -> Option<Box<dyn DatagramBackend>> {
        self.readiness |= Readiness::WRITABLE; // Who knows; a last try tells.
        while self.flush() {}
        self.counts.dropped += self.queue.clear() as u64;
        self.socket.take()
    }

    /// Whether the poll has to be told anew what to watch for.
    pub(crate) fn watch_changes(&self) -> bool {
        let waits = !self.queue.is_empty() && self.gets_room_events();
        self.socket.is_some() && self.writable_watched != waits
    }

    /// Whether the poll tells when there is room. What a Unix socket waits for is room at the receiver's,
    /// of which it hears only if that is its peer; else the poll speaks up after each attempt, or never.
    fn gets_room_events(&self) -> bool {
        self.address.ip().is_some() || self.peer.is_some() && self.queue.is_for_peer()
    }

    /// Whether something waits for room.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.queue.is_empty() && !self.is_writable()
    }

    /// For how long to rest now: for room of which nobody tells a millisecond, and twice as long each time
    /// that there was none.
    pub(crate) fn rest(&mut self) -> Duration {
        if self.gets_room_events() || !self.is_stuck() {
            return BACKOFF;
        }
        self.patience = (self.patience * 2).clamp(Duration::from_millis(1), BACKOFF);
        self.patience
    }

    pub(crate) fn end_backoff(&mut self) {
        self.backing_off = false;
        self.readiness |= Readiness::WRITABLE; // As good as any hint.
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty() || self.socket.is_none() || self.paused == self.queue.is_empty()
    }

    /// The next thing to tell the protocol.
    pub(crate) fn next_event(&mut self) -> Option<DatagramEvent> {
        if let Some(events) = self.events.pop_front() {
            return Some(events);
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

    /// How many bytes wait to be sent.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    pub(crate) fn counts(&self) -> DatagramCounts {
        DatagramCounts { waiting: self.queue.len(), ..self.counts }
    }
}

/// What is to be done with a socket that is closed.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket is closed")
}

/// The answer of a machine on which nobody receives at that port. Windows calls it a reset.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset)
}
