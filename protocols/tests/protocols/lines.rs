//! Lines on real connections: pauses, closes, ends.

use crate::recorder::{Heard, Record, Recorder, lines_of};
use crate::support::{Client, listening, turn_until, with_transport};
use ropewalk::{Factory, Id, Protocol, Reactor};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::net::Shutdown;
use std::rc::Rc;

/// A reactor and a client, and what is heard of him.
fn recorded(
    make: impl Fn(Recorder) -> LineReceiver<Recorder> + 'static,
) -> (Reactor, Client, Record) {
    let record = Record::default();
    let shared = record.clone();
    let (mut reactor, address) = listening(move || make(Recorder::new(&shared)));
    let client = Client::connect(&address);
    turn_until(&mut reactor, || !record.borrow().is_empty());
    (reactor, client, record)
}

fn id_of(record: &Record) -> Id {
    match record.borrow()[0] {
        Heard::Made(id) => id,
        ref other => panic!("{other:?} came first"),
    }
}

fn last_of(record: &Record) -> Heard {
    record.borrow().last().unwrap().clone()
}

/// A few turns more, in which nothing is to happen.
fn settle(reactor: &mut Reactor) {
    for _ in 0..5 {
        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
}

#[test]
fn the_end_of_the_peer_is_noticed_while_reading_is_paused() {
    #[derive(Clone, Default)]
    struct Paused(Rc<RefCell<Vec<String>>>);

    impl LineHandler for Paused {
        type Line = str;

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            self.0.borrow_mut().push(line.to_owned());
            if line == "one" {
                lines.pause();
            }
        }

        fn eof_noticed(&mut self, lines: &mut LineTransport<'_>) {
            self.0.borrow_mut().push("the end is noticed".to_owned());
            lines.resume();
        }

        fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
            self.0.borrow_mut().push(format!("the end, after {unfinished:?}"));
            lines.close();
        }
    }

    let handler = Paused::default();
    let theirs = handler.clone();
    let (mut reactor, address) = listening(move || LineReceiver::new(theirs.clone()));
    let mut client = Client::connect(&address);
    assert_eq!(client.send_some(b"one\ntwo\nthr"), 11);
    client.stream().shutdown(Shutdown::Write).unwrap();
    let heard = handler.0;
    turn_until(&mut reactor, || heard.borrow().len() == 4);
    assert_eq!(*heard.borrow(), ["one", "the end is noticed", "two", "the end, after \"thr\""]);
}

#[test]
fn a_line_is_sent_with_the_delimiter_that_is_set() {
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
fn lines_that_come_byte_by_byte_are_put_together() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    for byte in b"hello\r\nworld\n".chunks(1) {
        client.send(&mut reactor, byte);
        settle(&mut reactor);
    }
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    assert_eq!(lines_of(&record), ["hello", "world"]);
}

#[test]
fn after_a_close_no_line_of_the_same_piece_is_delivered() {
    for (word, reason) in [("close", "closed by us"), ("abort", "aborted by us")] {
        let (mut reactor, mut client, record) = recorded(LineReceiver::new);
        client.send(&mut reactor, format!("one\n{word}\ntwo\nraw 1\nthree\n"));
        turn_until(&mut reactor, || client.has_ended());
        assert_eq!(lines_of(&record), ["one", word]);
        assert_eq!(last_of(&record), Heard::Lost(reason.into()));
    }
}

/// twisted#3353.
#[test]
fn a_line_too_long_that_closes_is_told_once_and_is_the_last() {
    let make = |recorder| {
        let closes = Recorder { closes_if_too_long: true, ..recorder };
        LineReceiver::new(closes).max_length(5)
    };
    let (mut reactor, mut client, record) = recorded(make);
    client.send(&mut reactor, "one\n123456\ntwo\n123456789\nthree\n");
    turn_until(&mut reactor, || client.has_ended());
    let heard = record.borrow()[1..].to_vec();
    let lost = Heard::Lost("closed by us".into());
    assert_eq!(heard, [Heard::Line("one".into()), Heard::TooLong("12345".into()), lost]);
}

#[test]
fn a_line_too_long_closes_unless_the_handler_says_otherwise() {
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
fn a_pause_in_the_middle_of_a_piece_holds_the_rest_until_someone_resumes() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "one\npause\ntwo\npause\nthree\nhal");
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    settle(&mut reactor);
    assert_eq!(lines_of(&record), ["one", "pause"]);

    // More may come meanwhile, and the end: it all waits its turn.
    client.send(&mut reactor, "f\n");
    client.stream().shutdown(Shutdown::Write).unwrap();
    settle(&mut reactor);
    assert_eq!(lines_of(&record).len(), 2);

    reactor.context().resume(id);
    turn_until(&mut reactor, || lines_of(&record).len() == 4);
    settle(&mut reactor);
    assert_eq!(lines_of(&record), ["one", "pause", "two", "pause"]);

    reactor.context().resume(id);
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(lines_of(&record)[4..], ["three", "half"]);
    let heard = record.borrow().clone();
    let lost = Heard::Lost("closed by the peer".into());
    assert_eq!(heard[heard.len() - 2..], [Heard::Eof("".into()), lost]);
}

