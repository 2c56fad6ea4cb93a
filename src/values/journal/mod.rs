//! The journal: a ring of records of what the reactor does.
//!
//! To record costs about ten instructions: one store of 16 bytes, and a count. Nothing is formatted and
//! nothing is allocated, except for the first appearance of a name.

mod decode;
mod names;
mod raw;
mod record;
mod ring;
mod text;

pub use decode::{Decoder, Malformed};
pub use names::{Arrival, Callback, StopPhase, SystemCall, TimerJob, WaitLimit};
pub use record::{CallOutcome, Record, What};
pub use text::short_name;

pub(crate) use raw::RecordKind;

use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::readiness::Readiness;
use decode::DecodeState;
use raw::Raw;
use ring::Ring;
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

/// The default number of records: 64 KiB, the last few milliseconds of a busy reactor.
const CAPACITY: usize = 4096;

/// The journal of a reactor: a ring of records of its last events, system calls and callbacks.
///
/// Every reactor keeps one, of 4,096 records by default. A new record replaces the oldest. Its text is made only when
/// it is read. [`Context::journal`](crate::Context::journal) returns it,
/// [`Reactor::set_journal_capacity`](crate::Reactor::set_journal_capacity) changes its size, and an
/// [`Observer`](crate::journal::Observer) receives it after each turn.
///
/// ```
/// use ropewalk::{Error, Protocol, Reactor, Transport};
/// use ropewalk::journal::{Callback, What};
/// use std::io::Write;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
/// let mut client = std::net::TcpStream::connect(port.address()).unwrap();
/// client.write_all(b"hello").unwrap();
/// let received = |what: &What| matches!(what, What::Called(Callback::DataReceived, 5));
/// while !reactor.context().journal().records().any(|record| received(&record.what)) {
///     reactor.turn(None)?;
/// }
/// for record in reactor.context().journal().records() {
///     println!("{record}");
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct Journal {
    ring: Ring,
    /// The time from which the records count.
    epoch: Instant,
    /// The names of types and closures: records have their numbers.
    names: Vec<&'static str>,
    numbers: BTreeMap<(usize, usize), u32>,
}

