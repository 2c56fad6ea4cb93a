//! Echo and Discard.

use crate::support::{Client, listening, turn_until};
use ropewalk_protocols::{Discard, Echo};
use std::net::Shutdown;

#[test]
fn echo_sends_every_byte_back_and_closes() {
    let (mut reactor, address) = listening(|| Echo);
    let mut client = Client::connect(&address);
    let data: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut unsent = &data[..];
    turn_until(&mut reactor, || {
        if !unsent.is_empty() {
            unsent = &unsent[client.send_some(unsent)..];
            if unsent.is_empty() {
                client.stream().shutdown(Shutdown::Write).unwrap();
            }
        }
        client.has_ended()
    });
    assert!(client.received == data, "{} bytes came back", client.received.len());
    assert_eq!(client.ended, Some(std::io::ErrorKind::UnexpectedEof));
}

#[test]
fn a_peer_that_only_writes_costs_bounded_memory() {
    let (mut reactor, address) = listening(|| Echo);
    let mut client = Client::connect(&address);
    let data = vec![7; 1 << 20];
    let (mut sent, mut most, mut stuck) = (0, 0, 0);
    // The transfer has stopped after many turns without progress.
    while stuck < 50 {
        let count = client.send_some(&data);
        sent += count;
        stuck = if count == 0 { stuck + 1 } else { 0 };
        reactor.turn(Some(std::time::Duration::from_millis(1))).unwrap();
        let context = reactor.context();
        let waiting =
            context.connections().map(|id| context.transport(id).write_buffer_size()).sum();
        most = most.max(waiting);
    }
    // The high mark, and the data of one read.
    assert!(most <= (64 + 256) * 1024, "{most} bytes were queued");

    // No data is lost when the peer begins to read.
    turn_until(&mut reactor, || {
        client.read();
        client.received.len() == sent
    });
}

#[test]
fn discard_reads_everything_and_sends_nothing() {
    let (mut reactor, address) = listening(|| Discard);
    let mut client = Client::connect(&address);
    client.send(&mut reactor, vec![1; 5_000_000]);
    client.stream().shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, || client.has_ended());
    assert_eq!(client.received, b"");
    assert_eq!(client.ended, Some(std::io::ErrorKind::UnexpectedEof));
}
