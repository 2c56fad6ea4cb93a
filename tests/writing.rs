//! What we send: all of it, in order, within limits, and the ways in which it ends.

mod support;

use ropewalk::{Context, Id, Transport};
use socket2::{Domain, Socket, Type};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::*;

/// Reads all there is in a thread of its own.
fn reading(mut client: TcpStream) -> thread::JoinHandle<std::io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        client.read_to_end(&mut all).map(|_| all)
    })
}

/// A hook that does `act` when the connection is made.
fn on_made(
    act: impl Fn(&mut Transport<'_>) + Clone + 'static,
) -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    move |transport, event| {
        if *event == Event::Made {
            act(transport);
        }
    }
}

/// A hook that does `act` on the first data.
fn on_data(
    act: impl Fn(&mut Transport<'_>) + Clone + 'static,
) -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    move |transport, event| {
        if matches!(event, Event::Data(_)) {
            act(transport);
        }
    }
}

#[test]
fn ten_thousand_small_writes_keep_their_order_though_some_come_before_the_connection() {
    let (log, failures) = (Log::default(), Failures::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    let number = Rc::new(Cell::new(0_u32));
    let next = {
        let number = Rc::clone(&number);
        move || {
            number.set(number.get() + 1);
            number.get().to_be_bytes()
        }
    };
    let hook = {
        let next = next.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                for n in 0..2_000 {
                    let bytes = next();
                    let id = transport.id();
                    // Both ways to write to oneself are one way.
                    if n % 3 == 0 {
                        transport.context().write(id, &bytes);
                    } else {
                        transport.write(&bytes);
                    }
                }
            }
        }
    };
    let address = listener.local_addr().unwrap();
    let id = reactor.connect_tcp(address, Caller::new(&log, &failures, hook)).unwrap();
    for _ in 0..2_000 {
        reactor.context().write(id, &next());
    }
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    for n in 0..6_000 {
        reactor.context().write(id, &next());
        if n % 100 == 0 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    }
    reactor.context().close(id);
    let reader = reading(listener.accept().unwrap().0);
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    let got = reader.join().unwrap().unwrap();
    let expected: Vec<u8> = (1..=10_000_u32).flat_map(u32::to_be_bytes).collect();
    assert!(got == expected, "{} bytes", got.len());
}

#[test]
fn pieces_of_every_size_arrive_as_one_stream() {
    // Around what is gathered, what a buffer holds and what a socket takes; own and other's writes.
    let sizes = [1, 15_999, 16_384, 16_385, 65_535, 65_536, 65_537, 3, 200_000, 7, 3_000_000, 0, 9];
    let total: usize = sizes.iter().sum::<usize>() * 2;
    let data = pattern(total);
    let sent = data.clone();
    let hook = on_data(move |transport| {
        let id = transport.id();
        let mut rest = &sent[..];
        for (n, size) in sizes.iter().chain(sizes.iter().rev()).enumerate() {
            let (piece, later) = rest.split_at(*size);
            if n % 2 == 0 {
                transport.write(piece)
            } else {
                transport.context().write(id, piece)
            }
            rest = later;
        }
        transport.close();
    });
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == data, "{} of {total} bytes", got.len());
}

