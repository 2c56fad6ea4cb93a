//! The forms in which a journal file is read: one function for each.

mod chrome;
mod explain;
mod packet;
mod pcapng;
mod statistics;
mod text;

pub use chrome::write_chrome;
pub use explain::write_explanation;
pub use pcapng::write_pcapng;
pub use statistics::write_statistics;
pub use text::{Filter, write_text};

use ropewalk::journal::{Decoder, Record};
use std::fmt;
use std::io::{self, ErrorKind, Read};

/// Calls `receive` with each record of a journal file, in order. Returns their number.
///
/// Records of several reactors have [names of nodes](Record::node).
///
/// # Errors
///
/// If a read fails, if `receive` fails, or if the file is malformed: then the records before that place have been
/// received. A file that was cut off, since its program was killed, is malformed at its end.
pub fn read(
    mut file: impl Read,
    mut receive: impl FnMut(&Record<'_>) -> io::Result<()>,
) -> Result<u64, Failure> {
    let (mut decoder, mut offset, mut count) = (Decoder::default(), 0, 0);
    let mut unit = [0; Decoder::UNIT];
    loop {
        let length = fill(&mut file, &mut unit).map_err(Failure::Read)?;
        if length == 0 && offset > 0 {
            return Ok(count);
        }
        let malformed = |why: &dyn fmt::Display| Failure::Malformed(offset, why.to_string());
        if length == 0 {
            return Err(malformed(&"the file is empty"));
        }
        if let Some(record) = decoder.push(&unit[..length]).map_err(|why| malformed(&why))? {
            receive(&record).map_err(Failure::Write)?;
            count += 1;
        }
        offset += length as u64;
    }
}

/// Reads until `unit` is full or the file ends. Returns the number of bytes.
fn fill(file: &mut impl Read, unit: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < unit.len() {
        match file.read(&mut unit[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Why a journal could not be read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The file is malformed at this offset in bytes, and why.
    Malformed(u64, String),
    /// The file could not be read.
    Read(io::Error),
    /// The output could not be written.
    Write(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(offset, why) => write!(f, "malformed at byte {offset}: {why}"),
            Self::Read(error) => write!(f, "cannot read: {error}"),
            Self::Write(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for Failure {}
