//! Fuzz target: the line parser. For any bytes in any chunks, `LineReceiver` delivers the lines that a simple parser
//! finds in the bytes as a whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::kit::TestConnection;
use std::cell::RefCell;
use std::rc::Rc;

/// The limit for a line, small so that the fuzzer reaches it.
const MAX_LENGTH: usize = 16;

type Lines = Rc<RefCell<Vec<Vec<u8>>>>;

/// Records lines.
struct Recorder(Lines);

impl LineHandler for Recorder {
    type Line = [u8];

    fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &[u8]) {
        self.0.borrow_mut().push(line.to_vec());
    }

    fn line_length_exceeded(&mut self, _lines: &mut LineTransport<'_>, beginning: &[u8]) {
        self.0.borrow_mut().push(too_long(beginning));
    }
}

/// A delimiter for the parser under test, and the bytes that are looked for.
struct Case {
    delimiter: Delimiter,
    bytes: &'static [u8],
    /// A CR before the delimiter belongs to it.
    takes_cr: bool,
}

impl Case {
    fn new(choice: u8) -> Self {
        let exact = |bytes| Self { delimiter: Delimiter::new(bytes), bytes, takes_cr: false };
        match choice % 3 {
            0 => Self { delimiter: Delimiter::NEWLINE, bytes: b"\n", takes_cr: true },
            1 => exact(b"\r\n"),
            _ => exact(b"--x"),
        }
    }

    /// Returns the lines of `input` by their definition.
    fn expected(&self, input: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut rest = input;
        while let Some(end) = rest.windows(self.bytes.len()).position(|part| part == self.bytes) {
            let line = &rest[..end];
            let line = if self.takes_cr { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
            lines.push(if line.len() > MAX_LENGTH { too_long(line) } else { line.to_vec() });
            rest = &rest[end + self.bytes.len()..];
        }
        if !self.may_become_valid(rest) {
            lines.push(too_long(rest));
        }
        lines
    }

    /// Returns true if more bytes can make a valid line of `unfinished`: what exceeds the limit can be the beginning
    /// of the delimiter.
    fn may_become_valid(&self, unfinished: &[u8]) -> bool {
        let whole: &[u8] = if self.takes_cr { b"\r\n" } else { self.bytes };
        unfinished.len() <= MAX_LENGTH
            || (0..=MAX_LENGTH).any(|begin| whole.starts_with(&unfinished[begin..]))
    }
}

/// Returns the record of a line that exceeds the limit.
fn too_long(line: &[u8]) -> Vec<u8> {
    [&line[..MAX_LENGTH], b"..."].concat()
}

// The first byte selects the delimiter, the second one the sizes of the chunks.
fuzz_target!(|data: &[u8]| {
    let [choice, cut, input @ ..] = data else { return };
    let case = Case::new(*choice);
    let lines = Lines::default();
    let (recorded, delimiter) = (Rc::clone(&lines), case.delimiter.clone());
    let mut connection = TestConnection::new(move || {
        let handler = Recorder(Rc::clone(&recorded));
        LineReceiver::new(handler).delimiter(delimiter.clone()).max_length(MAX_LENGTH)
    });
    let mut rest = input;
    let mut step = usize::from(*cut);
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at((step % 7 + 1).min(rest.len()));
        connection.feed(chunk);
        rest = more;
        step = step.wrapping_mul(5).wrapping_add(3);
    }
    assert_eq!(*lines.borrow(), case.expected(input));
});
