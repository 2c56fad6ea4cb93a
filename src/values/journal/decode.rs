//! Decoding of records: from memory, and from the units of a file.

use crate::values::id::Id;
use crate::values::journal::names::{
    Arrival, Callback, StopPhase, SystemCall, TimerJob, WaitLimit,
};
use crate::values::journal::raw::{HEADER, Raw, RecordKind, UNIT, VERSION, name_of_subject};
use crate::values::journal::record::{CallOutcome, Record, What};
use crate::values::readiness::Readiness;
use crate::values::reason::Reason;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The longest text in a file that is read, in bytes: type names can be long, but not without limit.
const LONGEST_TEXT: u32 = 64 * 1024;

/// What the records so far have said: the time, and the types of callback objects.
#[derive(Debug, Default)]
pub(crate) struct DecodeState {
    time: Duration,
    /// The sockets with the numbers of their types' names, by slot: so missing records leave nothing behind.
    types: BTreeMap<usize, (Id, u32)>,
    /// The parts of an IPv6 address.
    parts: [[u8; 6]; 2],
}

/// A record without its name.
#[derive(Debug)]
pub(crate) struct Decoded {
    time: Duration,
    id: Option<Id>,
    name: Option<u32>,
    what: What,
}

impl Decoded {
    pub(crate) fn with_name<'a>(self, node: &'a str, names: &'a [impl AsRef<str>]) -> Record<'a> {
        let Self { time, id, name, what } = self;
        let name = name.and_then(|number| names.get(number as usize)).map_or("", AsRef::as_ref);
        Record { time, node, id, name, what }
    }
}

impl DecodeState {
    pub(crate) fn missing(&self, count: u64) -> Decoded {
        Decoded { time: self.time, id: None, name: None, what: What::Missing(count) }
    }

    /// Decodes the next record. Returns `None` if more records are needed, or if it is malformed.
    pub(crate) fn step(&mut self, raw: Raw) -> Option<Decoded> {
        let kind = raw.kind()?;
        let has_time =
            matches!(kind, RecordKind::TurnBegins | RecordKind::Waited | RecordKind::TurnEnds);
        if has_time {
            self.time = Duration::from_nanos(raw.subject);
        }
        if kind == RecordKind::Owned {
            let id = Id::from_number(raw.subject)?;
            self.types.insert(id.slot(), (id, raw.value));
        }
        let what = self.what(kind, raw)?;
        let is_of_turn = has_time || kind == RecordKind::Missing;
        let id = Id::from_number(raw.subject).filter(|_| !is_of_turn);
        let of_type = id.and_then(|id| {
            let (of, name) = self.types.get(&id.slot())?;
            (*of == id).then_some(*name)
        });
        if kind == RecordKind::Freed {
            id.and_then(|id| self.types.remove(&id.slot()));
        }
        let name = name_of_subject(raw.subject).filter(|_| !is_of_turn).or(of_type);
        Some(Decoded { time: self.time, id, name, what })
    }

    fn what(&mut self, kind: RecordKind, raw: Raw) -> Option<What> {
        let (Raw { subject, value, .. }, detail) = (raw, raw.detail());
        let low = usize::from(detail & 0xff);
        Some(match kind {
            RecordKind::TurnBegins => {
                let limit = (value != u32::MAX).then(|| Duration::from_micros(value.into()));
                What::TurnBegins(limit, WaitLimit::at(low)?)
            }
            RecordKind::Waited => What::Waited,
            RecordKind::TurnEnds => What::TurnEnds,
            RecordKind::Event if subject == Id::WAKER.number() => What::Woken,
            RecordKind::Event if subject == Id::SIGNALS.number() => What::Signalled,
            RecordKind::Event => What::Event(Readiness::from_bits(value as u8)),
            RecordKind::Syscall => {
                What::Syscall(SystemCall::at(low)?, CallOutcome::unpacked(detail, value)?)
            }
            RecordKind::Called => What::Called(Callback::at(low)?, value),
            RecordKind::Returned if detail == 0 => {
                What::Returned(Duration::from_nanos(value.into()))
            }
            RecordKind::Returned => What::Returned(Duration::from_micros(value.into())),
            RecordKind::Panicked => What::Panicked(Callback::at(low)?),
            RecordKind::Deferred => What::Deferred,
            RecordKind::Held => What::Held,
            RecordKind::TimerFired => What::TimerFired(TimerJob::at(low)?, value),
            RecordKind::Arrived => What::Arrived(Arrival::at(low)?),
            RecordKind::Resolved => What::Resolved(value),
            RecordKind::Signal => What::Signal(value as i32),
            RecordKind::Exited if detail == 0 => What::Exited(Ok(value as i32)),
            RecordKind::Exited => What::Exited(Err(value as i32)),
            _ => return self.what_of_connection(kind, raw),
        })
    }

