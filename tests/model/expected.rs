//! The model of one direction of a connection: the data that was written, and the part that has arrived.

use std::collections::VecDeque;
use std::sync::OnceLock;

/// The length of the tables from which frames and files are taken. Long enough that data rarely repeats.
pub(crate) const TABLE: usize = 4_000_000;

/// The length of the header of a frame.
const HEADER: usize = 8;

/// A part of the data that a receiver is to receive.
#[derive(Debug)]
enum Segment {
    /// One write: its number, the length of its data, and whether a descriptor is sent with it.
    Frame { number: u32, length: usize, descriptor: bool },
    /// A part of the file.
    File { from: usize, length: usize },
}

/// One direction of a connection. Bytes of frames have the highest bit set, bytes of files do not, so that they
/// can be distinguished.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    segments: VecDeque<Segment>,
    frames: u32,
    /// The position in the file up to which it was sent.
    pub(crate) file_position: usize,
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// Bytes of frames that were dropped, and whether any may be.
    pub(crate) skipped: u64,
    pub(crate) may_skip: bool,
    /// The part of a segment that has arrived: its header, and the length of its data.
    header: Vec<u8>,
    progress: usize,
    /// The frames with descriptors that were sent, and those with descriptors that have arrived.
    passed: VecDeque<u32>,
    arrived: VecDeque<u32>,
}

impl Direction {
    /// Returns a frame with `length` bytes of data, and records it as written.
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

    /// Records that `count` more bytes of the file were sent.
    pub(crate) fn file_sent(&mut self, count: usize) {
        let from = self.file_position;
        self.file_position += count;
        self.written += count as u64;
        match self.segments.back_mut() {
            Some(Segment::File { length, .. }) => *length += count,
            _ => self.segments.push_back(Segment::File { from, length: count }),
        }
    }

    /// Records that `count` bytes of a frame will not be sent.
    pub(crate) fn not_sent(&mut self, count: usize) {
        self.written -= count as u64;
    }

    /// Returns true if all that was written has arrived or was dropped.
    pub(crate) fn is_complete(&self) -> bool {
        self.received + self.skipped == self.written
    }

    /// Compares a descriptor that has arrived, which contains the number of its frame.
    pub(crate) fn take_descriptor(&mut self, number: u32) -> Result<(), String> {
        if self.passed.pop_front() != Some(number) {
            return Err(format!("the descriptor of frame {number} came out of order"));
        }
        self.arrived.push_back(number);
        Ok(())
    }

    /// Compares bytes that have arrived. With `takes_descriptors`, the descriptor of a frame must arrive before its
    /// end.
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
        // More of the file may be added to the same segment. It ends when another is added.
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

    /// Makes the frame of the header that has arrived the first segment, by skipping those before it.
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

    /// Skips the next frame. Returns true if it may be skipped.
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

/// Returns the data of a frame: a part of the table that depends on its number.
fn data(number: u32, length: usize) -> &'static [u8] {
    static FRAMES: OnceLock<Vec<u8>> = OnceLock::new();
    let table = FRAMES.get_or_init(|| file_table().iter().map(|byte| byte | 0x80).collect());
    let from = number as usize * 613 % (TABLE - length);
    &table[from..from + length]
}

/// Returns the bytes of the file.
pub(crate) fn file_table() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        (0..TABLE).map(|n| ((n ^ (n >> 7) ^ (n >> 14).wrapping_mul(31)) & 0x7f) as u8).collect()
    })
}
