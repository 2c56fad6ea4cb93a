//! Costs of lines: linear time, and no copies.

use crate::support::with_transport;
use ropewalk::Protocol;
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Counts lines of text and their bytes, and keeps the last line.
#[derive(Clone, Default)]
struct Count {
    counts: Rc<RefCell<(usize, usize, String)>>,
    pauses: bool,
}

impl LineHandler for Count {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let mut counts = self.counts.borrow_mut();
        counts.0 += 1;
        counts.1 += line.len();
        if line.len() < 100 {
            line.clone_into(&mut counts.2);
        }
        if self.pauses {
            lines.pause();
        }
    }
}

/// Linear work takes about a second; quadratic work would take minutes.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn byte_by_byte_lines_take_linear_time() {
    const LENGTH: usize = 2_000_000;
    let start = Instant::now();
    let counts = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone()).max_length(usize::MAX);
        for _ in 0..LENGTH {
            receiver.data_received(transport, b"x");
        }
        receiver.data_received(transport, b"\n");
        count.counts.take()
    });
    assert_eq!((counts.0, counts.1), (1, LENGTH));
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[test]
fn many_small_chunks_take_linear_time() {
    const LINES: usize = 500;
    let start = Instant::now();
    let counts = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        let data = format!("{}\n", "x".repeat(9_999)).repeat(LINES);
        for piece in data.as_bytes().chunks(7) {
            receiver.data_received(transport, piece);
        }
        count.counts.take()
    });
    assert_eq!((counts.0, counts.1), (LINES, LINES * 9_999));
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[test]
fn a_megabyte_of_newlines_is_many_empty_lines() {
    let counts = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, &vec![b'\n'; 1_000_000]);
        count.counts.take()
    });
    assert_eq!((counts.0, counts.1), (1_000_000, 0));
}

#[test]
fn pausing_after_every_line_takes_linear_time() {
    const LINES: usize = 1_000_000;
    let start = Instant::now();
    let counts = with_transport(|transport| {
        let count = Count { pauses: true, ..Count::default() };
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, &b"x\n".repeat(LINES));
        assert_eq!(count.counts.borrow().0, 1);
        for _ in 1..LINES {
            transport.resume();
            receiver.reading_resumed(transport);
        }
        count.counts.take()
    });
    assert_eq!((counts.0, counts.1), (LINES, LINES));
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[test]
fn complete_lines_are_delivered_without_a_copy() {
    struct Where(Rc<RefCell<Vec<usize>>>);

    impl LineHandler for Where {
        type Line = str;

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &str) {
            self.0.borrow_mut().push(line.as_ptr().addr());
        }
    }

    let (found, first, second) = with_transport(|transport| {
        let found = Rc::default();
        let mut receiver = LineReceiver::new(Where(Rc::clone(&found)));
        let first = b"one\ntwo\nhalf";
        let second = b" a line\nthree\n".to_vec();
        receiver.data_received(transport, first);
        receiver.data_received(transport, &second);
        (found.take(), first.as_ptr().addr(), second.as_ptr().addr())
    });
    assert_eq!(found[..2], [first, first + 4]);
    // The line that began in the first chunk was joined; the line after it was not.
    assert_eq!(found[3], second + 8);
}

#[test]
fn invalid_utf8_is_replaced() {
    let last = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, b"caf\xC3");
        receiver.data_received(transport, b"\xA9 \xFF\xFE na\xEFve\n");
        count.counts.take().2
    });
    assert_eq!(last, "café \u{FFFD}\u{FFFD} na\u{FFFD}ve");
}
