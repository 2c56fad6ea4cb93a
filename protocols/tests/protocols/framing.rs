//! Lines: where they begin and end, in whatever pieces they come.

use crate::recorder::{Heard, Record, Recorder};
use crate::support::with_transport;
use ropewalk::{Protocol, Transport};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

type Receiver = LineReceiver<Recorder>;

fn line(text: &str) -> Heard {
    Heard::Line(text.into())
}

fn raw(text: &str) -> Heard {
    Heard::Raw(text.into())
}

fn too_long(beginning: &str) -> Heard {
    Heard::TooLong(beginning.into())
}

fn eof(unfinished: &str) -> Heard {
    Heard::Eof(unfinished.into())
}

/// What is heard when the input comes in these pieces, and then the end.
fn heard(
    transport: &mut Transport<'_>,
    make: impl Fn(Receiver) -> Receiver,
    pieces: &[&[u8]],
) -> Vec<Heard> {
    let record = Record::default();
    let recorder = Recorder { survives_eof: true, ..Recorder::new(&record) };
    let mut receiver = make(LineReceiver::new(recorder));
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        receiver.data_received(transport, piece);
    }
    receiver.eof_received(transport);
    record.take()
}

/// Expects the same of `input` at every cut into three pieces, of which some are empty, and byte by
/// byte.
#[track_caller]
fn expect_however_cut(
    input: &'static [u8],
    make: impl Fn(Receiver) -> Receiver + Copy + 'static,
    expected: &[Heard],
) {
    let wanted = expected.to_vec();
    let outcome = with_transport(move |transport| {
        let mut check = |cut: String, pieces: &[&[u8]]| {
            let heard = heard(transport, make, pieces);
            if heard == wanted { Ok(()) } else { Err((cut, heard)) }
        };
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let pieces = [&input[..first], &input[first..second], &input[second..]];
                check(format!("cut at {first} and {second}"), &pieces)?;
            }
        }
        check("byte by byte".into(), &input.chunks(1).collect::<Vec<_>>())
    });
    if let Err((cut, heard)) = outcome {
        panic!("{cut}: heard {heard:?}, not {expected:?}");
    }
}

#[test]
fn a_newline_ends_a_line_with_or_without_a_cr() {
    expect_however_cut(
        b"one\ntwo\r\n\n\r\na\rb\r\r\nleft",
        |receiver| receiver,
        &[line("one"), line("two"), line(""), line(""), line("a\rb\r"), eof("left")],
    );
}

#[test]
fn crlf_is_both_or_nothing() {
    expect_however_cut(
        b"one\ntwo\rthree\r\n\r\n\r\r\nfour\r",
        |receiver| receiver.delimiter(Delimiter::CRLF),
        &[line("one\ntwo\rthree"), line(""), line("\r"), eof("four\r")],
    );
}

#[test]
fn any_bytes_may_end_a_line() {
    expect_however_cut(
        b"a--;b---;--;c\r\n--;-- d --",
        |receiver| receiver.delimiter(Delimiter::new("--;")),
        &[line("a"), line("b-"), line(""), line("c\r\n"), eof("-- d --")],
    );
}

#[test]
fn a_delimiter_that_overlaps_itself_ends_a_line_where_it_first_can() {
    expect_however_cut(
        b"xababab-abab-aba",
        |receiver| receiver.delimiter(Delimiter::new("abab")),
        &[line("x"), line("ab-"), eof("-aba")],
    );
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_delimiter_of_nothing_is_refused() {
    Delimiter::new("");
}

/// twisted#6556: the delimiter does not count, not even the half of it that is there.
#[test]
fn a_line_of_exactly_the_limit_is_accepted_wherever_its_delimiter_is_cut() {
    for delimiter in [Delimiter::CRLF, Delimiter::NEWLINE] {
        let heard = with_transport(move |transport| {
            let make = |receiver: Receiver| receiver.delimiter(delimiter.clone()).max_length(3);
            heard(transport, make, &[b"xyz\r", b"\n"])
        });
        assert_eq!(heard, [line("xyz"), eof("")]);
    }
    expect_however_cut(
        b"xyz\r\nxy\r\n\r\nxyz\rxyz\n\r\n",
        |receiver| receiver.delimiter(Delimiter::CRLF).max_length(3),
        &[line("xyz"), line("xy"), line(""), too_long("xyz"), eof("")],
    );
    expect_however_cut(
        b"xyz\nxyz\r\nxyz\r\r\nxyzz\nend",
        |receiver| receiver.max_length(3),
        &[line("xyz"), line("xyz"), too_long("xyz"), too_long("xyz"), eof("end")],
    );
}

#[test]
fn a_line_beyond_the_limit_is_told_once_and_skipped_to_its_end() {
    expect_however_cut(
        b"abcd--;xyz--;abcdefghijkl-;--;ok--;abcde",
        |receiver| receiver.delimiter(Delimiter::new("--;")).max_length(3),
        &[too_long("abc"), line("xyz"), too_long("abc"), line("ok"), too_long("abc"), eof("")],
    );
    expect_however_cut(
        b"a\n\nbb\n",
        |receiver| receiver.max_length(0),
        &[too_long(""), line(""), too_long(""), eof("")],
    );
}

#[test]
fn a_line_is_told_to_be_too_long_as_soon_as_it_must_be() {
    let told = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = Recorder::receiver(&record).delimiter(Delimiter::CRLF).max_length(3);
        receiver.data_received(transport, b"abc\r");
        let before = record.borrow().len();
        receiver.data_received(transport, b"d");
        (before, record.take())
    });
    assert_eq!(told, (0, vec![too_long("abc")]));
}

