//! What a peer said before its connection broke is delivered, though writing fails first.

mod support;

use std::io::Write;
use support::*;

#[test]
fn what_was_sent_before_a_reset_is_delivered_though_a_write_meets_the_reset_first() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if *event == Event::Made {
            transport.write(b"welcome");
        }
    }));
    let mut client = client(address);
    client.write_all(b"last words").unwrap();
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let words = Event::Data(b"last words".to_vec());
    assert_eq!(log.of(log.ids()[0]), [Event::Made, words, Event::Lost("Reset".into())]);
}

#[test]
fn a_broken_connection_that_is_paused_until_all_is_sent_goes_on_and_ends() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| match event {
        Event::Made => transport.write(&vec![0; MUCH]),
        Event::PauseWriting => transport.pause(),
        Event::ResumeWriting => transport.resume(),
        _ => {}
    }));
    let client = client(address);
    turn_until(&mut reactor, "the peer is too slow", |_| {
        log.count(|event| *event == Event::PauseWriting) == 1
    });
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn nothing_is_written_to_a_connection_that_is_broken() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| match event {
        Event::Made => transport.write(b"welcome"),
        Event::Data(_) => {
            transport.write(b"to nobody");
            assert_eq!(transport.write_buffer_size(), 0);
        }
        _ => {}
    }));
    let mut client = client(address);
    client.write_all(b"last words").unwrap();
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}
