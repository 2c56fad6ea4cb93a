//! The file: a header, then blocks of records.
//!
//! The header is the eight bytes of [`MAGIC`], the version of the format, flags, and three texts: the version of this
//! crate, the system, and a note of the program; then their hash. A block is its length (4 bytes), its hash (8 bytes) and
//! its records. All numbers of fixed length have the lowest byte first. The hash of each block starts from that of the
//! one before, and that of the first from the header's. So the hash of the last block is that of the whole recording.

use crate::bytes::{Bytes, Malformed, put_bytes};
use crate::hash::hash;
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"ROPEREC\n";

/// The version of the format. A reader refuses any other.
const VERSION: u8 = 1;

/// A block is written when it has reached this size: one write for hundreds of records.
pub(crate) const BLOCK: usize = 64 * 1024;

/// The largest block that a reader accepts: one record can be larger than [`BLOCK`].
pub(crate) const MAX_BLOCK: usize = 32 * 1024 * 1024;

/// The bytes before the records of a block.
const PREFIX: usize = 12;

/// The most bytes of a text in the header.
const MAX_TEXT: usize = 4096;

const REDACTED: u8 = 1;
const OBSERVED: u8 = 2;
const PASSES_DESCRIPTORS: u8 = 4;

/// What a recording says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// Payloads are replaced by filler.
    pub(crate) redacted: bool,
    /// The backend received every callback, which makes the reactor read the clock more often.
    pub(crate) observed: bool,
    /// Descriptors could be passed over Unix connections.
    pub(crate) passes_descriptors: bool,
    pub(crate) crate_version: String,
    pub(crate) system: String,
    pub(crate) note: String,
}

impl Header {
    pub(crate) fn new(note: &str) -> Self {
        let ends = note.char_indices().map(|(at, character)| at + character.len_utf8());
        let end = ends.take_while(|end| *end <= MAX_TEXT).last().unwrap_or(0);
        Self {
            crate_version: env!("CARGO_PKG_VERSION").to_owned(),
            system: std::env::consts::OS.to_owned(),
            note: note[..end].to_owned(),
            ..Self::default()
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let flags = [
            (self.redacted, REDACTED),
            (self.observed, OBSERVED),
            (self.passes_descriptors, PASSES_DESCRIPTORS),
        ];
        let flags = flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
        out.extend([VERSION, flags]);
        let mut texts = Vec::new();
        for text in [&self.crate_version, &self.system, &self.note] {
            put_bytes(&mut texts, text.as_bytes());
        }
        out.extend((texts.len() as u16).to_le_bytes());
        out.extend(texts);
        out
    }

    fn decode(flags: u8, mut texts: Bytes<'_>) -> Result<Self, Malformed> {
        let [crate_version, system, note] = [texts.text()?, texts.text()?, texts.text()?];
        Ok(Self {
            redacted: flags & REDACTED != 0,
            observed: flags & OBSERVED != 0,
            passes_descriptors: flags & PASSES_DESCRIPTORS != 0,
            crate_version: crate_version.to_owned(),
            system: system.to_owned(),
            note: note.to_owned(),
        })
    }
}

/// Writes blocks.
pub(crate) struct BlockWriter {
    out: Box<dyn Write>,
    /// The hash of the last block, or of the header.
    pub(crate) chain: u64,
    /// The bytes written so far.
    pub(crate) bytes: u64,
    /// The records that are not written yet, behind room for their prefix.
    pub(crate) block: Vec<u8>,
}

impl BlockWriter {
    /// Writes the header.
    pub(crate) fn new(header: &Header, mut out: Box<dyn Write>) -> io::Result<Self> {
        let mut bytes = header.encode();
        let chain = hash(0, &bytes);
        bytes.extend(chain.to_le_bytes());
        out.write_all(&bytes)?;
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        block.resize(PREFIX, 0);
        Ok(Self { out, chain, bytes: bytes.len() as u64, block })
    }