impl Journal {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { ring: Ring::new(CAPACITY), epoch, names: Vec::new(), numbers: BTreeMap::new() }
    }

    /// Sets the number of records. Earlier records are dropped.
    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.ring = Ring::following(&self.ring, capacity);
    }

    /// Returns the number of records that it keeps at least. 0 means that nothing is recorded.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Returns true if records are kept.
    pub(crate) fn is_on(&self) -> bool {
        self.ring.is_on()
    }

    /// Returns the number of records made so far.
    pub fn recorded(&self) -> u64 {
        self.ring.recorded()
    }

    /// Returns the number of records that newer ones have replaced.
    pub fn replaced(&self) -> u64 {
        self.ring.replaced()
    }

    /// Returns the records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut state = DecodeState::default();
        let raws = (self.replaced()..self.recorded()).filter_map(|number| self.ring.get(number));
        raws.filter_map(move |raw| Some(state.step(raw)?.with_name("", &self.names)))
    }

    /// Calls `receive` with each record since the last call with this cursor. If records were replaced since, the first is
    /// [`What::Missing`].
    pub fn read(&self, cursor: &mut Cursor, mut receive: impl FnMut(&Record<'_>)) {
        let missing = cursor.skip_replaced(self);
        if missing > 0 {
            receive(&cursor.state.missing(missing).with_name("", &self.names));
        }
        while let Some(raw) = self.ring.get(cursor.next) {
            cursor.next += 1;
            if let Some(decoded) = cursor.state.step(raw) {
                receive(&decoded.with_name("", &self.names));
            }
        }
    }

    /// Appends the records since the last call with this cursor to `out`, in the format of a journal file: units of 16
    /// bytes, for a [`Decoder`]. The first call also writes the header.
    pub fn encode(&self, cursor: &mut Cursor, out: &mut Vec<u8>) {
        if !cursor.begun && cursor.node.as_ref().is_none_or(|(number, _)| *number == 0) {
            out.extend(raw::HEADER);
            out.extend(Raw::new(0, RecordKind::Format, 0, raw::VERSION).bytes());
        }
        cursor.begun = true;
        if let Some((number, name)) = &mut cursor.node {
            // The name is given once.
            raw::encode_text(RecordKind::Node, *number, &mem::take(name), out);
        }
        let missing = cursor.skip_replaced(self);
        if missing > 0 {
            out.extend(Raw::new(missing, RecordKind::Missing, 0, 0).bytes());
        }
        for (number, name) in self.names.iter().enumerate().skip(cursor.names) {
            raw::encode_name(number as u64, name, out);
        }
        cursor.names = self.names.len();
        while let Some(raw) = self.ring.get(cursor.next) {
            cursor.next += 1;
            out.extend(raw.bytes());
        }
    }

    /// Records something about a socket.
    #[inline(always)]
    pub(crate) fn note(&mut self, id: Id, kind: RecordKind, detail: u16, value: usize) {
        self.push(id.number(), kind, detail, value as u32);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, subject: u64, kind: RecordKind, detail: u16, value: u32) {
        self.ring.push(Raw::new(subject, kind, detail, value));
    }

    /// Records something at a time: the records that follow have it.
    pub(crate) fn at(&mut self, time: Instant, kind: RecordKind, detail: u16, value: u32) {
        if self.is_on() {
            let since = time.saturating_duration_since(self.epoch);
            // In 64 bits, for 584 years: `as_nanos` takes longer.
            let nanos = since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos());
            self.ring.push_on(Raw::new(nanos, kind, detail, value));
        }
    }

    /// Records that a callback is called.
    #[inline(always)]
    pub(crate) fn called(&mut self, subject: u64, called: CalledWith) {
        self.push(subject, RecordKind::Called, u16::from(called.callback.index()), called.bytes);
    }

    /// Records that a callback has returned.
    pub(crate) fn returned(&mut self, subject: u64, took: Duration) {
        let (detail, value) = match u32::try_from(took.as_nanos()) {
            Ok(nanos) => (0, nanos),
            Err(_) => (1, took.as_micros().try_into().unwrap_or(u32::MAX)),
        };
        self.push(subject, RecordKind::Returned, detail, value);
    }

    /// Records a phase of a stop.
    pub(crate) fn stop(&mut self, phase: StopPhase) {
        self.push(Id::NONE.number(), RecordKind::Stop, phase.index().into(), 0);
    }

    /// Records an event.
    #[inline(always)]
    pub(crate) fn event(&mut self, id: Id, readiness: Readiness) {
        self.note(id, RecordKind::Event, 0, readiness.bits().into());
    }

    /// Records an event, and the read of data that it has caused: usually there are both, and one check suffices.
    #[inline(always)]
    pub(crate) fn event_and_read(&mut self, id: Id, readiness: Readiness, count: usize) {
        if self.is_on() {
            let (id, bits) = (id.number(), readiness.bits().into());
            self.ring.push_on(Raw::new(id, RecordKind::Event, 0, bits));
            let receive = SystemCall::Receive.index().into();
            self.ring.push_on(Raw::new(id, RecordKind::Syscall, receive, count as u32));
        }
    }

    /// Records a read of data.
    #[inline(always)]
    pub(crate) fn received(&mut self, id: Id, count: usize) {
        self.note(id, RecordKind::Syscall, SystemCall::Receive.index().into(), count);
    }

    /// Records a write of data.
    #[inline(always)]
    pub(crate) fn sent(&mut self, id: Id, count: usize) {
        self.note(id, RecordKind::Syscall, SystemCall::Send.index().into(), count);
    }

    /// Records a system call.
    pub(crate) fn system(&mut self, id: Id, call: SystemCall, outcome: CallOutcome) {
        let (detail, value) = outcome.packed();
        self.note(id, RecordKind::Syscall, detail | u16::from(call.index()), value as usize);
    }

    /// Records the peer of a connection, unless it is a Unix socket.
    pub(crate) fn made(&mut self, id: Id, peer: &Address) {
        self.note(id, RecordKind::Made, 0, 0);
        self.address(id, decode::PEER, peer);
    }

    /// Records the local address of a connection attempt that has succeeded.
    pub(crate) fn local(&mut self, id: Id, local: &Address) {
        self.address(id, decode::LOCAL, local);
    }

    fn address(&mut self, id: Id, kinds: decode::AddressKinds, address: &Address) {
        let address = address.socket_addr().into_iter();
        for (kind, detail, value) in address.flat_map(|it| decode::address_records(kinds, it)) {
            self.push(id.number(), kind, detail, value);
        }
    }

    /// Records the callback object of a socket.
    pub(crate) fn owned(&mut self, id: Id, type_name: &'static str) {
        let number = self.number(type_name);
        self.note(id, RecordKind::Owned, 0, number as usize);
    }

    /// Returns the subject of records about code without a socket.
    pub(crate) fn subject_of(&mut self, name: &'static str) -> u64 {
        if self.is_on() { raw::subject_of_name(self.number(name)) } else { 0 }
    }

    /// Returns the number of a name. Names are compared by their address.
    fn number(&mut self, name: &'static str) -> u32 {
        if !self.is_on() {
            return 0;
        }
        let names = &mut self.names;
        *self.numbers.entry((name.as_ptr() as usize, name.len())).or_insert_with(|| {
            names.push(name);
            names.len() as u32 - 1
        })
    }

    /// Records a number of the program's own, between the reactor's records: see [`What::Noted`].
    pub fn mark(&mut self, number: u32) {
        self.push(Id::NONE.number(), RecordKind::Noted, 0, number);
    }

    /// Sets the instant from which the times of new records count.
    pub(crate) fn set_epoch(&mut self, epoch: Instant) {
        self.epoch = epoch;
    }

    /// Returns the time since the reactor was made.
    pub fn time_of(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.epoch)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Journal");
        debug.field("capacity", &self.capacity()).field("recorded", &self.recorded());
        debug.finish_non_exhaustive()
    }
}

