//! The model of one direction of a connection: what was written, in order, and what has arrived of it.

use std::collections::VecDeque;
use std::sync::OnceLock;

/// How many different bytes there are, in frames and in files.
pub(crate) const TABLE: usize = 4_000_000;

/// How many bytes of a frame come before its data.
const HEADER: usize = 8;

/// What a receiver has to get next.
#[derive(Debug)]
enum Segment {
    /// One write: a number, its data, and whether a descriptor goes with it.
    Frame { number: u32, length: usize, descriptor: bool },
    /// A part of the file.
    File { from: usize, length: usize },
}

/// One direction of a connection. The bytes of frames have their highest bit set, those of files do
/// not, so a receiver sees at once which of the two it has before it.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    segments: VecDeque<Segment>,
    frames: u32,
    /// How far the file has been sent.
    pub(crate) file_position: usize,
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// Bytes of frames that were left out, and whether any may be.
    pub(crate) skipped: u64,
    pub(crate) may_skip: bool,
    /// The beginning of a segment that has arrived in part: a header, or how much of the data.
    header: Vec<u8>,
    progress: usize,
    /// The frames whose descriptors are on their way, and those that have arrived.
    passed: VecDeque<u32>,
    arrived: VecDeque<u32>,
}

impl Direction {
    /// A frame with so many bytes of data, which counts as written. It has to be sent as it is.
    pub(crate) fn frame(&mut self, length: usize, descriptor: bool) -> (u32, Vec<u8>) {
        let number = self.frames;
        self.frames += 1;
        let mut bytes = header(number, length, descriptor).to_vec();
        bytes.extend_from_slice(data(number, length));
        self.segments.push_back(Segment::Frame { number, length, descriptor });
        self.written += bytes.len() as u64;
        if descriptor {
            self.passed.push_back(number);
        }
        (number, bytes)
    }

    /// So many more bytes of the file have been sent.
    pub(crate) fn file_sent(&mut self, count: usize) {
        let from = self.file_position;
        self.file_position += count;
        self.written += count as u64;
        match self.segments.back_mut() {
            Some(Segment::File { length, .. }) => *length += count,
            _ => self.segments.push_back(Segment::File { from, length: count }),
        }
    }

    /// Of a frame the system has not taken so many bytes, and they will not be sent.
    pub(crate) fn not_sent(&mut self, count: usize) {
        self.written -= count as u64;
    }

    /// Whether all that was written has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.received + self.skipped == self.written
    }

    /// A descriptor has arrived, which says to which frame it belongs.
    pub(crate) fn take_descriptor(&mut self, number: u32) -> Result<(), String> {
        if self.passed.pop_front() != Some(number) {
            return Err(format!("the descriptor of frame {number} came out of order"));
        }
        self.arrived.push_back(number);
        Ok(())
    }

    /// Some bytes have arrived. `takes_descriptors` says whether the descriptors of frames have to be
    /// there by their ends.
    pub(crate) fn take(&mut self, mut bytes: &[u8], takes_descriptors: bool) -> Result<(), String> {
        self.received += bytes.len() as u64;
        if self.received + self.skipped > self.written {
            return Err(format!("{} bytes more than were written", self.received - self.written));
        }
        while !bytes.is_empty() {
            let in_file = matches!(self.segments.front(), Some(Segment::File { .. }));
            let count = match bytes[0] < 0x80 {
                true => self.take_file(bytes)?,
                false if in_file && self.progress > 0 => return Err(self.unexpected(bytes)),
                false => self.take_frame(bytes, takes_descriptors)?,
            };
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn take_file(&mut self, bytes: &[u8]) -> Result<usize, String> {
        if self.progress == 0 {
            while self.may_skip && self.skip_frame() {}
        }
        let Some(Segment::File { from, length }) = self.segments.front() else {
            return Err(self.unexpected(bytes));
        };
        let rest = &file_table()[from + self.progress..from + length];
        let count = rest.len().min(bytes.len());
        if count == 0 || rest[..count] != bytes[..count] {
            return Err(self.unexpected(bytes));
        }
        self.progress += count;
        // More of the file may follow it in the same segment: it ends when something else comes.
        if self.progress == *length {
            (_, self.progress) = (self.segments.pop_front(), 0);
        }
        Ok(count)
    }

    fn take_frame(&mut self, bytes: &[u8], takes_descriptors: bool) -> Result<usize, String> {
        let mut count = 0;
        if self.header.len() < HEADER {
            count = (HEADER - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes[..count]);
            if self.header.len() < HEADER {
                return Ok(count);
            }
            self.find_frame()?;
        }
        let Some(Segment::Frame { number, length, descriptor }) = self.segments.front() else {
            return Err(self.unexpected(bytes));
        };
        let (number, length, descriptor) = (*number, *length, *descriptor);
        let rest = &data(number, length)[self.progress..];
        let more = rest.len().min(bytes.len() - count);
        if rest[..more] != bytes[count..count + more] {
            return Err(self.unexpected(&bytes[count..]));
        }
        self.progress += more;
        if self.progress == length {
            (_, self.progress) = (self.segments.pop_front(), 0);
            self.header.clear();
            if descriptor && takes_descriptors && self.arrived.pop_front() != Some(number) {
                return Err(format!("frame {number} came without its descriptor"));
            }
        }
        Ok(count + more)
    }

    /// Makes the frame whose header has arrived the first of the segments.
    fn find_frame(&mut self) -> Result<(), String> {
        loop {
            if let Some(&Segment::Frame { number, length, descriptor }) = self.segments.front()
                && self.header == header(number, length, descriptor)
            {
                return Ok(());
            }
            if !self.may_skip || !self.skip_frame() {
                return Err(self.unexpected(&self.header));
            }
        }
    }

    /// Leaves out the frame that is next.
    fn skip_frame(&mut self) -> bool {
        match self.segments.front() {
            Some(Segment::Frame { length, descriptor: false, .. }) => {
                self.skipped += (HEADER + length) as u64;
                self.segments.pop_front();
                true
            }
            _ => false,
        }
    }

    fn unexpected(&self, bytes: &[u8]) -> String {
        let shown = &bytes[..bytes.len().min(12)];
        let next = self.segments.front();
        format!("{shown:02x?} came where {next:?} is expected, {} bytes into it", self.progress)
    }
}

fn header(number: u32, length: usize, descriptor: bool) -> [u8; HEADER] {
    let seven = |value: usize, place: usize| 0x80 | (value >> (7 * place) & 0x7f) as u8;
    let number = number as usize;
    [
        0x80 | u8::from(descriptor),
        seven(number, 0),
        seven(number, 1),
        seven(number, 2),
        seven(length, 0),
        seven(length, 1),
        seven(length, 2),
        seven(length, 3),
    ]
}

/// The data of a frame: a part of the table, so that a neighbour's is another.
fn data(number: u32, length: usize) -> &'static [u8] {
    static FRAMES: OnceLock<Vec<u8>> = OnceLock::new();
    let table = FRAMES.get_or_init(|| file_table().iter().map(|byte| byte | 0x80).collect());
    let from = number as usize * 613 % (TABLE - length);
    &table[from..from + length]
}

/// The bytes of the file.
pub(crate) fn file_table() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        (0..TABLE).map(|n| ((n ^ (n >> 7) ^ (n >> 14).wrapping_mul(31)) & 0x7f) as u8).collect()
    })
}
