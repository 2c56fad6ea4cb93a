//! Counts of a connection, and statistics of the reactor.

use super::numbered::counts;
use crate::support::*;
use ropewalk::{ConnectionCounts, Reason, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

#[test]
fn connection_counts_are_exact_until_connection_lost() {
    let last = Rc::new(Cell::new(ConnectionCounts::default()));
    let noted = Rc::clone(&last);
    let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(data) => {
            let before = transport.counts();
            transport.write(data);
            let after = transport.counts();
            assert_eq!(after.queued - before.queued, data.len(), "gathered data counts as queued");
        }
        Event::Lost(_) => noted.set(transport.counts()),
        _ => {}
    };
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    for _ in 0..10 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, &client, 4), b"ping");
    }
    let id = log.ids()[0];
    let counted = counts(&mut reactor, id);
    assert_eq!((counted.received, counted.sent), (40, 40));
    assert_eq!((counted.reads, counted.writes), (10, 10));
    assert_eq!((counted.queued, counted.dropped), (0, 0));
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(last.get(), counted);
    assert_eq!(reactor.context().transport(id).counts(), ConnectionCounts::default());
}

#[test]
fn statistics_include_open_and_lost_connections() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut clients: Vec<TcpStream> = (0..5).map(|_| client(address)).collect();
    for client in &mut clients {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, client, 4), b"ping");
    }
    let statistics = reactor.context().statistics();
    assert_eq!((statistics.made, statistics.lost()), (5, 0));
    assert_eq!((statistics.received, statistics.sent), (20, 20));

    let ids = log.ids();
    reactor.context().abort(ids[0]);
    reactor.context().close(ids[1]);
    clients.truncate(4);
    reset(clients.remove(3));
    turn_until(&mut reactor, "lost", |_| log.lost() == 4);
    // The closed connection lingers until its client closes, and is counted once.
    clients.clear();
    turn_until(&mut reactor, "lost", |_| log.lost() == 5);
    turns(&mut reactor, 3);
    let statistics = reactor.context().statistics();
    assert_eq!((statistics.made, statistics.lost()), (5, 5));
    assert_eq!((statistics.received, statistics.sent), (20, 20));
    assert_eq!(statistics.lost_by(&Reason::Aborted), 1);
    assert_eq!(statistics.lost_by(&Reason::Closed), 1);
    assert_eq!(statistics.lost_by(&Reason::Reset), 1);
    assert_eq!(statistics.lost_by(&Reason::ClosedByPeer), 2);
    let mut reasons: Vec<(&str, u64)> = statistics.reasons().collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("Aborted", 1), ("Closed", 1), ("ClosedByPeer", 2), ("Reset", 1)]);
}

#[test]
fn statistics_count_turns_and_longest_callback() {
    const LONG: Duration = Duration::from_millis(30);
    let log = Log::default();
    // A long callback, to be measured.
    let hook = |_: &mut Transport<'_>, event: &Event| {
        if let Event::Data(data) = event
            && data == b"long"
        {
            thread::sleep(LONG);
        }
    };
    let (mut reactor, mut client) = up_with_client(&log, hook);
    let before = reactor.context().statistics();
    turns(&mut reactor, 7);
    assert_eq!(reactor.context().statistics().turns - before.turns, 7);
    client.write_all(b"long").unwrap();
    turn_until(&mut reactor, "received", |_| !log.data().is_empty());
    let statistics = reactor.context().statistics();
    assert!(statistics.longest_callback >= LONG, "{:?}", statistics.longest_callback);
    client.write_all(b"short").unwrap();
    turn_until(&mut reactor, "received", |_| log.data().len() > 4);
    assert!(reactor.context().statistics().longest_callback >= statistics.longest_callback);
}
