//! Redaction: filler in place of payloads.

use crate::bytes::Bytes;
use crate::file::{BlockReader, BlockWriter, Header, invalid};
use crate::outcome::Outcome;
use crate::record::{Call, Codec, Method};
use std::io::{self, Read, Write};

/// The byte in place of every other byte of a payload.
const FILLER: u8 = b'x';

/// Returns the record with filler of the same length in place of payloads: received bytes, datagrams and messages. Line
/// ends stay, so that lines keep their lengths. The hashes of written bytes are 0.
pub(crate) fn without_payload<'a>(
    call: &Call<'a>,
    outcome: &'a Outcome<'_>,
    filler: &'a mut Vec<u8>,
) -> (Call<'a>, Outcome<'a>) {
    let call = match *call {
        Call::Write { socket, length, descriptors, .. } => {
            Call::Write { socket, length, hash: 0, descriptors }
        }
        Call::Send { socket, length, to, .. } => Call::Send { socket, length, hash: 0, to },
        call => call,
    };
    let has_payload = matches!(
        call,
        Call::Read { .. } | Call::Receive { .. } | Call::Other { method: Method::Message, .. }
    );
    let outcome = match outcome {
        Outcome::Bytes(data) if has_payload => Outcome::Bytes(fill(filler, data)),
        Outcome::Message { data, cut, stopped } => {
            Outcome::Message { data: fill(filler, data), cut: *cut, stopped: *stopped }
        }
        Outcome::Datagram { length, from, data } => {
            Outcome::Datagram { length: *length, from, data: fill(filler, data) }
        }
        outcome => outcome.again(),
    };
    (call, outcome)
}

fn fill<'a>(filler: &'a mut Vec<u8>, data: &[u8]) -> &'a [u8] {
    filler.clear();
    let keep = |byte: &u8| matches!(byte, b'\n' | b'\r');
    filler.extend(data.iter().map(|byte| if keep(byte) { *byte } else { FILLER }));
    filler
}

/// Copies a recording without the bytes of users: received bytes, datagrams and messages become `x`, with the line ends
/// kept, and the hashes of written bytes are removed. Lengths, times, errors, names and addresses stay.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # use ropewalk::{Reactor, backend::System};
/// # let file = std::env::temp_dir().join(format!("redact-{}", std::process::id()));
/// # let copy = file.with_extension("redacted");
/// # let recorder = ropewalk_replay::Recorder::to_file(System::new()?, &file, "a test")?;
/// # drop(Reactor::with_backend(recorder));
/// ropewalk_replay::redact(std::fs::File::open(&file)?, std::fs::File::create(&copy)?)?;
/// # std::fs::remove_file(&file)?;
/// # std::fs::remove_file(&copy)
/// # }
/// ```
///
/// # Errors
///
/// If the recording is cut off or damaged, or a file cannot be read or written.
pub fn redact(from: impl Read + 'static, to: impl Write + 'static) -> io::Result<()> {
    let mut blocks = BlockReader::new(Box::new(from))?;
    let header = Header { redacted: true, ..blocks.header.clone() };
    let mut redacted = BlockWriter::new(&header, Box::new(to))?;
    let (mut decoder, mut encoder) = (Codec::default(), Codec::default());
    let (mut block, mut filler) = (Vec::new(), Vec::new());
    while blocks.next(&mut block)? {
        let mut records = Bytes(&block);
        while !records.is_empty() {
            let decoded = decoder.decode(&mut records);
            let (call, outcome) = decoded.map_err(|cause| invalid(cause.to_string()))?;
            let (call, outcome) = without_payload(&call, &outcome, &mut filler);
            encoder.encode(&mut redacted.block, &call, &outcome);
        }
        redacted.flush()?;
    }
    Ok(())
}
