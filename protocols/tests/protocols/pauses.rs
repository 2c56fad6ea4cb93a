//! Pauses of line handlers.

use crate::lines::{id_of, recorded, run_idle_turns};
use crate::recorder::{Event, Recorder, lines_of};
use crate::support::{Client, listening, turn_until};
use ropewalk::{Id, Protocol};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::net::Shutdown;
use std::rc::Rc;

#[test]
fn the_peers_end_is_noticed_while_paused() {
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
    let events = handler.0;
    turn_until(&mut reactor, || events.borrow().len() == 4);
    assert_eq!(*events.borrow(), ["one", "the end is noticed", "two", "the end, after \"thr\""]);
}

#[test]
fn a_pause_holds_back_the_rest() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "one\npause\ntwo\npause\nthree\nhal");
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    run_idle_turns(&mut reactor);
    assert_eq!(lines_of(&record), ["one", "pause"]);

    // Later data and the end of stream are held back as well.
    client.send(&mut reactor, "f\n");
    client.stream().shutdown(Shutdown::Write).unwrap();
    run_idle_turns(&mut reactor);
    assert_eq!(lines_of(&record).len(), 2);

    reactor.context().transport(id).resume();
    turn_until(&mut reactor, || lines_of(&record).len() == 4);
    run_idle_turns(&mut reactor);
    assert_eq!(lines_of(&record), ["one", "pause", "two", "pause"]);

    reactor.context().transport(id).resume();
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(lines_of(&record)[4..], ["three", "half"]);
    let events = record.borrow().clone();
    let lost = Event::Lost("closed by the peer".into());
    assert_eq!(events[events.len() - 2..], [Event::Eof("".into()), lost]);
}

#[test]
fn another_connections_callback_can_resume() {
    struct Resumer(Id);

    impl Protocol for Resumer {
        fn data_received(&mut self, transport: &mut ropewalk::Transport<'_>, _data: &[u8]) {
            transport.context().transport(self.0).resume();
        }
    }

    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "pause\nnext\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);

    let port = reactor.listen_tcp("127.0.0.1:0", move || Resumer(id)).unwrap();
    let mut other = Client::connect(port.address());
    run_idle_turns(&mut reactor);
    assert_eq!(lines_of(&record), ["pause"]);
    other.send(&mut reactor, "x");
    turn_until(&mut reactor, || lines_of(&record).len() == 2);
    assert_eq!(lines_of(&record), ["pause", "next"]);
}

#[test]
fn pausing_and_resuming_in_a_callback_loses_nothing() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    client.send(&mut reactor, "blink\none\nblink\ntwo\nhal");
    turn_until(&mut reactor, || lines_of(&record).len() == 4);
    client.send(&mut reactor, "f\nblink\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 6);
    assert_eq!(lines_of(&record), ["blink", "one", "blink", "two", "half", "blink"]);
}

#[test]
fn a_close_while_paused_delivers_nothing_more() {
    let (mut reactor, mut client, record) = recorded(LineReceiver::new);
    let id = id_of(&record);
    client.send(&mut reactor, "pause\ntwo\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);
    reactor.context().transport(id).resume();
    reactor.context().close(id);
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(lines_of(&record), ["pause"]);
}

#[test]
fn a_pause_holds_back_raw_data() {
    let (mut reactor, mut client, record) =
        recorded(|recorder| LineReceiver::new(Recorder { pauses_always: true, ..recorder }));
    let id = id_of(&record);
    client.send(&mut reactor, "one\nraw 4\na\nb\ntwo\n");
    turn_until(&mut reactor, || lines_of(&record).len() == 1);
    reactor.context().transport(id).resume();
    turn_until(&mut reactor, || lines_of(&record).len() == 3);
    let expected = [
        Event::Line("one".into()),
        Event::Line("raw 4".into()),
        Event::Raw("a\nb\n".into()),
        Event::Line("two".into()),
    ];
    assert_eq!(record.borrow()[1..], expected);
}