    fn what_of_connection(&mut self, kind: RecordKind, raw: Raw) -> Option<What> {
        let (Raw { subject, value, .. }, detail) = (raw, raw.detail());
        let low = usize::from(detail & 0xff);
        Some(match kind {
            RecordKind::Queued => What::Queued,
            RecordKind::Crossed => What::Crossed(detail != 0, value),
            RecordKind::Made => What::Made,
            RecordKind::Lost => What::Lost(Reason::NAMES.get(low).copied()?),
            RecordKind::Freed => What::Freed,
            RecordKind::Owned => What::Owned,
            RecordKind::Closing => What::Closing(value),
            RecordKind::Stop => What::Stop(StopPhase::at(low)?),
            RecordKind::Noted => What::Noted(value),
            RecordKind::Flushed => What::Flushed(value),
            RecordKind::PeerV4 => What::Peer((Ipv4Addr::from(value), detail).into()),
            RecordKind::LocalV4 => What::Local((Ipv4Addr::from(value), detail).into()),
            RecordKind::PeerV6Third => What::Peer(self.join_address(six_bytes(raw))),
            RecordKind::LocalV6Third => What::Local(self.join_address(six_bytes(raw))),
            RecordKind::PeerV6First | RecordKind::LocalV6First => {
                self.parts[0] = six_bytes(raw);
                return None;
            }
            RecordKind::PeerV6Second | RecordKind::LocalV6Second => {
                self.parts[1] = six_bytes(raw);
                return None;
            }
            RecordKind::Missing => What::Missing(subject),
            _ => return None,
        })
    }

    /// Returns the address with this last part.
    fn join_address(&self, [a, b, c, d, high, low]: [u8; 6]) -> SocketAddr {
        let mut address = [0; 16];
        address[..6].copy_from_slice(&self.parts[0]);
        address[6..12].copy_from_slice(&self.parts[1]);
        address[12..].copy_from_slice(&[a, b, c, d]);
        (Ipv6Addr::from(address), u16::from_be_bytes([high, low])).into()
    }
}

fn six_bytes(raw: Raw) -> [u8; 6] {
    let ([a, b, c, d], [e, f]) = (raw.value.to_be_bytes(), raw.detail().to_be_bytes());
    [a, b, c, d, e, f]
}

/// The kinds of the records of an address: IPv4, and the three parts of IPv6.
pub(super) type AddressKinds = [RecordKind; 4];

pub(super) const LOCAL: AddressKinds = [
    RecordKind::LocalV4,
    RecordKind::LocalV6First,
    RecordKind::LocalV6Second,
    RecordKind::LocalV6Third,
];

pub(super) const PEER: AddressKinds = [
    RecordKind::PeerV4,
    RecordKind::PeerV6First,
    RecordKind::PeerV6Second,
    RecordKind::PeerV6Third,
];

/// Returns the records of an address: kind, detail and value.
pub(super) fn address_records(
    [v4, v6 @ ..]: AddressKinds,
    address: SocketAddr,
) -> impl Iterator<Item = (RecordKind, u16, u32)> {
    let mut records = [None; 3];
    match address.ip() {
        IpAddr::V4(ip) => records[0] = Some((v4, address.port(), u32::from(ip))),
        IpAddr::V6(ip) => {
            let mut bytes = [0; 18];
            bytes[..16].copy_from_slice(&ip.octets());
            bytes[16..].copy_from_slice(&address.port().to_be_bytes());
            for ((record, kind), part) in records.iter_mut().zip(v6).zip(bytes.chunks(6)) {
                let value = u32::from_be_bytes([part[0], part[1], part[2], part[3]]);
                *record = Some((kind, u16::from_be_bytes([part[4], part[5]]), value));
            }
        }
    }
    records.into_iter().flatten()
}

