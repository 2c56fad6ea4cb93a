//! State of an outgoing connection attempt: its addresses, and the sockets that race to connect to them (RFC 8305).

use crate::source::error::cannot_connect;
#[cfg(unix)]
use crate::source::error::cannot_connect_unix;
use crate::source::names::{Wanted, alternate, is_ipv6};
use crate::source::send_buffer::Spares;
use crate::source::stream::{Output, WriteSide};
use crate::source::timer::TimerId;
use crate::sys::errno::{MFILE, NFILE};
use crate::sys::{Readiness, StreamBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::{Error, Explained, Sentence};
use crate::values::id::Id;
use crate::values::options::ConnectOptions;
use crate::values::slow_reader::SlowReader;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The most sockets that race at a time. The next attempt takes the place of the oldest, so that silent addresses do
/// not keep later ones from being tried. With the default delay each has two seconds, in which a lost SYN is
/// repeated.
pub(crate) const MAX_RACING: usize = 8;

/// The least delay between two attempts (RFC 8305, section 8).
const MIN_DELAY: Duration = Duration::from_millis(10);

/// The first and the longest pause before an address is tried again because the queue of a listener on a Unix socket
/// was full.
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(1);
const MAX_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A connection attempt: sockets race to the addresses of a name, and the first that connects wins.
#[derive(Debug)]
pub(crate) struct Connector {
    /// The name or the addresses to connect to, for errors.
    pub(crate) target: String,
    /// The look-up of the name, until it ends.
    pub(crate) look_up: Option<Wanted>,
    /// True if addresses have arrived one by one, so that the first one does not lead.
    pub(crate) arrived_singly: bool,
    /// The sockets that are connecting, the oldest first.
    pub(crate) racing: Vec<Racer>,
    /// The address of the latest socket; unknown before the first.
    pub(crate) address: Address,
    /// The addresses not tried yet.
    pub(crate) remaining: VecDeque<Address>,
    /// The addresses that have failed, with their reasons.
    pub(crate) failures: Vec<(Address, io::Error)>,
    /// True if the next address is to be tried now: an attempt has failed, or the delay is over.
    pub(crate) due: bool,
    /// The timer that makes the next address due.
    pub(crate) delay_timer: Option<TimerId>,
    /// The timer that ends the whole.
    pub(crate) timer: TimerId,
    /// The deadline of the whole; `None` is no deadline.
    pub(crate) deadline: Option<Instant>,
    /// The options of the caller.
    pub(crate) options: ConnectOptions,
    /// The pause before the next attempt if the queue of a listener on a Unix socket was full.
    pub(crate) retry_delay: Duration,
    /// Data written before the connection exists, and other requests; the stream takes them over.
    pub(crate) output: Output,
    pub(crate) paused: bool,
}

/// A socket that is connecting.
#[derive(Debug)]
pub(crate) struct Racer {
    /// The id that it is registered under: that of the connector, or one with another serial in the same slot.
    pub(crate) id: Id,
    pub(crate) socket: StreamSocket,
    pub(crate) address: Address,
    /// Hints that arrived with its success; the stream takes them over.
    pub(crate) readiness: Readiness,
}

/// The outcome of a race so far.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// This socket is connected to this peer.
    Connected(Racer, Address),
    /// This socket has failed.
    Failed(Racer, io::Error),
    /// The sockets are still connecting, or there is none.
    Racing,
}

impl Connector {
    /// Adds addresses that were found, but none twice.
    pub(crate) fn add(&mut self, found: impl IntoIterator<Item = SocketAddr>) {
        for address in found.into_iter().map(Address::Inet) {
            let failed = self.failures.iter().map(|(address, _)| address);
            let racing = self.racing.iter().map(|racer| &racer.address);
            if !failed.chain(racing).chain(&self.remaining).any(|known| *known == address) {
                self.remaining.push_back(address);
            }
        }
        let ipv6_first = match &self.address {
            Address::Unknown if self.arrived_singly => true,
            Address::Unknown => self.remaining.front().is_some_and(is_ipv6),
            latest => !is_ipv6(latest),
        };
        alternate(&mut self.remaining, ipv6_first);
    }

    /// Returns true if no address was tried.
    pub(crate) fn is_untried(&self) -> bool {
        self.racing.is_empty() && self.failures.is_empty()
    }

    /// Removes the first socket that is no longer connecting, and returns it.
    pub(crate) fn outcome(&mut self) -> Outcome {
        for (index, racer) in self.racing.iter().enumerate() {
            match racer.socket.connected_to() {
                Ok(None) => {}
                Ok(Some(peer)) => return Outcome::Connected(self.racing.remove(index), peer),
                Err(error) => return Outcome::Failed(self.racing.remove(index), error),
            }
        }
        Outcome::Racing
    }

    /// Returns the racing socket that is registered under this token.
    pub(crate) fn find(&mut self, token: usize) -> Option<&mut Racer> {
        self.racing.iter_mut().find(|racer| racer.id.token() == token)
    }

    /// Returns true if the time limit of the whole has passed.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Returns the delay before the next attempt: at most that of the options, and so short that each remaining
    /// address is tried within the time limit.
    pub(crate) fn delay(&mut self, now: Instant) -> Duration {
        if self.racing.is_empty() {
            let pause = self.retry_delay;
            self.retry_delay = (pause * 2).min(MAX_RETRY_DELAY);
            return pause;
        }
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let attempts = self.remaining.len() as u32 + 1;
        let share = left.unwrap_or(self.options.timeout) / attempts;
        share.min(self.options.attempt_delay).max(MIN_DELAY)
    }

    /// Returns true if an attempt that the system has refused is put off, and its address tried again later: the
    /// listener's queue on a Unix socket is full, or descriptors have run out while other sockets may still succeed.
    pub(crate) fn is_put_off(&self, error: &io::Error) -> bool {
        match error.raw_os_error() {
            Some(MFILE | NFILE) => !self.racing.is_empty(),
            _ => error.kind() == io::ErrorKind::WouldBlock && self.address.ip().is_none(),
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

    /// Makes the error of the whole, which has ended with `cause` for all addresses.
    pub(crate) fn error(&self, cause: io::Error) -> Error {
        #[cfg(unix)]
        if let Address::Unix(address) = &self.address {
            return cannot_connect_unix(address.to_string(), cause);
        }
        cannot_connect(self.target.clone(), cause)
    }

    /// Makes the error of the failures: it lists each address with its reason. It has the kind of the last one.
    pub(crate) fn error_of_failures(&mut self) -> Error {
        let Some((address, last)) = self.failures.pop() else {
            return self.error(timed_out());
        };
        if self.failures.is_empty() && self.remaining.is_empty() {
            let address = address.to_string();
            if self.target != address {
                self.target += " at ";
                self.target += &address;
            }
            return self.error(last);
        }
        let kind = last.kind();
        let alike = self.failures.iter().all(|(_, error)| error.kind() == kind);
        self.failures.push((address, last));
        let failures = self.failures.iter();
        let reasons = failures.map(|(address, error)| format!("{address}: {}", Sentence(error)));
        let mut text = format!("every address failed: {}", reasons.collect::<Vec<_>>().join("; "));
        if !self.remaining.is_empty() {
            text = format!("{text}; {} more addresses were not tried", self.remaining.len());
        }
        self.error(match alike {
            true => io::Error::new(kind, text),
            false => Explained::error(kind, text),
        })
    }
}

/// The reason why an address failed that has not answered in its time.
pub(crate) fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "timed out")
}