    /// Returns true if the block has reached its size.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.block.len() >= BLOCK
    }

    /// Writes the records so far, so that the file has them whatever happens to the program.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some((prefix, records)) = self.block.split_first_chunk_mut::<PREFIX>() else {
            return Ok(());
        };
        if records.is_empty() {
            return self.out.flush();
        }
        if records.len() > MAX_BLOCK {
            let text = format!("a record of {} bytes is too long", records.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.chain = hash(self.chain, records);
        prefix[..4].copy_from_slice(&(records.len() as u32).to_le_bytes());
        prefix[4..].copy_from_slice(&self.chain.to_le_bytes());
        self.out.write_all(&self.block)?;
        self.bytes += self.block.len() as u64;
        self.block.truncate(PREFIX);
        self.block.shrink_to(2 * BLOCK);
        self.out.flush()
    }
}

/// Reads blocks, and checks their hashes.
pub(crate) struct BlockReader {
    from: Box<dyn Read>,
    pub(crate) header: Header,
    pub(crate) chain: u64,
    /// The bytes read so far.
    pub(crate) bytes: u64,
}

impl BlockReader {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If it is no recording, is damaged, or has another version or system.
    pub(crate) fn new(mut from: Box<dyn Read>) -> io::Result<Self> {
        let mut fixed = [0; 12];
        from.read_exact(&mut fixed).map_err(short)?;
        if &fixed[..8] != MAGIC {
            return Err(invalid("this is no recording (it does not begin as one)".to_owned()));
        }
        if fixed[8] != VERSION {
            return Err(invalid(format!(
                "the recording has version {} of the format, and this program reads version \
                 {VERSION} (use the program that recorded it)",
                fixed[8]
            )));
        }
        let mut texts = vec![0; usize::from(u16::from_le_bytes([fixed[10], fixed[11]]))];
        let mut recorded = [0; 8];
        from.read_exact(&mut texts).and_then(|()| from.read_exact(&mut recorded)).map_err(short)?;
        let chain = hash(0, &[&fixed[..], &texts].concat());
        if chain.to_le_bytes() != recorded {
            return Err(invalid("the header of the recording is damaged".to_owned()));
        }
        let header = Header::decode(fixed[9], Bytes(&texts))
            .map_err(|cause| invalid(format!("the header of the recording is damaged: {cause}")))?;
        let bytes = (fixed.len() + texts.len() + recorded.len()) as u64;
        Ok(Self { from, header, chain, bytes })
    }

    /// Reads the next block into `block`. Returns false at the end of the file.
    ///
    /// # Errors
    ///
    /// If the block is cut off or damaged.
    pub(crate) fn next(&mut self, block: &mut Vec<u8>) -> io::Result<bool> {
        block.clear();
        let mut prefix = [0; PREFIX];
        let count = read_up_to(&mut self.from, &mut prefix)?;
        if count == 0 {
            return Ok(false);
        }
        let at = self.bytes;
        let (length, recorded) = prefix.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
        if count < PREFIX {
            return Err(invalid(format!("the recording is cut off at byte {}", at + count as u64)));
        }
        if length == 0 || length > MAX_BLOCK {
            return Err(invalid(format!("the recording is damaged at byte {at}")));
        }
        // A damaged length reserves no memory.
        let read = (&mut self.from).take(length as u64).read_to_end(block)?;
        self.bytes += (PREFIX + read) as u64;
        if read < length {
            return Err(invalid(format!("the recording is cut off at byte {}", self.bytes)));
        }
        self.chain = hash(self.chain, block);
        if self.chain.to_le_bytes() != recorded {
            return Err(invalid(format!("the recording is damaged behind byte {at}")));
        }
        Ok(true)
    }
}

/// Fills the buffer, or stops at the end of the file. Returns how many bytes were read.
fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match from.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn short(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            invalid("this is no recording (it is shorter than a header)".to_owned())
        }
        _ => error,
    }
}