#[test]
fn what_follows_the_beginning_of_a_line_too_long_can_be_had_raw() {
    /// Takes lines that are too long all the same, if they begin with an `r`.
    struct Taker(Record);

    impl LineHandler for Taker {
        type Line = str;

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, text: &str) {
            self.0.borrow_mut().push(line(text));
        }

        fn line_length_exceeded(&mut self, lines: &mut LineTransport<'_>, beginning: &str) {
            self.0.borrow_mut().push(too_long(beginning));
            if beginning.starts_with('r') {
                lines.set_raw_mode();
            } else {
                // It is in line mode, and the rest of this line is skipped all the same.
                lines.set_line_mode(b"");
            }
        }

        fn raw_data_received(&mut self, _lines: &mut LineTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().push(raw(&String::from_utf8_lossy(data)));
        }
    }

    let heard = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = LineReceiver::new(Taker(record.clone())).max_length(3);
        receiver.data_received(transport, b"abcdef\nabc\nraw data\nabc\n");
        record.take()
    });
    assert_eq!(heard, [too_long("abc"), line("abc"), too_long("raw"), raw(" data\nabc\n")]);
}

#[test]
fn raw_mode_begins_and_ends_in_the_middle_of_a_piece() {
    expect_however_cut(
        b"a\nraw 5\nb\nc\ndtail\nraw\nx\ny\nz!raw 1\n\n\nb\nraw\nw",
        |receiver| receiver,
        &[
            line("a"),
            line("raw 5"),
            raw("b\nc\nd"),
            line("tail"),
            line("raw"),
            raw("x\ny\nz!"),
            line("raw 1"),
            raw("\n"),
            line(""),
            line("b"),
            line("raw"),
            raw("w"),
            eof(""),
        ],
    );
}

#[test]
fn another_delimiter_or_limit_holds_from_the_next_line_on() {
    expect_however_cut(
        b"a\nuntil ;\nb\nc;until ,;d;e,max 2,abcd,ab,",
        |receiver| receiver,
        &[
            line("a"),
            line("until ;"),
            line("b\nc"),
            line("until ,"),
            line("d;e"),
            line("max 2"),
            too_long("ab"),
            line("ab"),
            eof(""),
        ],
    );
}

#[test]
#[should_panic(expected = "the body panicked")]
fn what_is_given_back_must_be_the_end_of_the_data() {
    struct GivesTooMuch;

    impl LineHandler for GivesTooMuch {
        type Line = str;

        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            lines.set_line_mode(b"");
            lines.set_raw_mode();
        }

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, _line: &str) {}

        fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, _data: &[u8]) {
            lines.set_line_mode(b"something else");
        }
    }

    with_transport(|transport| {
        let mut receiver = LineReceiver::new(GivesTooMuch);
        receiver.connection_made(transport);
        receiver.data_received(transport, b"something");
    });
}

/// Counts lines of text and their bytes, and keeps the last.
#[derive(Clone, Default)]
struct Count {
    seen: Rc<RefCell<(usize, usize, String)>>,
    pauses: bool,
}

impl LineHandler for Count {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let mut seen = self.seen.borrow_mut();
        seen.0 += 1;
        seen.1 += line.len();
        if line.len() < 100 {
            line.clone_into(&mut seen.2);
        }
        if self.pauses {
            lines.pause();
        }
    }
}

/// Linear work takes a second or two here; quadratic work would take many minutes.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_long_line_that_comes_byte_by_byte_takes_linear_time() {
    const LENGTH: usize = 3_000_000;
    let start = Instant::now();
    let seen = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone()).max_length(usize::MAX);
        for _ in 0..LENGTH {
            receiver.data_received(transport, b"x");
        }
        receiver.data_received(transport, b"\n");
        count.seen.take()
    });
    assert_eq!((seen.0, seen.1), (1, LENGTH));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn ten_megabytes_in_small_pieces_take_linear_time() {
    const LINES: usize = 1_000;
    let start = Instant::now();
    let seen = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        let data = format!("{}\n", "x".repeat(9_999)).repeat(LINES);
        for piece in data.as_bytes().chunks(7) {
            receiver.data_received(transport, piece);
        }
        count.seen.take()
    });
    assert_eq!((seen.0, seen.1), (LINES, LINES * 9_999));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_megabyte_of_newlines_in_one_piece_is_as_many_empty_lines() {
    let seen = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, &vec![b'\n'; 1_000_000]);
        count.seen.take()
    });
    assert_eq!((seen.0, seen.1), (1_000_000, 0));
}

#[test]
fn a_pause_after_every_line_of_a_long_piece_takes_linear_time() {
    const LINES: usize = 2_000_000;
    let start = Instant::now();
    let seen = with_transport(|transport| {
        let count = Count { pauses: true, ..Count::default() };
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, &b"x\n".repeat(LINES));
        assert_eq!(count.seen.borrow().0, 1);
        for _ in 1..LINES {
            transport.resume();
            receiver.reading_resumed(transport);
        }
        count.seen.take()
    });
    assert_eq!((seen.0, seen.1), (LINES, LINES));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn whole_lines_are_delivered_where_they_lie() {
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
    // The one that began in the first piece had to be joined; the one behind it had not.
    assert_eq!(found[3], second + 8);
}

#[test]
fn text_that_is_not_utf8_comes_with_replacement_characters() {
    let last = with_transport(|transport| {
        let count = Count::default();
        let mut receiver = LineReceiver::new(count.clone());
        receiver.data_received(transport, b"caf\xC3");
        receiver.data_received(transport, b"\xA9 \xFF\xFE na\xEFve\n");
        count.seen.take().2
    });
    assert_eq!(last, "café \u{FFFD}\u{FFFD} na\u{FFFD}ve");
}
