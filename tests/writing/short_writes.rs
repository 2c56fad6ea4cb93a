//! Writes that are sent directly from a callback, wholly, partly or not at all.

use crate::support::*;
use ropewalk::{Id, Reactor, Transport};
use std::io::Write;
use std::net::TcpStream;

/// Returns a connection that has been made, and its client.
fn connect(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> (Reactor, Id, TcpStream) {
    let (mut reactor, client) = up_with_client(log, hook);
    turns(&mut reactor, 3); // Until the poll reports nothing more.
    (reactor, log.ids()[0], client)
}

#[test]
fn later_writes_leave_without_a_new_event() {
    let log = Log::default();
    let (mut reactor, id, mut client) = connect(&log, echo);
    client.write_all(b"hello, ").unwrap();
    turn_until(&mut reactor, "received", |_| log.data() == b"hello, ");
    for word in [b"more to ", b"come now"] {
        reactor.context().transport(id).write(word);
        turns(&mut reactor, 1);
    }
    assert_eq!(read_turning(&mut reactor, &client, 23), b"hello, more to come now");
}

#[test]
fn short_answers_survive_a_full_socket() {
    // A prime, so that the socket fills in the middle of an answer.
    const ANSWER: usize = 9_973;
    let log = Log::default();
    let mut answered = 0;
    let hook = move |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.write(&[answered; ANSWER]);
            answered = answered.wrapping_add(1);
        }
    };
    let (mut reactor, id, mut client) = connect(&log, hook);
    let mut requests = 0;
    while reactor.context().transport(id).write_buffer_size() == 0 {
        client.write_all(b"?").unwrap();
        requests += 1;
        turn_until(&mut reactor, "received", |_| log.data().len() == requests);
    }
    let expected: Vec<u8> = (0..requests).flat_map(|n| [n as u8; ANSWER]).collect();
    assert!(read_turning(&mut reactor, &client, expected.len()) == expected);
}
