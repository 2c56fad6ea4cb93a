//! What a callback writes leaves at once if the socket takes it: all of it, a part or nothing, and what
//! follows keeps its place.

mod support;

use ropewalk::{Id, Reactor, Transport};
use std::io::Write;
use std::net::TcpStream;
use support::*;

/// A connection that has been made, and its client.
fn connect(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> (Reactor, Id, TcpStream) {
    let (mut reactor, address) = up(recorders(log, hook));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 3); // The poll has nothing more to say of it.
    (reactor, log.ids()[0], client)
}

#[test]
fn what_follows_an_answer_leaves_though_the_peer_says_no_more() {
    let log = Log::default();
    let (mut reactor, id, mut client) = connect(&log, echo);
    client.write_all(b"hello, ").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data() == b"hello, ");
    for word in [b"are you ", b"still up"] {
        reactor.context().write(id, word);
        turns(&mut reactor, 1);
    }
    assert_eq!(read_turning(&mut reactor, &client, 23), b"hello, are you still up");
}

#[test]
fn short_answers_to_one_who_does_not_read_them_arrive_whole_once_he_does() {
    // Not a divisor of anything, so that the socket is full in the middle of an answer.
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
    let mut asked = 0;
    while reactor.context().write_buffer_size(id) == 0 {
        client.write_all(b"?").unwrap();
        asked += 1;
        turn_until(&mut reactor, "heard", |_| log.data().len() == asked);
    }
    let expected: Vec<u8> = (0..asked).flat_map(|n| [n as u8; ANSWER]).collect();
    assert!(read_turning(&mut reactor, &client, expected.len()) == expected);
}