#[test]
fn the_callback_of_another_connection_can_resume() {
    struct Resumer(Id);

    impl Protocol for Resumer {
        fn data_received(&mut self, transport: &mut ropewalk::Transport<'_>, _data: &[u8]) {
            transport.context().resume(self.0);
        }
    }

    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "pause\nnext\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);

    let port = reactor.listen_tcp("127.0.0.1:0", move || Resumer(id)).unwrap();
    let mut other = Client::connect(port.address());
    settle(&mut reactor);
    assert_eq!(lines_of(&record), ["pause"]);
    other.send(&mut reactor, "x");
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    assert_eq!(lines_of(&record), ["pause", "next"]);
}

#[test]
fn a_pause_that_is_resumed_in_the_same_callback_loses_nothing() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    client.send(&mut reactor, "blink\none\nblink\ntwo\nhal");
    turn_until(&mut reactor, || lines_of(&record).len() == 4);
    client.send(&mut reactor, "f\nblink\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 6);
    assert_eq!(lines_of(&record), ["blink", "one", "blink", "two", "half", "blink"]);
}

#[test]
fn a_close_while_paused_in_the_middle_delivers_nothing_more() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "pause\ntwo\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);
    reactor.context().resume(id);
    reactor.context().close(id);
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(lines_of(&record), ["pause"]);
}

#[test]
fn a_pause_just_before_raw_data_holds_it_back() {
    let (mut reactor, mut client, record) =
        recorded(|recorder| LineReceiver::new(Recorder { pauses_always: true, ..recorder }));
    let id = id_of(&record);
    client.send(&mut reactor, "one\nraw 4\na\nb\ntwo\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);
    reactor.context().resume(id);
    turn_until(&mut reactor, || lines_of(&record).len() == 3);
    let expected = [
        Heard::Line("one".into()),
        Heard::Line("raw 4".into()),
        Heard::Raw("a\nb\n".into()),
        Heard::Line("two".into()),
    ];
    assert_eq!(record.borrow()[1..], expected);
}

#[test]
fn an_unfinished_last_line_is_told_with_the_end_and_not_as_a_line() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    client.send(&mut reactor, "whole\nhalf");
    client.stream().shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, || client.has_ended());
    let expected = [
        Heard::Line("whole".into()),
        Heard::Eof("half".into()),
        Heard::Lost("closed by the peer".into()),
    ];
    assert_eq!(record.borrow()[1..], expected);
}

#[test]
fn a_handler_that_does_not_close_at_the_end_can_still_write() {
    struct Late;

    impl LineHandler for Late {
        type Line = str;

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, _line: &str) {}

        fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
            let (id, unfinished) = (lines.id(), unfinished.to_owned());
            lines.context().call_later(std::time::Duration::from_millis(1), move |context| {
                context.write(id, unfinished.as_bytes());
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
fn raw_mode_without_a_receiver_for_it_costs_the_connection_and_nothing_else() {
    struct Forgetful;

    impl LineHandler for Forgetful {
        type Line = str;

        fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
            lines.send_line(line);
            if line == "raw" {
                lines.set_raw_mode();
            }
        }
    }

    let (mut reactor, address) = listening(|| LineReceiver::new(Forgetful));
    let (mut one, mut two) = (Client::connect(&address), Client::connect(&address));
    one.send(&mut reactor, "raw\nx");
    turn_until(&mut reactor, || one.has_ended());
    two.send(&mut reactor, "still here\n");
    turn_until(&mut reactor, || two.text() == "still here\n");
}

#[test]
fn flow_control_reaches_the_handler_and_may_change_the_mode() {
    /// Fills the connection; when told to pause takes what has come so far as it is.
    struct Filler(Record);

    impl LineHandler for Filler {
        type Line = [u8];

        fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &[u8]) {
            self.0.borrow_mut().push(Heard::Line(crate::recorder::text(line)));
        }

        fn raw_data_received(&mut self, lines: &mut LineTransport<'_>, data: &[u8]) {
            self.0.borrow_mut().push(Heard::Raw(crate::recorder::text(data)));
            lines.set_line_mode(b"");
        }

        fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {
            lines.set_raw_mode();
        }

        fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {
            lines.set_delimiter(Delimiter::new(";"));
        }
    }

    let heard = with_transport(|transport| {
        let record = Record::default();
        let mut receiver = LineReceiver::new(Filler(record.clone()));
        receiver.data_received(transport, b"line\nhalf");
        receiver.pause_writing(transport);
        receiver.data_received(transport, b"a;b");
        receiver.resume_writing(transport);
        record.take()
    });
    let expected = [Heard::Line("line".into()), Heard::Raw("half".into()), Heard::Line("a".into())];
    assert_eq!(heard, expected);
}

/// The factory is an ordinary one, and the protocol an ordinary protocol.
#[test]
fn a_line_receiver_can_be_boxed() {
    let record = Record::default();
    let mut factory = move || -> Box<dyn Protocol> { Box::new(Recorder::receiver(&record)) };
    let peer = ropewalk::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    assert!(Factory::build(&mut factory, &peer).is_some());
}
