//! Damaged recordings.

use crate::streams::echo;
use crate::support::{Callbacks, Echo, record, replay};
use ropewalk::{Address, Reactor};
use ropewalk_replay::{Ending, Replayer, Tape};
use std::io::{Cursor, Read, Write};
use std::net::TcpStream;

fn recorded() -> Vec<u8> {
    let recorded = record(echo, |address, _| {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
    });
    assert!(recorded.summary.ending.is_complete());
    recorded.bytes
}

/// Replays bytes that are no complete recording.
fn check(bytes: &[u8], what: &str) {
    if Replayer::new(Cursor::new(bytes.to_vec())).is_err() {
        return;
    }
    // The listener of a replay that has ended at once is refused.
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        let _ = reactor.listen_tcp("127.0.0.1:0", move || Echo(callbacks.clone()));
        Address::Unknown
    };
    match replay(bytes, program).summary.ending {
        Ending::Failed(_) | Ending::CutOff => {}
        ending => panic!("{what}: {ending}"),
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = recorded();
    for end in 0..bytes.len() {
        check(&bytes[..end], &format!("cut to {end}"));
    }
}

#[test]
fn every_changed_bit_is_an_error() {
    let bytes = recorded();
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        check(&changed, &format!("bit {bit}"));
    }
}

#[test]
fn trailing_bytes_are_an_error() {
    let mut bytes = recorded();
    bytes.extend([0; 20]);
    let replayed = replay(&bytes, echo);
    assert!(matches!(replayed.summary.ending, Ending::Failed(_)), "{}", replayed.summary.ending);
}
