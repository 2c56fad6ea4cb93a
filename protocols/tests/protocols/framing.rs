//! Framing of lines: where they begin and end, in any chunks.

use crate::recorder::{Event, Record, Recorder};
use crate::support::with_transport;
use ropewalk::{Protocol, Transport};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};

type Receiver = LineReceiver<Recorder>;

fn line(text: &str) -> Event {
    Event::Line(text.into())
}

fn raw(text: &str) -> Event {
    Event::Raw(text.into())
}

fn too_long(beginning: &str) -> Event {
    Event::TooLong(beginning.into())
}

fn eof(unfinished: &str) -> Event {
    Event::Eof(unfinished.into())
}

/// Returns the events of an input in these chunks, followed by the end of stream.
fn events(
    transport: &mut Transport<'_>,
    make: impl Fn(Receiver) -> Receiver,
    pieces: &[&[u8]],
) -> Vec<Event> {
    let record = Record::default();
    let recorder = Recorder { survives_eof: true, ..Recorder::new(&record) };
    let mut receiver = make(LineReceiver::new(recorder));
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        receiver.data_received(transport, piece);
    }
    receiver.eof_received(transport);
    record.take()
}

/// Expects the same events for each cut of `input` into three chunks, some of which are empty, and byte by byte.
#[track_caller]
fn expect_however_cut(
    input: &'static [u8],
    make: impl Fn(Receiver) -> Receiver + Copy + 'static,
    expected: &[Event],
) {
    let wanted = expected.to_vec();
    let outcome = with_transport(move |transport| {
        let mut check = |cut: String, pieces: &[&[u8]]| {
            let events = events(transport, make, pieces);
            if events == wanted { Ok(()) } else { Err((cut, events)) }
        };
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let pieces = [&input[..first], &input[first..second], &input[second..]];
                check(format!("cut at {first} and {second}"), &pieces)?;
            }
        }
        check("byte by byte".into(), &input.chunks(1).collect::<Vec<_>>())
    });
    if let Err((cut, events)) = outcome {
        panic!("{cut}: received {events:?}, expected {expected:?}");
    }
}

#[test]
fn a_newline_with_optional_cr_ends_lines() {
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
fn a_self_overlapping_delimiter_matches_first() {
    expect_however_cut(
        b"xababab-abab-aba",
        |receiver| receiver.delimiter(Delimiter::new("abab")),
        &[line("x"), line("ab-"), eof("-aba")],
    );
}

#[test]
#[should_panic(expected = "at least one byte")]
fn an_empty_delimiter_is_refused() {
    Delimiter::new("");
}

/// twisted#6556: the delimiter does not count, nor does a part of it.
#[test]
fn a_line_of_the_maximum_length_is_accepted() {
    for delimiter in [Delimiter::CRLF, Delimiter::NEWLINE] {
        let events = with_transport(move |transport| {
            let make = |receiver: Receiver| receiver.delimiter(delimiter.clone()).max_length(3);
            events(transport, make, &[b"xyz\r", b"\n"])
        });
        assert_eq!(events, [line("xyz"), eof("")]);
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
fn a_too_long_line_is_reported_once() {
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
fn a_too_long_line_is_reported_immediately() {
    let reported = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = Recorder::receiver(&record).delimiter(Delimiter::CRLF).max_length(3);
        receiver.data_received(transport, b"abc\r");
        let before = record.borrow().len();
        receiver.data_received(transport, b"d");
        (before, record.take())
    });
    assert_eq!(reported, (0, vec![too_long("abc")]));
}

#[test]
fn a_too_long_line_can_be_received_raw() {
    /// Receives lines that are too long in raw mode if they begin with an `r`.
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
                // In line mode, the rest of this line is still skipped.
                lines.set_line_mode(b"");
            }
        }

        fn raw_data_received(&mut self, _lines: &mut LineTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().push(raw(&String::from_utf8_lossy(data)));
        }
    }

    let events = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = LineReceiver::new(Taker(record.clone())).max_length(3);
        receiver.data_received(transport, b"abcdef\nabc\nraw data\nabc\n");
        record.take()
    });
    assert_eq!(events, [too_long("abc"), line("abc"), too_long("raw"), raw(" data\nabc\n")]);
}

#[test]
fn raw_mode_begins_and_ends_within_a_chunk() {
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
fn new_delimiters_and_limits_affect_later_lines() {
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
fn returned_raw_data_must_be_the_end() {
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
