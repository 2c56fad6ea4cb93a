//! What happens to peers that read too slowly, as it was chosen; and what is counted of everyone.

mod support;

use ropewalk::{
    ConnectOptions, ConnectionCounts, FileSender, Id, ListenOptions, Reactor, Reason, SlowReader,
    Transport,
};
use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use support::*;

/// How long each piece of a feed is, in bytes: all of it tells its number, so that a piece that was
/// cut, doubled or swapped shows.
const PIECE: usize = 1_000;

/// How many bytes may wait behind what is next.
const LIMIT: usize = 20_000;

fn piece(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(PIECE / 4)
}

/// The numbers of the pieces in `bytes`, each of which has to be whole.
fn numbers(bytes: &[u8]) -> Vec<u32> {
    assert_eq!(bytes.len() % PIECE, 0, "no piece is cut");
    let whole = |bytes: &[u8]| {
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes, piece(number), "a piece of its own");
        number
    };
    bytes.chunks(PIECE).map(whole).collect()
}

/// A reactor whose listener has chosen `slow_reader`, the id of its one connection, and the client.
fn one(log: &Log, slow_reader: SlowReader) -> (Reactor, Id, TcpStream) {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(slow_reader);
    let port = reactor
        .context()
        .listen_tcp_with("127.0.0.1:0", &options, recorders(log, only_record))
        .unwrap();
    let client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    (reactor, id, client)
}

fn counts(reactor: &mut Reactor, id: Id) -> ConnectionCounts {
    reactor.context().connection_counts(id).expect("it is there")
}

/// Sends pieces, from number 0 on, until the system takes nothing more for a while and all that comes
/// anew makes something old be dropped. Returns how many that took.
fn feed_until_dropped(reactor: &mut Reactor, id: Id) -> u32 {
    let (mut next, mut sent, mut in_vain) = (0, 0, 0);
    turn_until(reactor, "dropped", |reactor| {
        for _ in 0..100 {
            reactor.context().write(id, &piece(next));
            next += 1;
        }
        let now = counts(reactor, id).sent;
        in_vain = if now == sent { in_vain + 1 } else { 0 };
        sent = now;
        in_vain > 10 && counts(reactor, id).dropped > 100
    });
    next
}

/// What the client gets until the connection is closed.
fn rest(reactor: &mut Reactor, id: Id, client: &TcpStream) -> Vec<u32> {
    reactor.context().close(id);
    numbers(&read_all_turning(reactor, client).unwrap())
}

fn increases(numbers: &[u32]) -> bool {
    numbers.is_sorted_by(|before, after| before < after)
}

#[test]
fn of_a_feed_the_oldest_pieces_are_dropped_whole_and_what_is_new_arrives_in_order() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    let counted = counts(&mut reactor, id);
    assert_eq!(counted.dropped_bytes, counted.dropped * PIECE as u64);
    assert!(counted.waiting <= LIMIT + 16 * 1024, "{} bytes wait", counted.waiting);
    assert_eq!(counted.waiting, reactor.context().write_buffer_size(id));

    let got = rest(&mut reactor, id, &client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(got.len() as u64 + counted.dropped, u64::from(written), "no other was lost");
    assert!(increases(&got));
    let newest: Vec<u32> = (written - (LIMIT / PIECE) as u32..written).collect();
    assert!(got.ends_with(&newest), "the newest that have room are there");
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(log.of(id), [Event::Made, Event::Lost("Closed".into())], "nobody had to pause");
}

#[test]
fn a_feed_goes_on_when_its_reader_does() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    let length = (u64::from(written) - dropped) as usize * PIECE;
    let before = numbers(&read_turning(&mut reactor, &client, length));
    assert_eq!(before.last(), Some(&(written - 1)));
    for number in written..written + 50 {
        reactor.context().write(id, &piece(number));
        assert_eq!(numbers(&read_turning(&mut reactor, &client, PIECE)), [number]);
    }
    assert_eq!(counts(&mut reactor, id).dropped, dropped, "whoever keeps up misses nothing");
    assert_eq!(counts(&mut reactor, id).waiting, 0);
    assert!(comes_to_rest(&mut reactor));
}

#[test]
fn all_that_one_callback_writes_is_one_piece() {
    // In one callback each: the head, the middle and the end of a message.
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
    let port =
        reactor.context().listen_tcp_with("127.0.0.1:0", &options, recorders(&log, hook)).unwrap();
    let mut client = client(port.address().socket_addr().unwrap());
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    let mut asked = 0_u32;
    turn_until(&mut reactor, "dropped", |reactor| {
        client.write_all(&asked.to_le_bytes()).unwrap();
        asked += 1;
        let received = u64::from(asked) * 4;
        turn_until(reactor, "asked", |reactor| counts(reactor, id).received == received);
        counts(reactor, id).dropped > 20
    });
    let counted = counts(&mut reactor, id);
    assert_eq!(counted.dropped_bytes, counted.dropped * 30_000);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(got.len() % 30_000, 0);
    for message in got.chunks(30_000) {
        assert!(message.chunks(4).all(|part| part == &message[..4]), "it came whole");
    }
}

