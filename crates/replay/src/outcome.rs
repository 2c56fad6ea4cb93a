//! Outcomes: what a call to the backend returned.

use crate::bytes::{Bytes, Malformed, put_bytes, put_number};
use crate::value::{self, put_error};
use std::io;

/// What a call to the backend returned.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    Done,
    /// The write has taken everything that was offered.
    All,
    Failed(io::Error),
    /// Bytes that were read, or encoded values.
    Bytes(&'a [u8]),
    Count(u64),
    Flag(bool),
    Text(&'a str),
    /// Absent: no error, no address, no exit.
    Nothing,
    /// The properties of a new socket, and the address of its peer.
    Socket(u8, &'a [u8]),
    /// The length of a datagram, its sender, and as much of it as had room.
    Datagram {
        length: u64,
        from: &'a [u8],
        data: &'a [u8],
    },
    /// What was read with descriptors, of which there were none; and whether some were cut off, or the read stopped.
    Message {
        data: &'a [u8],
        cut: bool,
        stopped: bool,
    },
    /// A reading of the clock, in nanoseconds since the first. It has no encoding of its own.
    Time(u64),
}

/// Returns true for the most frequent error, which costs a byte.
fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        && error.raw_os_error().is_none()
        && error.get_ref().is_none()
}

/// Copies an error, as far as a record has it.
pub(crate) fn same_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None if error.get_ref().is_some() => io::Error::new(error.kind(), error.to_string()),
        None => error.kind().into(),
    }
}

impl<'a> Outcome<'a> {
    #[inline]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Done => out.push(0),
            Self::All => out.push(1),
            Self::Failed(error) if would_block(error) => out.push(2),
            Self::Failed(error) => {
                out.push(3);
                put_error(out, error);
            }
            Self::Bytes(bytes) => {
                out.push(4);
                put_bytes(out, bytes);
            }
            Self::Count(count) => {
                out.push(5);
                put_number(out, *count);
            }
            Self::Flag(flag) => out.push(6 + u8::from(*flag)),
            Self::Text(text) => {
                out.push(8);
                put_bytes(out, text.as_bytes());
            }
            Self::Nothing => out.push(9),
            Self::Socket(shape, address) => {
                out.extend([10, *shape]);
                put_bytes(out, address);
            }
            Self::Datagram { length, from, data } => {
                out.push(11);
                put_number(out, *length);
                put_bytes(out, from);
                put_bytes(out, data);
            }
            Self::Message { data, cut, stopped } => {
                out.extend([12, u8::from(*cut) | u8::from(*stopped) << 1]);
                put_bytes(out, data);
            }
            Self::Time(_) => {}
        }
    }

    /// Returns the same outcome.
    pub(crate) fn again(&'a self) -> Self {
        match self {
            Self::Done => Self::Done,
            Self::All => Self::All,
            Self::Failed(error) => Self::Failed(same_error(error)),
            Self::Bytes(bytes) => Self::Bytes(bytes),
            Self::Count(count) => Self::Count(*count),
            Self::Flag(flag) => Self::Flag(*flag),
            Self::Text(text) => Self::Text(text),
            Self::Nothing => Self::Nothing,
            Self::Socket(shape, address) => Self::Socket(*shape, address),
            Self::Datagram { length, from, data } => Self::Datagram { length: *length, from, data },
            Self::Message { data, cut, stopped } => {
                Self::Message { data, cut: *cut, stopped: *stopped }
            }
            Self::Time(time) => Self::Time(*time),
        }
    }

    pub(crate) fn decode(bytes: &mut Bytes<'a>) -> Result<Self, Malformed> {
        Ok(match bytes.byte()? {
            0 => Self::Done,
            1 => Self::All,
            2 => Self::Failed(io::ErrorKind::WouldBlock.into()),
            3 => Self::Failed(value::error(bytes)?),
            4 => Self::Bytes(bytes.bytes()?),
            5 => Self::Count(bytes.number()?),
            6 => Self::Flag(false),
            7 => Self::Flag(true),
            8 => Self::Text(bytes.text()?),
            9 => Self::Nothing,
            10 => Self::Socket(bytes.byte()?, bytes.bytes()?),
            11 => Self::Datagram {
                length: bytes.number()?,
                from: bytes.bytes()?,
                data: bytes.bytes()?,
            },
            12 => {
                let flags = bytes.byte()?;
                let data = bytes.bytes()?;
                Self::Message { data, cut: flags & 1 != 0, stopped: flags & 2 != 0 }
            }
            _ => return Err(Malformed("an outcome is unknown")),
        })
    }
}