#[test]
fn fifty_megabytes_in_one_write_arrive() {
    let data = pattern(50_000_000);
    let sent = data.clone();
    let log = Log::default();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let reader = reading(client(address));
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    assert!(reader.join().unwrap().unwrap() == data);
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn writes_to_oneself_and_to_another_each_keep_their_order() {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            let ids = log.ids();
            if let Event::Data(_) = event {
                let me = transport.id();
                for n in 0..100_u8 {
                    for id in &ids {
                        transport.context().write(*id, &[n]);
                    }
                    transport.write(&[n]);
                    transport.context().write(me, &[n]);
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (mut first, second) = (client(address), client(address));
    turn_until(&mut reactor, "both made", |_| log.made() == 2);
    first.write_all(b"go").unwrap();
    let own = read_turning(&mut reactor, &first, 300);
    assert!(own == (0..100_u8).flat_map(|n| [n, n, n]).collect::<Vec<_>>());
    let other = read_turning(&mut reactor, &second, 100);
    assert!(other == (0..100_u8).collect::<Vec<_>>());
}

#[test]
fn a_broadcast_reaches_everybody_whole() {
    let log = Log::default();
    let hook = {
        let log = log.clone();
        move |transport: &mut Transport<'_>, event: &Event| {
            if let Event::Data(_) = event {
                for line in 0..100 {
                    for id in log.ids() {
                        transport.context().write(id, format!("line {line}\n").as_bytes());
                    }
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut clients: Vec<TcpStream> = (0..50).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all made", |_| log.made() == 50);
    clients[0].write_all(b"go").unwrap();
    let expected: String = (0..100).map(|line| format!("line {line}\n")).collect();
    for client in &clients {
        let got = read_turning(&mut reactor, client, expected.len());
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }
}

#[test]
fn an_empty_write_is_nothing() {
    let log = Log::default();
    let hook = on_data(|transport| {
        let id = transport.id();
        transport.write(b"");
        transport.context().write(id, b"");
        transport.write_sequence([&b""[..], b"some", b"", b"thing"]);
        write!(transport, "");
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 9), b"something");
    turns(&mut reactor, 3);
    assert!(peek_now(&client, &mut [0; 10]).is_none(), "no end and no more data");
    assert_eq!(log.lost(), 0);
}

#[test]
fn what_waits_is_told_at_the_marks_in_strict_pairs() {
    for limits in [None, Some((100_000, 0)), Some((0, 0)), Some((10, 5_000))] {
        let log = Log::default();
        let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
            Event::Made => {
                if let Some((high, low)) = limits {
                    transport.set_write_buffer_limits(high, low);
                }
            }
            Event::Data(_) => transport.write(&vec![0; MUCH]),
            Event::PauseWriting => {
                let high = limits.map_or(65_536, |(high, _)| high);
                assert!(transport.write_buffer_size() > high);
            }
            Event::ResumeWriting => {
                let low = limits.map_or(16_384, |(high, low)| low.min(high));
                assert!(transport.write_buffer_size() <= low);
            }
            _ => {}
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let mut client = client(address);
        for round in 1..=3 {
            client.write_all(b"go").unwrap();
            let pauses = || log.count(|event| *event == Event::PauseWriting);
            turn_until(&mut reactor, "paused", |_| pauses() == round);
            let id = log.ids()[0];
            assert!(reactor.context().write_buffer_size(id) > 0);
            let got = read_turning(&mut reactor, &client, MUCH);
            assert_eq!(got.len(), MUCH);
            let resumes = || log.count(|event| *event == Event::ResumeWriting);
            turn_until(&mut reactor, "resumed", |_| resumes() == round);
            assert_eq!(reactor.context().write_buffer_size(id), 0);
        }
        let flow = |event: &Event| matches!(event, Event::PauseWriting | Event::ResumeWriting);
        let events: Vec<Event> =
            log.all().into_iter().map(|(_, event)| event).filter(|event| flow(event)).collect();
        let pair = [Event::PauseWriting, Event::ResumeWriting];
        assert_eq!(events, [pair.clone(), pair.clone(), pair].concat(), "{limits:?}");
    }
}

#[test]
fn new_marks_count_at_once() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_data(|t| t.write(&vec![0; MUCH]))));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    let id = log.ids()[0];
    reactor.context().set_write_buffer_limits(id, 10 * MUCH, 10 * MUCH);
    turn_until(&mut reactor, "resumed", |_| log.count(|e| *e == Event::ResumeWriting) == 1);
    reactor.context().set_write_buffer_limits(id, 0, 0);
    turn_until(&mut reactor, "paused anew", |_| log.count(|e| *e == Event::PauseWriting) == 2);
}

#[test]
fn a_peer_that_never_reads_ends_at_the_limit_and_cannot_take_the_memory() {
    const MIB: usize = 1024 * 1024;
    for limit in [None, Some(100_000), Some(0)] {
        let log = Log::default();
        let (mut reactor, address) = up(recorders(&log, only_record));
        let mut client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let id = log.ids()[0];
        if let Some(limit) = limit {
            reactor.context().set_write_limit(id, limit);
        }
        let (piece, mut most) = (vec![0; MIB], 0);
        turn_until(&mut reactor, "cut off", |reactor| {
            reactor.context().write(id, &piece);
            most = most.max(reactor.context().write_buffer_size(id));
            log.lost() == 1
        });
        assert_eq!(log.reasons(), ["WriteLimit"]);
        let limit = limit.unwrap_or(64 * MIB);
        assert!(most <= limit + MIB, "{most} bytes waited");
        assert!(most >= limit.min(32 * MIB), "{most} bytes waited");
        let error = client.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it cannot take it for the whole");
    }
}

#[test]
fn less_may_wait_for_one_who_has_not_logged_in_than_for_one_who_has() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => transport.set_write_limit(10_000),
        Event::Data(_) => transport.set_write_limit(64 * 1024 * 1024),
        _ => {}
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let (_stranger, mut member) = (client(address), client(address));
    member.write_all(b"login").unwrap();
    turn_until(&mut reactor, "logged in", |_| log.made() == 2 && log.data() == b"login");
    for id in log.ids() {
        reactor.context().write(id, &pattern(MUCH));
        turns(&mut reactor, 2);
        reactor.context().write(id, b"and more");
    }
    turn_until(&mut reactor, "one is cut off", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["WriteLimit"]);
    assert_eq!(read_turning(&mut reactor, &member, MUCH + 8)[MUCH..], *b"and more");
}

#[test]
fn one_stuck_member_of_a_room_is_dropped_and_the_others_hear_everything() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_made(|t| t.set_write_limit(1_000_000))));
    let stuck = client(address);
    turn_until(&mut reactor, "the stuck one is in", |_| log.made() == 1);
    let others: Vec<TcpStream> = (0..10).map(|_| client(address)).collect();
    turn_until(&mut reactor, "all in", |_| log.made() == 11);
    let ids = log.ids();
    let line = vec![b'l'; 100_000];
    for _ in 0..120 {
        for id in &ids {
            reactor.context().write(*id, &line);
        }
        for other in &others {
            assert_eq!(read_turning(&mut reactor, other, line.len()).len(), line.len());
        }
    }
    turn_until(&mut reactor, "told", |_| log.lost() > 0);
    assert_eq!(log.reasons(), ["WriteLimit"]);
    assert!(matches!(log.of(ids[0]).last(), Some(Event::Lost(_))));
    drop(stuck);
}

