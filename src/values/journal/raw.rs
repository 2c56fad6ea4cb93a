//! Records as they are stored: 16 bytes each, in memory and in files.

use crate::values::id::Id;

/// The first 16 bytes of a journal file.
pub(crate) const HEADER: [u8; UNIT] = *b"ropewalk journal";

/// The version of the format: the value of the second unit of a file.
pub(crate) const VERSION: u32 = 1;

/// The length of a record, and of each other part of a file.
pub(crate) const UNIT: usize = 16;

/// A record: what, about which socket or code, and one or two numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw {
    /// The id of a socket, the number of a name ([`subject_of_name`]), or the time in nanoseconds.
    pub(crate) subject: u64,
    pub(crate) value: u32,
    /// The detail, and the kind above it: one number, since it is often constant, and then one store.
    tag: u32,
}

/// The kinds of records. Files store them: new ones are added at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    #[default]
    Nothing,
    TurnBegins,
    Waited,
    TurnEnds,
    Event,
    Syscall,
    Called,
    Returned,
    Panicked,
    Deferred,
    Held,
    TimerFired,
    Arrived,
    Resolved,
    Signal,
    Exited,
    Queued,
    Crossed,
    Made,
    Lost,
    Freed,
    Owned,
    Closing,
    Stop,
    Noted,
    Flushed,
    PeerV4,
    /// An address of 16 bytes and a port, in three records of six bytes.
    PeerV6First,
    PeerV6Second,
    PeerV6Third,
    // These are not in memory, only in files.
    Missing,
    Name,
    Node,
    Format,
    // In memory again.
    LocalV4,
    LocalV6First,
    LocalV6Second,
    LocalV6Third,
}

impl RecordKind {
    const ALL: [Self; 38] = [
        Self::Nothing,
        Self::TurnBegins,
        Self::Waited,
        Self::TurnEnds,
        Self::Event,
        Self::Syscall,
        Self::Called,
        Self::Returned,
        Self::Panicked,
        Self::Deferred,
        Self::Held,
        Self::TimerFired,
        Self::Arrived,
        Self::Resolved,
        Self::Signal,
        Self::Exited,
        Self::Queued,
        Self::Crossed,
        Self::Made,
        Self::Lost,
        Self::Freed,
        Self::Owned,
        Self::Closing,
        Self::Stop,
        Self::Noted,
        Self::Flushed,
        Self::PeerV4,
        Self::PeerV6First,
        Self::PeerV6Second,
        Self::PeerV6Third,
        Self::Missing,
        Self::Name,
        Self::Node,
        Self::Format,
        Self::LocalV4,
        Self::LocalV6First,
        Self::LocalV6Second,
        Self::LocalV6Third,
    ];
}

impl Raw {
    #[inline(always)]
    pub(crate) fn new(subject: u64, kind: RecordKind, detail: u16, value: u32) -> Self {
        Self { subject, value, tag: (kind as u32) << 16 | detail as u32 }
    }

    pub(crate) fn detail(self) -> u16 {
        self.tag as u16
    }

    /// Returns its kind, if it is known: a file may contain any number.
    pub(crate) fn kind(self) -> Option<RecordKind> {
        RecordKind::ALL.get(self.tag as usize >> 16).copied()
    }

    pub(crate) fn bytes(self) -> [u8; UNIT] {
        let mut bytes = [0; UNIT];
        bytes[..8].copy_from_slice(&self.subject.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.value.to_le_bytes());
        bytes[12..].copy_from_slice(&self.tag.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; UNIT]) -> Self {
        let [a, b, c, d, e, f, g, h, v, w, x, y, tag @ ..] = bytes;
        Self {
            subject: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            value: u32::from_le_bytes([v, w, x, y]),
            tag: u32::from_le_bytes(tag),
        }
    }
}

/// Returns the subject of a record about code that belongs to no socket: the slot is that of no socket, and the number
/// of the name, counted from 1, takes the place of the serial.
pub(crate) fn subject_of_name(number: u32) -> u64 {
    Id::NONE.number() | (u64::from(number) + 1) << 24
}

/// Returns the number of the name that a subject stands for.
pub(crate) fn name_of_subject(subject: u64) -> Option<u32> {
    let none = Id::NONE.number();
    let number = subject >> 24;
    // A file may contain any number.
    u32::try_from(number.checked_sub(1)?).ok().filter(|_| subject & none == none)
}

/// Appends the name of a type or closure.
pub(crate) fn encode_name(number: u64, name: &str, out: &mut Vec<u8>) {
    encode_text(RecordKind::Name, number, name, out);
}

/// Appends a text: a record with its length, and units with its bytes.
pub(crate) fn encode_text(kind: RecordKind, number: u64, text: &str, out: &mut Vec<u8>) {
    out.extend(Raw::new(number, kind, 0, text.len() as u32).bytes());
    out.extend(text.as_bytes());
    out.resize(out.len().next_multiple_of(UNIT), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_has_sixteen_bytes() {
        assert_eq!(size_of::<Raw>(), UNIT);
    }

    #[test]
    fn each_kind_survives_its_encoding() {
        for (number, kind) in RecordKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            let raw = Raw::new(u64::MAX - 7, kind, 0x1234, 0x5678_9abc);
            let read = Raw::from_bytes(raw.bytes());
            assert_eq!((read.kind(), read.detail()), (Some(kind), 0x1234));
            assert_eq!(read.bytes(), raw.bytes());
        }
        assert!(Raw::from_bytes([0xff; UNIT]).kind().is_none());
    }

    #[test]
    fn names_are_no_sockets() {
        assert_eq!(name_of_subject(subject_of_name(0)), Some(0));
        assert_eq!(name_of_subject(subject_of_name(70_000)), Some(70_000));
        assert_eq!(name_of_subject(Id::new(3, 5).number()), None);
        assert_eq!(name_of_subject(Id::NONE.number()), None);
        assert_eq!(name_of_subject(Id::NONE.number() | 1 << 57), None);
    }
}
