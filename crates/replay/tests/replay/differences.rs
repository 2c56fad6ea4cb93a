//! Programs that do something else than was recorded.

use crate::streams::{echo, talk};
use crate::support::{Callbacks, Run, difference, record, replay};
use ropewalk::{Address, Protocol, Reactor, Transport};
use ropewalk_replay::{Ending, Tape};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn recorded() -> Run {
    record(echo, |address, _| talk(address))
}

/// Echoes as this changes it.
struct Other(fn(&mut Transport<'_>, &[u8]));

impl Protocol for Other {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        (self.0)(transport, data);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        transport.close();
    }
}

/// Replays an echo with another protocol. Returns the difference.
fn with_other(act: fn(&mut Transport<'_>, &[u8])) -> String {
    let program = move |reactor: &mut Reactor, _: &Tape, _: &Callbacks| {
        reactor.listen_tcp("127.0.0.1:0", move || Other(act)).unwrap().address().clone()
    };
    difference(&replay(&recorded().bytes, program))
}

#[test]
fn same_program_in_another_form_does_not_differ() {
    let program = |reactor: &mut Reactor, _: &Tape, _: &Callbacks| {
        let act = |transport: &mut Transport<'_>, data: &[u8]| transport.write(data);
        reactor.listen_tcp("127.0.0.1:0", move || Other(act)).unwrap().address().clone()
    };
    let replayed = replay(&recorded().bytes, program);
    assert!(replayed.summary.ending.is_complete(), "{}", replayed.summary.ending);
}

#[test]
fn other_bytes_are_shown() {
    let text = with_other(|transport, data| transport.write(&data.to_ascii_uppercase()));
    assert!(text.contains("recorded: socket 2: write 8 bytes"), "{text}");
    assert!(text.contains("\"HELLO 0\\n\""), "{text}");
    assert!(text.starts_with("the replay differs at record "), "{text}");
}

#[test]
fn missing_write_is_shown() {
    let text = with_other(|_, _| {});
    assert!(text.contains("recorded: socket 2: write 8 bytes"), "{text}");
    assert!(!text.contains("replayed: socket 2: write"), "{text}");
}

#[test]
fn other_call_is_shown() {
    let text = with_other(|transport, _| transport.abort());
    assert!(text.contains("replayed: socket 2: reset_on_close"), "{text}");
}

#[test]
fn other_timer_is_shown() {
    let program = |reactor: &mut Reactor, tape: &Tape, callbacks: &Callbacks| {
        reactor.context().call_later(Duration::from_secs(3), |_| {});
        echo(reactor, tape, callbacks)
    };
    let text = difference(&replay(&recorded().bytes, program));
    assert!(text.contains("now"), "{text}");
}

#[test]
fn other_address_is_shown() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        let listens = reactor.listen_tcp("127.0.0.2:0", move || {
            let _ = &callbacks;
            Other(|_, _| {})
        });
        assert!(listens.is_err(), "the replay has ended");
        Address::Unknown
    };
    let text = difference(&replay(&recorded().bytes, program));
    assert!(text.contains("127.0.0.1:0") && text.contains("127.0.0.2:0"), "{text}");
}

#[test]
fn early_end_is_shown() {
    let program = |reactor: &mut Reactor, tape: &Tape, callbacks: &Callbacks| {
        let address = echo(reactor, tape, callbacks);
        reactor.context().stop();
        address
    };
    difference(&replay(&recorded().bytes, program));
}

#[test]
fn protocols_are_notified_of_the_end_of_a_replay() {
    let recorded = record(echo, |address, _| {
        let mut client = TcpStream::connect(address).unwrap();
        for _ in 0..20 {
            client.write_all(&[b'a'; 10_000]).unwrap();
            client.read_exact(&mut [0; 10_000]).unwrap();
        }
    });
    let replayed = replay(&recorded.bytes[..150_000], echo);
    assert!(replayed.callbacks.len() > 5, "{:?}", replayed.callbacks);
    let count =
        |what: &str| replayed.callbacks.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("made"), count("lost"), "{:?}", replayed.callbacks);
    assert!(matches!(replayed.summary.ending, Ending::Failed(_)));
}
