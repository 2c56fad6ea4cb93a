//! Lines on real connections: closes and ends.

use crate::recorder::{Event, Record, Recorder, lines_of};
use crate::support::{Client, listening, turn_until, with_transport};
use ropewalk::{Factory, Id, Protocol, Reactor};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::net::Shutdown;

/// A reactor with a client, and the record of its handler.
pub(crate) fn recorded(
    make: impl Fn(Recorder) -> LineReceiver<Recorder> + 'static,
) -> (Reactor, Client, Record) {
    let record = Record::default();
    let shared = record.clone();
    let (mut reactor, address) = listening(move || make(Recorder::new(&shared)));
    let client = Client::connect(&address);
    turn_until(&mut reactor, || !record.borrow().is_empty());
    (reactor, client, record)
}

pub(crate) fn id_of(record: &Record) -> Id {
    match record.borrow()[0] {
        Event::Made(id) => id,
        ref other => panic!("{other:?} came first"),
    }
}

fn last_of(record: &Record) -> Event {
    record.borrow().last().unwrap().clone()
}

/// Runs a few turns in which nothing should happen.
pub(crate) fn run_idle_turns(reactor: &mut Reactor) {
    for _ in 0..5 {
        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
}

#[test]
fn a_line_is_sent_with_the_current_delimiter() {
    struct Answer;

    impl LineHandler for Answer {
        type Line = str;

        fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
            lines.send_line("one");
            lines.set_delimiter(Delimiter::CRLF);
            lines.send_line(b"two");
            lines.set_delimiter(Delimiter::new("\0"));
            lines.send_line(String::from("three"));
            write!(lines, "{}", 4);
            lines.close();
        }

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, _line: &str) {}
    }

    let (mut reactor, address) = listening(|| LineReceiver::new(Answer));
    let mut client = Client::connect(&address);
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(client.received, b"one\ntwo\r\nthree\x004");
}

#[test]
fn lines_received_byte_by_byte_are_joined() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    for byte in b"hello\r\nworld\n".chunks(1) {
        client.send(&mut reactor, byte);
        run_idle_turns(&mut reactor);
    }
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    assert_eq!(lines_of(&record), ["hello", "world"]);
}

#[test]
fn a_close_discards_later_lines_of_the_chunk() {
    for (word, reason) in [("close", "closed by us"), ("abort", "aborted by us")] {
        let (mut reactor, mut client, record) = recorded(LineReceiver::new);
        client.send(&mut reactor, format!("one\n{word}\ntwo\nraw 1\nthree\n"));
        turn_until(&mut reactor, || client.has_ended());
        assert_eq!(lines_of(&record), ["one", word]);
        assert_eq!(last_of(&record), Event::Lost(reason.into()));
    }
}

/// twisted#3353.
#[test]
fn closing_after_a_too_long_line_is_final() {
    let make = |recorder| {
        let closes = Recorder { closes_if_too_long: true, ..recorder };
        LineReceiver::new(closes).max_length(5)
    };
    let (mut reactor, mut client, record) = recorded(make);
    client.send(&mut reactor, "one\n123456\ntwo\n123456789\nthree\n");
    turn_until(&mut reactor, || client.has_ended());
    let events = record.borrow()[1..].to_vec();
    let lost = Event::Lost("closed by us".into());
    assert_eq!(events, [Event::Line("one".into()), Event::TooLong("12345".into()), lost]);
}

#[test]
fn a_too_long_line_closes_by_default() {
    struct Plain;

    impl LineHandler for Plain {
        type Line = str;

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            lines.send_line(line);
        }
    }

    let (mut reactor, address) = listening(|| LineReceiver::new(Plain));
    let mut client = Client::connect(&address);
    let longest = "x".repeat(16_384);
    client.send(&mut reactor, format!("{longest}\n{longest}x\nmore\n"));
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(client.received.len(), longest.len() + 1);
}

#[test]
fn an_unfinished_last_line_is_passed_to_eof() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    client.send(&mut reactor, "whole\nhalf");
    client.stream().shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, || client.has_ended());
    let expected = [
        Event::Line("whole".into()),
        Event::Eof("half".into()),
        Event::Lost("closed by the peer".into()),
    ];
    assert_eq!(record.borrow()[1..], expected);
}

#[test]
fn a_handler_can_write_after_the_peers_end() {
    struct Late;

    impl LineHandler for Late {
        type Line = str;

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, _line: &str) {}

        fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
            let (id, unfinished) = (lines.id(), unfinished.to_owned());
            lines.context().call_later(std::time::Duration::from_millis(1), move |context| {
                context.transport(id).write(unfinished.as_bytes());
                context.close(id);
            });
        }
    }

    let (mut reactor, address) = listening(|| LineReceiver::new(Late));
    let mut client = Client::connect(&address);
    client.send(&mut reactor, "last words");
    client.stream().shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(client.received, b"last words");
}

#[test]
fn raw_mode_without_method_ends_only_its_connection() {
    struct WithoutRawMethod;

    impl LineHandler for WithoutRawMethod {
        type Line = str;

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            lines.send_line(line);
            if line == "raw" {
                lines.set_raw_mode();
            }
        }
    }

    let (mut reactor, address) = listening(|| LineReceiver::new(WithoutRawMethod));
    let (mut one, mut two) = (Client::connect(&address), Client::connect(&address));
    one.send(&mut reactor, "raw\nx");
    turn_until(&mut reactor, || one.has_ended());
    two.send(&mut reactor, "still here\n");
    turn_until(&mut reactor, || two.text() == "still here\n");
}

#[test]
fn flow_control_callbacks_can_change_the_mode() {
    /// Fills the connection. In `pause_writing`, switches to raw mode.
    struct Filling(Record);

    impl LineHandler for Filling {
        type Line = [u8];

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &[u8]) {
            self.0.borrow_mut().push(Event::Line(crate::recorder::text(line)));
        }

        fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().push(Event::Raw(crate::recorder::text(data)));
            lines.set_line_mode(b"");
        }

        fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {
            lines.set_raw_mode();
        }

        fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {
            lines.set_delimiter(Delimiter::new(";"));
        }
    }

    let events = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = LineReceiver::new(Filling(record.clone()));
        receiver.data_received(transport, b"line\nhalf");
        receiver.pause_writing(transport);
        receiver.data_received(transport, b"a;b");
        receiver.resume_writing(transport);
        record.take()
    });
    let expected = [Event::Line("line".into()), Event::Raw("half".into()), Event::Line("a".into())];
    assert_eq!(events, expected);
}

/// The factory and the protocol have no special types.
#[test]
fn a_line_receiver_can_be_boxed() {
    let record = Record::default();
    let mut factory = move || -> Box<dyn Protocol> { Box::new(Recorder::receiver(&record)) };
    let peer = ropewalk::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    assert!(Factory::build(&mut factory, &peer).is_some());
}