/// A callback with the number of bytes that it receives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalledWith {
    pub(crate) callback: Callback,
    bytes: u32,
}

impl Callback {
    /// Returns the callback with the number of bytes that it receives.
    #[inline(always)]
    pub(crate) fn with(self, bytes: usize) -> CalledWith {
        CalledWith { callback: self, bytes: bytes as u32 }
    }
}

impl From<Callback> for CalledWith {
    #[inline(always)]
    fn from(callback: Callback) -> Self {
        callback.with(0)
    }
}

/// A position in a journal: see [`Journal::read`] and [`Journal::encode`]. A new one is at the oldest record.
#[derive(Debug, Default)]
pub struct Cursor {
    next: u64,
    begun: bool,
    names: usize,
    state: DecodeState,
    /// The number and the name of a reactor that shares the file with others.
    node: Option<(u64, String)>,
}

impl Cursor {
    /// Returns a position at the oldest record, for [`Journal::encode`] to a file with the records of several reactors.
    ///
    /// Each reactor has a number of its own, from 0. The first call for the file must be that of number 0: it writes the
    /// header. Records are read with the name of the node: see [`Record::node`]. Several reactors may have the same.
    pub fn of_node(number: u64, name: &str) -> Self {
        Self { node: Some((number, name.to_owned())), ..Self::default() }
    }

    /// Moves to the oldest record that is kept. Returns the number of those that were skipped.
    fn skip_replaced(&mut self, journal: &Journal) -> u64 {
        let missing = journal.replaced().saturating_sub(self.next);
        self.next += missing;
        missing
    }
}