#[test]
fn an_echo_that_pauses_reading_holds_little_for_one_who_never_reads() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::PauseWriting => transport.pause(),
        Event::ResumeWriting => transport.resume(),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    let data = pattern(20_000_000);
    let sender = {
        let (mut client, data) = (client.try_clone().unwrap(), data.clone());
        thread::spawn(move || {
            client.write_all(&data).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    turn_until(&mut reactor, "paused", |_| log.count(|e| *e == Event::PauseWriting) == 1);
    turns(&mut reactor, 50);
    let id = log.ids()[0];
    let waiting = reactor.context().write_buffer_size(id);
    assert!(waiting < 1_000_000, "{waiting} bytes wait with us");
    assert!(reactor.context().is_paused(id) && !sender.is_finished());
    let reader = reading(client);
    turn_until(&mut reactor, "all echoed", |_| reader.is_finished());
    assert!(reader.join().unwrap().unwrap() == data);
    sender.join().unwrap();
}

#[test]
fn our_end_follows_all_that_was_written_and_we_read_on() {
    let log = Log::default();
    let data = pattern(5_000_000);
    let sent = data.clone();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.write_eof();
        transport.write_eof();
        transport.write(b"too late");
        assert!(!transport.is_closing());
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    let got = read_all_turning(&mut reactor, &client).unwrap();
    assert!(got == data, "{} bytes", got.len());
    client.write_all(b"still talking").unwrap();
    turn_until(&mut reactor, "heard", |_| log.data() == b"still talking");
    assert_eq!(log.lost(), 0);
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.reasons()[0].starts_with("Closed"));
    log.check(true);
}

#[test]
fn both_sides_may_end_at_once_and_in_any_order() {
    for peer_first in [false, true] {
        for keeps_open in [false, true] {
            let log = Log::default();
            let recording = log.clone();
            let (mut reactor, address) = up(move || {
                let recorder = Recorder::new(&recording, only_record);
                if keeps_open { recorder.keeping_open() } else { recorder }
            });
            let client = client(address);
            turn_until(&mut reactor, "made", |_| log.made() == 1);
            let id = log.ids()[0];
            if peer_first {
                client.shutdown(Shutdown::Write).unwrap();
                if keeps_open {
                    turn_until(&mut reactor, "heard", |_| log.all().len() == 2);
                }
            }
            reactor.context().write(id, b"bye");
            reactor.context().write_eof(id);
            if !peer_first {
                client.shutdown(Shutdown::Write).unwrap();
            }
            assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"bye");
            turn_until(&mut reactor, "lost", |_| log.lost() == 1);
            assert!(log.reasons()[0].starts_with("Closed"), "{:?}", log.reasons());
            assert_eq!(log.count(|event| *event == Event::Eof), 1);
            log.check(true);
        }
    }
}