#[test]
fn the_newest_piece_is_kept_however_long_it_is() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    let long = pattern(MUCH);
    reactor.context().write(id, &long);
    assert_eq!(counts(&mut reactor, id).dropped, dropped + (LIMIT / PIECE) as u64);
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    let (pieces, last) = got.split_at(got.len() - long.len());
    assert!(last == long);
    assert!(increases(&numbers(pieces)));
    assert!(numbers(pieces).len() < written as usize);
}

#[test]
fn writes_of_nothing_drop_nothing() {
    let log = Log::default();
    let (mut reactor, id, _client) = one(&log, SlowReader::DropOldest(0));
    feed_until_dropped(&mut reactor, id);
    let before = counts(&mut reactor, id);
    for _ in 0..100 {
        reactor.context().write(id, b"");
    }
    assert_eq!(counts(&mut reactor, id), before);
    assert!(before.waiting <= PIECE + 16 * 1024, "the newest waits, and what is next");
}

#[test]
fn a_feed_that_cannot_be_sent_at_all_ends_with_its_connection() {
    for ending in ["abort", "reset", "deadline"] {
        let log = Log::default();
        let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
        feed_until_dropped(&mut reactor, id);
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
                reactor.context().close_within(id, Duration::from_millis(1));
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
        assert_eq!(reactor.context().statistics().waiting, 0);
        if let Some(mut client) = client {
            client.read_to_end(&mut Vec::new()).expect_err("a reset: it is not the whole");
        }
    }
}

#[test]
fn who_does_not_read_is_disconnected_without_being_asked_to_pause() {
    let log = Log::default();
    let limit = 300_000;
    let (mut reactor, id, mut client) = one(&log, SlowReader::Disconnect(limit));
    let mut most = 0;
    turn_until(&mut reactor, "lost", |reactor| {
        reactor.context().write(id, &[b'x'; 10_000]);
        most = most.max(reactor.context().write_buffer_size(id));
        log.lost() == 1
    });
    assert_eq!(log.of(id), [Event::Made, Event::Lost("WriteLimit".into())]);
    assert!(most > limit && most <= limit + 10_000, "{most} bytes waited");
    client.read_to_end(&mut Vec::new()).expect_err("a reset: it is not the whole");
}

#[test]
fn unless_something_is_chosen_who_writes_is_asked_to_pause() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    reactor.context().write(id, &pattern(MUCH));
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    assert!(read_turning(&mut reactor, &client, MUCH) == pattern(MUCH));
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    assert_eq!(counts(&mut reactor, id).dropped, 0);
}

#[test]
fn it_can_be_chosen_anew_while_something_waits() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    // From here on nothing may be dropped: who writes is asked to pause, and does not heed it.
    reactor.context().set_slow_reader(id, SlowReader::Pause);
    for number in written..written + 200 {
        reactor.context().write(id, &piece(number));
    }
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    assert_eq!(counts(&mut reactor, id).dropped, dropped);
    // And now again: who was asked to pause may go on at once.
    reactor.context().set_slow_reader(id, SlowReader::DropOldest(LIMIT / 2));
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    for number in written + 200..written + 400 {
        reactor.context().write(id, &piece(number));
    }
    let now = counts(&mut reactor, id).dropped;
    assert_eq!(now - dropped, 200 - (LIMIT / 2 / PIECE) as u64);
    let got = rest(&mut reactor, id, &client);
    assert!(increases(&got));
    let newest: Vec<u32> = (written + 390..written + 400).collect();
    assert!(got.ends_with(&newest));
    assert_eq!(got.len() as u64 + now, u64::from(written) + 400);
}

#[test]
fn a_client_chooses_for_its_connection_and_before_it_is_there() {
    for early in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (log, failures) = (Log::default(), Failures::default());
        let mut reactor = Reactor::new().unwrap();
        let mut options = ConnectOptions::new();
        if !early {
            options = options.slow_reader(SlowReader::DropOldest(LIMIT));
        }
        let address = listener.local_addr().unwrap();
        let caller = Caller::new(&log, &failures, only_record);
        let id = reactor.context().connect_tcp_with(address, &options, caller).unwrap();
        if early {
            reactor.context().set_slow_reader(id, SlowReader::DropOldest(LIMIT));
        }
        let (server, _) = listener.accept().unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let written = feed_until_dropped(&mut reactor, id);
        let dropped = counts(&mut reactor, id).dropped;
        let got = rest(&mut reactor, id, &server);
        assert!(increases(&got));
        assert_eq!(got.len() as u64 + dropped, u64::from(written));
    }
}

#[test]
fn a_half_close_waits_for_the_feed() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    reactor.context().write_eof(id);
    let got = numbers(&read_all_turning(&mut reactor, &client).unwrap());
    assert_eq!(got.last(), Some(&(written - 1)));
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn a_file_follows_what_waits_of_a_feed_and_comes_whole() {
    let path = std::env::temp_dir().join(format!("ropewalk-feed-{}", std::process::id()));
    let whole = pattern(1_000_000);
    std::fs::write(&path, &whole).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    feed_until_dropped(&mut reactor, id);
    let sender = FileSender::new(file);
    reactor.context().register_pull_producer(id, sender).unwrap();
    reactor.context().close(id);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    let (pieces, sent) = got.split_at(got.len() - whole.len());
    assert!(sent == whole);
    assert!(increases(&numbers(pieces)));
}

