//! The drop-oldest queue: which chunks are dropped, and which arrive.

use super::numbered::{
    CHUNK, LIMIT, chunk, counts, increases, numbers, one_connection, rest, write_until_dropped,
};
use crate::support::*;
use ropewalk::{ListenOptions, Reactor, SlowReader, Transport};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::Duration;

#[test]
fn drop_oldest_drops_whole_chunks_and_keeps_order() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    let counted = counts(&mut reactor, id);
    assert_eq!(counted.dropped_bytes, counted.dropped * CHUNK as u64);
    assert!(counted.queued <= LIMIT + 16 * 1024, "{} bytes are queued", counted.queued);
    assert_eq!(counted.queued, reactor.context().transport(id).write_buffer_size());

    let got = rest(&mut reactor, id, &client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(
        got.len() as u64 + counted.dropped,
        u64::from(written),
        "only dropped chunks are missing"
    );
    assert!(increases(&got));
    let newest: Vec<u32> = (written - (LIMIT / CHUNK) as u32..written).collect();
    assert!(got.ends_with(&newest), "the newest chunks within the limit arrive");
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(
        log.of(id),
        [Event::Made, Event::Lost("Closed".into())],
        "the protocol was not paused"
    );
}

#[test]
fn drop_oldest_continues_when_the_reader_resumes() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    let length = (u64::from(written) - dropped) as usize * CHUNK;
    let before = numbers(&read_turning(&mut reactor, &client, length));
    assert_eq!(before.last(), Some(&(written - 1)));
    for number in written..written + 50 {
        reactor.context().transport(id).write(&chunk(number));
        assert_eq!(numbers(&read_turning(&mut reactor, &client, CHUNK)), [number]);
    }
    assert_eq!(counts(&mut reactor, id).dropped, dropped, "a reader that keeps up loses nothing");
    assert_eq!(counts(&mut reactor, id).queued, 0);
    assert!(becomes_idle(&mut reactor));
}

#[test]
fn writes_of_one_callback_form_one_chunk() {
    // One callback writes the head, the middle and the end of a message.
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if let Event::Data(data) = event {
            for number in data.chunks_exact(4) {
                let message = u32::from_le_bytes(number.try_into().unwrap());
                let message = message.to_le_bytes().repeat(30_000 / 4);
                for part in message.chunks(10_000) {
                    transport.write(part);
                }
            }
        }
    };
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(SlowReader::DropOldest(100_000));
    let port = options.listen_tcp(reactor.context(), "127.0.0.1:0", recorders(&log, hook)).unwrap();
    let mut client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let mut requests = 0_u32;
    turn_until(&mut reactor, "dropped", |reactor| {
        client.write_all(&requests.to_le_bytes()).unwrap();
        requests += 1;
        let received = u64::from(requests) * 4;
        turn_until(reactor, "received", |reactor| counts(reactor, id).received == received);
        counts(reactor, id).dropped > 20
    });
    let counted = counts(&mut reactor, id);
    assert_eq!(counted.dropped_bytes, counted.dropped * 30_000);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len() % 30_000, 0);
    for message in got.chunks(30_000) {
        assert!(message.chunks(4).all(|part| part == &message[..4]), "it arrived whole");
    }
}

#[test]
fn newest_chunk_is_kept_at_any_length() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    let written = write_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    let long = pattern(MUCH);
    reactor.context().transport(id).write(&long);
    assert_eq!(counts(&mut reactor, id).dropped, dropped + (LIMIT / CHUNK) as u64);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    let (chunks, last) = got.split_at(got.len() - long.len());
    assert!(last == long);
    assert!(increases(&numbers(chunks)));
    assert!(numbers(chunks).len() < written as usize);
}

#[test]
fn empty_writes_drop_nothing() {
    let log = Log::default();
    let (mut reactor, id, _client) = one_connection(&log, SlowReader::DropOldest(0));
    write_until_dropped(&mut reactor, id);
    let before = counts(&mut reactor, id);
    for _ in 0..100 {
        reactor.context().transport(id).write(b"");
    }
    assert_eq!(counts(&mut reactor, id), before);
    assert!(before.queued <= CHUNK + 16 * 1024, "the newest chunk and the next bytes are queued");
}

#[test]
fn queued_chunks_are_discarded_when_connection_ends() {
    for ending in ["abort", "reset", "deadline"] {
        let log = Log::default();
        let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
        write_until_dropped(&mut reactor, id);
        let client = match ending {
            "reset" => {
                reset(client);
                None
            }
            "abort" => {
                reactor.context().abort(id);
                Some(client)
            }
            _ => {
                reactor.context().transport(id).close_within(Duration::from_millis(1));
                Some(client)
            }
        };
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        let reason = match ending {
            "reset" => "Reset",
            "abort" => "Aborted",
            _ => "CloseTimeout",
        };
        assert_eq!(log.reasons(), [reason]);
        assert_eq!(reactor.context().statistics().queued, 0);
        if let Some(mut client) = client {
            client.read_to_end(&mut Vec::new()).expect_err("a reset: it is not the whole");
        }
    }
}

#[test]
fn fast_reader_loses_nothing_beside_slow_reader() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(SlowReader::DropOldest(LIMIT));
    let port =
        options.listen_tcp(reactor.context(), "127.0.0.1:0", recorders(&log, only_record)).unwrap();
    let address = port.address().socket_addr().unwrap();
    let stuck = client(address);
    turn_until(&mut reactor, "the stuck client", |_| log.made() == 1);
    let quick = client(address);
    turn_until(&mut reactor, "both clients", |_| log.made() == 2);
    let ids = log.ids();
    let mut next = 0;
    while counts(&mut reactor, ids[0]).dropped < 100 {
        for id in &ids {
            reactor.context().transport(*id).write(&chunk(next));
        }
        assert_eq!(numbers(&read_turning(&mut reactor, &quick, CHUNK)), [next]);
        next += 1;
    }
    assert_eq!(counts(&mut reactor, ids[1]).dropped, 0);
    let dropped = counts(&mut reactor, ids[0]).dropped;
    assert_eq!(reactor.context().statistics().dropped, dropped);
    drop(stuck);
}

/// Further chunks for a reader that is far behind do not increase the memory in use.
#[test]
fn drop_oldest_queue_keeps_its_memory_bound() {
    let log = Log::default();
    let (mut reactor, id, _client) = one_connection(&log, SlowReader::DropOldest(LIMIT));
    write_until_dropped(&mut reactor, id);
    let mut lengths: VecDeque<usize> = VecDeque::new();
    for number in 0..10_000 {
        reactor.context().transport(id).write(&chunk(number));
        lengths.push_back(reactor.context().transport(id).write_buffer_size());
    }
    assert!(lengths.iter().all(|length| *length <= LIMIT + 16 * 1024));
}

#[test]
fn long_queue_is_sent_entirely_across_budgets() {
    let log = Log::default();
    let (mut reactor, id, client) = one_connection(&log, SlowReader::DropOldest(3_000_000));
    let written = write_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    // The reader takes all that the system holds, which frees space for more than one budget.
    let (mut got, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    let taken = counts(&mut reactor, id).sent as usize;
    while got.len() < taken {
        let count = (&client).read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..count]);
    }
    reactor.context().close(id);
    got.extend(read_all_turning(&mut reactor, &client).unwrap());
    let got = numbers(&got);
    assert!(increases(&got));
    assert_eq!(got.len() as u64 + dropped, u64::from(written));
}