#[test]
fn what_is_written_after_a_close_is_dropped() {
    let log = Log::default();
    let hook = on_data(|transport| {
        let id = transport.id();
        transport.write(b"before");
        transport.close();
        transport.write(b"after");
        transport.context().write(id, b"after");
        transport.write_eof();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"before");
    turns(&mut reactor, 2);
    reactor.context().write(log.ids()[0], b"after it was lost");
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn a_close_with_twenty_megabytes_waiting_delivers_them_to_a_slow_reader() {
    let log = Log::default();
    let data = pattern(20_000_000);
    let sent = data.clone();
    let hook = on_made(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 20);
    assert_eq!(log.lost(), 0, "it is not lost before all is sent");
    let id = log.ids()[0];
    assert!(reactor.context().is_closing(id));
    let (mut got, mut buffer) = (Vec::new(), vec![0; 50_000]);
    while got.len() < data.len() {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "the end after {} bytes", got.len());
        got.extend_from_slice(&buffer[..count]);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(got == data);
    assert_eq!(read_all_turning(&mut reactor, &client).unwrap(), b"");
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn a_close_that_is_given_so_long_is_over_then_and_its_peer_learns_that_it_is_not_the_whole() {
    let log = Log::default();
    let timeout = Duration::from_millis(50);
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        if *event == Event::Made {
            transport.write(&vec![b'x'; MUCH]);
            transport.close_within(timeout);
        }
    }));
    let client = client(address);
    turn_until(&mut reactor, "given up", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
    let outcome = read_all_turning(&mut reactor, &client);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_close_that_is_given_long_enough_is_a_close_like_any_other() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if *event == Event::Made {
            transport.write(&pattern(MUCH));
            transport.close_within(PATIENCE);
        }
    }));
    let client = client(address);
    assert!(read_all_turning(&mut reactor, &client).unwrap() == pattern(MUCH));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
}

#[test]
fn a_close_with_unread_input_does_not_eat_the_last_reply() {
    let log = Log::default();
    let reply = pattern(1_000_000);
    let sent = reply.clone();
    let hook = on_data(move |transport| {
        transport.write(&sent);
        transport.close();
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    // It can take little at a time, so that much of the reply is still with the system, on our side,
    // when we close; a reset would destroy that.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(10_000).unwrap();
    socket.connect(&address.into()).unwrap();
    let client = TcpStream::from(socket);
    let over = Arc::new(AtomicBool::new(false));
    let sender = {
        let (mut client, over) = (client.try_clone().unwrap(), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) && client.write_all(&[b'b'; 1_000]).is_ok() {}
        })
    };
    let all = read_all_turning(&mut reactor, &client).expect("the end of the reply, not a reset");
    over.store(true, Ordering::Relaxed);
    assert!(all == reply, "{} of {} bytes", all.len(), reply.len());
    assert_eq!(log.reasons(), ["Closed"]);
    drop(reactor);
    sender.join().unwrap();
}