#[cfg(unix)]
#[test]
fn what_waits_of_a_feed_goes_along_when_its_connection_is_let_go() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(LIMIT));
    let written = feed_until_dropped(&mut reactor, id);
    let counted = counts(&mut reactor, id);
    let detached = reactor.context().detach(id).unwrap();
    assert_eq!(detached.unsent.len(), counted.waiting);
    turn_until(&mut reactor, "told", |_| log.lost() == 1);
    let statistics = reactor.context().statistics();
    assert_eq!((statistics.sent, statistics.waiting), (counted.sent, 0));
    assert_eq!(statistics.lost_by(&Reason::Detached), 1);
    let sender = thread::spawn(move || {
        let mut socket = TcpStream::from(detached.socket);
        socket.set_nonblocking(false).unwrap();
        socket.write_all(&detached.unsent).unwrap();
    });
    let got = numbers(&read_all(&client));
    sender.join().unwrap();
    assert!(increases(&got));
    assert_eq!(got.len() as u64 + counted.dropped, u64::from(written));
}

#[test]
fn one_who_keeps_up_misses_nothing_while_another_of_the_same_feed_does() {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().slow_reader(SlowReader::DropOldest(LIMIT));
    let port = reactor
        .context()
        .listen_tcp_with("127.0.0.1:0", &options, recorders(&log, only_record))
        .unwrap();
    let address = port.address().socket_addr().unwrap();
    let stuck = client(address);
    turn_until(&mut reactor, "the stuck one is in", |_| log.made() == 1);
    let quick = client(address);
    turn_until(&mut reactor, "both in", |_| log.made() == 2);
    let ids = log.ids();
    let mut next = 0;
    while counts(&mut reactor, ids[0]).dropped < 100 {
        for id in &ids {
            reactor.context().write(*id, &piece(next));
        }
        assert_eq!(numbers(&read_turning(&mut reactor, &quick, PIECE)), [next]);
        next += 1;
    }
    assert_eq!(counts(&mut reactor, ids[1]).dropped, 0);
    let dropped = counts(&mut reactor, ids[0]).dropped;
    assert_eq!(reactor.context().statistics().dropped, dropped);
    drop(stuck);
}

#[test]
fn the_counts_of_a_connection_are_exact_and_there_until_it_has_heard_of_its_end() {
    let last = Rc::new(Cell::new(ConnectionCounts::default()));
    let noted = Rc::clone(&last);
    let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(data) => {
            let before = transport.counts();
            transport.write(data);
            let after = transport.counts();
            assert_eq!(after.waiting - before.waiting, data.len(), "what is gathered waits too");
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
    assert_eq!((counted.waiting, counted.dropped), (0, 0));
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(last.get(), counted);
    assert_eq!(reactor.context().connection_counts(id), None);
}

#[test]
fn the_statistics_tell_of_those_who_are_there_and_those_who_were() {
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
    // The one that was closed lingers until its client has gone, and is not counted twice.
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
fn turns_and_the_longest_callback_are_counted() {
    const LONG: Duration = Duration::from_millis(30);
    let log = Log::default();
    // A callback that takes long is what this is about.
    let hook = |_: &mut Transport<'_>, event: &Event| {
        if let Event::Data(data) = event
            && data == b"long"
        {
            thread::sleep(LONG);
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let before = reactor.context().statistics();
    turns(&mut reactor, 7);
    assert_eq!(reactor.context().statistics().turns - before.turns, 7);
    client.write_all(b"long").unwrap();
    turn_until(&mut reactor, "heard", |_| !log.data().is_empty());
    let statistics = reactor.context().statistics();
    assert!(statistics.longest_callback >= LONG, "{:?}", statistics.longest_callback);
    client.write_all(b"short").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data().len() > 4);
    assert!(reactor.context().statistics().longest_callback >= statistics.longest_callback);
}

/// Pieces that come while the reader is far behind cost no more and no more.
#[test]
fn a_feed_for_one_who_never_reads_keeps_its_memory() {
    let log = Log::default();
    let (mut reactor, id, _client) = one(&log, SlowReader::DropOldest(LIMIT));
    feed_until_dropped(&mut reactor, id);
    let mut lengths: VecDeque<usize> = VecDeque::new();
    for number in 0..10_000 {
        reactor.context().write(id, &piece(number));
        lengths.push_back(reactor.context().write_buffer_size(id));
    }
    assert!(lengths.iter().all(|length| *length <= LIMIT + 16 * 1024));
}

#[test]
fn a_long_feed_is_sent_a_budget_at_a_time_and_entirely() {
    let log = Log::default();
    let (mut reactor, id, client) = one(&log, SlowReader::DropOldest(3_000_000));
    let written = feed_until_dropped(&mut reactor, id);
    let dropped = counts(&mut reactor, id).dropped;
    // The reader takes all that the system has, so that there is room for more than a budget.
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