/// A decoder of journal files. Any bytes may be pushed: what is no record is an error, and never a panic.
///
/// ```
/// use ropewalk::{Error, Reactor};
/// use ropewalk::journal::{Cursor, Decoder};
///
/// let mut reactor = Reactor::new()?;
/// reactor.turn(Some(std::time::Duration::ZERO))?;
/// let mut file = Vec::new();
/// reactor.context().journal().encode(&mut Cursor::default(), &mut file);
///
/// let mut decoder = Decoder::default();
/// for unit in file.chunks(Decoder::UNIT) {
///     if let Some(record) = decoder.push(unit).expect("it is a journal") {
///         println!("{record}");
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    begun: bool,
    node: Node,
    number: u64,
    /// The other nodes, by their numbers.
    others: BTreeMap<u64, Node>,
    /// The text that is being read.
    text: Option<(RecordKind, u64, usize, Vec<u8>)>,
}

/// One reactor of a file.
#[derive(Debug, Default)]
struct Node {
    name: String,
    names: Vec<String>,
    state: DecodeState,
}

impl Decoder {
    /// The number of bytes of a unit of a file.
    pub const UNIT: usize = UNIT;

    /// Decodes the next [unit](Self::UNIT) of a file. Not every unit is a record.
    ///
    /// # Errors
    ///
    /// If the unit is too short, if the file is no journal or has another version, or if the unit is no record. Decoding can
    /// continue after it.
    pub fn push(&mut self, unit: &[u8]) -> Result<Option<Record<'_>>, Malformed> {
        let unit: [u8; UNIT] =
            unit.try_into().map_err(|_| Malformed("the file ends within a record"))?;
        if !self.begun {
            self.begun = unit == HEADER;
            return if self.begun {
                Ok(None)
            } else {
                Err(Malformed("it is no journal of ropewalk"))
            };
        }
        if self.text.is_some() {
            self.push_text(&unit)?;
            return Ok(None);
        }
        let raw = Raw::from_bytes(unit);
        match raw.kind().ok_or(Malformed("a record of an unknown kind"))? {
            RecordKind::Format if raw.value == VERSION => Ok(None),
            RecordKind::Format => Err(Malformed("it was written by another version of ropewalk")),
            kind @ (RecordKind::Name | RecordKind::Node) => self.begin_text(kind, raw),
            RecordKind::PeerV6First
            | RecordKind::PeerV6Second
            | RecordKind::LocalV6First
            | RecordKind::LocalV6Second => {
                self.node.state.step(raw);
                Ok(None)
            }
            _ => match self.node.state.step(raw) {
                Some(decoded) => Ok(Some(decoded.with_name(&self.node.name, &self.node.names))),
                None => Err(Malformed("a record with an unknown number")),
            },
        }
    }

    fn begin_text(&mut self, kind: RecordKind, raw: Raw) -> Result<Option<Record<'_>>, Malformed> {
        if kind == RecordKind::Node {
            let left = std::mem::take(&mut self.node);
            self.others.insert(self.number, left);
            self.number = raw.subject;
            self.node = self.others.remove(&self.number).unwrap_or_default();
        }
        match raw.value {
            0 => {}
            length if length > LONGEST_TEXT => return Err(Malformed("a name is too long")),
            length => self.text = Some((kind, raw.subject, length as usize, Vec::new())),
        }
        Ok(None)
    }

    fn push_text(&mut self, unit: &[u8]) -> Result<(), Malformed> {
        let Some((kind, number, length, mut bytes)) = self.text.take() else { return Ok(()) };
        bytes.extend(&unit[..unit.len().min(length - bytes.len())]);
        if bytes.len() < length {
            self.text = Some((kind, number, length, bytes));
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| Malformed("a name is not UTF-8"))?;
        match kind {
            RecordKind::Node => self.node.name = text,
            _ if number == self.node.names.len() as u64 => self.node.names.push(text),
            _ => return Err(Malformed("a name with a wrong number")),
        }
        Ok(())
    }
}

/// Why a unit of a file could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}