#[test]
fn after_a_close_what_comes_in_is_thrown_away_while_what_waits_is_sent() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(
        &log,
        on_data(|transport| {
            transport.write(&pattern(MUCH));
            transport.close();
        }),
    ));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "the first", |_| !log.data().is_empty());
    for _ in 0..5 {
        client.write_all(b"too late").unwrap();
        turns(&mut reactor, 2);
    }
    assert_eq!(log.lost(), 0, "much still waits");
    assert!(read_all_turning(&mut reactor, &client).unwrap() == pattern(MUCH));
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"first");
}

#[test]
fn a_socket_that_lingers_is_let_go_when_its_peer_ends_or_after_a_while() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, on_made(|transport| transport.close())));
    let before = descriptors_of_this_address(address.port());
    let clients = [client(address), client(address)];
    turn_until(&mut reactor, "both lost", |_| log.lost() == 2);
    let [first, second] = clients;
    drop(first);
    turn_until(&mut reactor, "the first is let go", |_| {
        descriptors_of_this_address(address.port()) <= before + 1
    });
    // The second never ends its side.
    turn_until(&mut reactor, "the second is let go", |_| {
        descriptors_of_this_address(address.port()) <= before
    });
    assert_eq!(read_all(&second), b"");
}

/// Sockets on our side of a port that a process still holds: in FIN_WAIT2 and the like they have
/// an inode of their own, in TIME_WAIT none.
fn descriptors_of_this_address(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = format!("0100007F:{port:04X}");
    let held = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&ours.as_str()) && fields.get(9).is_some_and(|inode| *inode != "0")
    };
    table.lines().filter(held).count()
}

#[test]
fn an_abort_sends_a_reset_and_drops_what_waits() {
    let log = Log::default();
    let hook = on_data(|transport| {
        transport.write(&vec![0; 4 * MUCH]);
        transport.abort();
        assert!(transport.is_closing());
    });
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Aborted"]);
    let mut got = Vec::new();
    let error = client.read_to_end(&mut got).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(got.len() < 4 * MUCH);
}

#[test]
fn a_reset_in_the_middle_of_a_large_write_is_told_once_and_frees_the_buffer() {
    let log = Log::default();
    let hook = on_made(|transport| transport.write(&vec![0; 50_000_000]));
    let (mut reactor, address) = up(recorders(&log, hook));
    for round in 1..=10 {
        let mut client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == round);
        let id = log.ids()[round - 1];
        client.read_exact(&mut vec![0; 100_000]).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(reactor.context().write_buffer_size(id) > 1_000_000);
        reset(client);
        turn_until(&mut reactor, "lost", |_| log.lost() == round);
        assert_eq!(reactor.context().write_buffer_size(id), 0);
    }
    assert_eq!(log.reasons(), vec!["Reset"; 10]);
    log.check(true);
}

#[test]
fn a_storm_of_resets_while_we_write_harms_nobody_else() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Made => transport.write(&[b'h'; 10_000]),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut bystander = client(address);
    assert_eq!(read_turning(&mut reactor, &bystander, 10_000).len(), 10_000);
    for _ in 0..200 {
        let mut doomed = client(address);
        doomed.write_all(&[b'd'; 100_000]).unwrap();
        reset(doomed);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    turn_until(&mut reactor, "all lost", |reactor| {
        reactor.context().connections().count() == 1 && log.made() == log.lost() + 1
    });
    bystander.write_all(b"unharmed").unwrap();
    assert_eq!(read_turning(&mut reactor, &bystander, 8), b"unharmed");
    log.check(false);
}

#[test]
fn requests_for_a_connection_in_the_making_and_for_nobody_do_no_harm() {
    let (log, failures) = (Log::default(), Failures::default());
    let seen: Rc<RefCell<Vec<Id>>> = Rc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut reactor = ropewalk::Reactor::new().unwrap();
    let address = listener.local_addr().unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(address, caller).unwrap();
    seen.borrow_mut().push(id);
    let ask = |context: &mut Context| {
        context.pause(id);
        context.resume(id);
        context.set_write_buffer_limits(id, 1, 1);
        context.set_write_limit(id, 1);
        (context.is_closing(id), context.is_paused(id), context.peer(id))
    };
    assert_eq!(ask(reactor.context()), (false, false, None));
    turn_until(&mut reactor, "connected", |_| log.made() == 1);
    reactor.context().abort(id);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(ask(reactor.context()), (true, false, None));
}
