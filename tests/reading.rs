//! What peers send: all of it, in order, and only when it is wanted.

mod support;

use ropewalk::{Context, Id, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use support::*;

/// The first data pauses the connection, once.
fn pause_once() -> impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static {
    let mut paused = false;
    move |transport, event| {
        if matches!(event, Event::Data(_)) && !paused {
            paused = true;
            transport.pause();
            assert!(transport.is_paused());
        }
    }
}

#[test]
fn pause_stops_delivery_and_resume_continues_it() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    client.write_all(b"one").unwrap();
    turn_until(&mut reactor, "the first data", |_| log.data() == b"one");
    client.write_all(b"two").unwrap();
    turns(&mut reactor, 5);
    assert_eq!(log.data(), b"one");
    let id = log.ids()[0];
    reactor.context().resume(id);
    turn_until(&mut reactor, "the second data", |_| log.data() == b"onetwo");
    let told = [
        Event::Made,
        Event::Data(b"one".to_vec()),
        Event::ReadingResumed,
        Event::Data(b"two".to_vec()),
    ];
    assert_eq!(log.of(id), told);
    // One that is not paused has nothing to resume.
    reactor.context().resume(id);
    turns(&mut reactor, 2);
    assert_eq!(log.of(id), told);
}

#[test]
fn a_pause_in_connection_made_holds_back_what_has_come_already() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client = client(address);
    client.write_all(b"eager").unwrap();
    turns(&mut reactor, 5);
    assert_eq!((log.made(), log.data()), (1, Vec::new()));
    reactor.context().resume(log.ids()[0]);
    turn_until(&mut reactor, "delivered", |_| log.data() == b"eager");
}

#[test]
fn a_sender_waits_while_its_reader_is_paused_and_then_all_arrives() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    let data = pattern(10_000_000);
    let sender = {
        let data = data.clone();
        thread::spawn(move || client.write_all(&data))
    };
    turn_until(&mut reactor, "paused", |_| log.data().len() > 1);
    let held = log.data().len();
    turns(&mut reactor, 20);
    assert_eq!(log.data().len(), held);
    assert!(!sender.is_finished(), "more than the system holds must wait with the sender");
    assert!(comes_to_rest(&mut reactor), "a paused reader with data waiting does not spin");
    reactor.context().resume(log.ids()[0]);
    turn_until(&mut reactor, "all of it", |_| log.count(|event| *event == Event::Eof) == 1);
    assert!(log.data() == data);
    sender.join().unwrap().unwrap();
}

#[test]
fn paused_and_then_ended_delivers_the_rest_on_resume_and_then_the_end() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "paused", |_| log.data() == b"first");
    let rest = pattern(10_000);
    client.write_all(&rest).unwrap();
    drop(client);
    turns(&mut reactor, 5);
    assert_eq!((log.data().len(), log.lost()), (5, 0));
    assert_eq!(log.count(|event| *event == Event::EofNoticed), 1);
    assert!(comes_to_rest(&mut reactor));
    reactor.context().resume(log.ids()[0]);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data()[5..], rest);
    assert_eq!(log.count(|event| *event == Event::Eof), 1);
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
    log.check(true);
}

#[test]
fn the_end_of_a_peer_is_noticed_while_paused_and_told_after_the_resume() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "paused", |_| log.data() == b"first");
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(comes_to_rest(&mut reactor));
    let id = log.ids()[0];
    reactor.context().write(id, b"and again, for whatever that stirs");
    reactor.context().resume(id);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let lost = Event::Lost(log.reasons()[0].clone());
    let first = Event::Data(b"first".to_vec());
    let told = [Event::Made, first, Event::EofNoticed, Event::ReadingResumed, Event::Eof, lost];
    assert_eq!(log.of(id), told);
}

#[test]
fn an_end_that_the_poll_told_of_before_the_pause_is_noticed_by_the_pause() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    // All is there when the poll looks, and a read does not take all of it.
    client.write_all(&pattern(100_000)).unwrap();
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(log.data().len() < 100_000);
    assert!(comes_to_rest(&mut reactor));
    reactor.context().resume(log.ids()[0]);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.data() == pattern(100_000));
    log.check(true);
}

#[test]
fn a_reset_is_noticed_while_paused() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "paused", |_| log.data() == b"first");
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn a_reset_that_comes_with_the_data_that_pauses_is_noticed() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    // Both are there when the poll looks, so it tells of both at once, and then no more.
    client.write_all(b"first").unwrap();
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    log.check(true);
}

/// The peer ends its side, we do not, and then the peer goes away altogether.
fn reset_after_eof(writes: bool) {
    let log = Log::default();
    let recording = log.clone();
    let (mut reactor, address) = up(move || Recorder::new(&recording, only_record).keeping_open());
    let client = client(address);
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "the end is told", |_| log.all().len() == 2);
    let id = log.ids()[0];
    turns(&mut reactor, 3);
    assert_eq!((log.lost(), reactor.context().is_closing(id)), (0, false));
    // Who has sent a FIN sends no RST when it closes; but it answers our data with one.
    drop(client);
    reactor.context().write(id, b"provokes a reset");
    turns(&mut reactor, 3);
    if writes {
        reactor.context().write(id, b"meets it");
    }
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    log.check(true);
}

#[test]
fn a_reset_after_the_peer_ended_its_side_is_noticed_by_itself() {
    reset_after_eof(false);
}

#[test]
fn a_reset_after_the_peer_ended_its_side_is_noticed_by_a_write() {
    reset_after_eof(true);
}

#[test]
fn last_words_before_a_reset_are_delivered_though_a_write_meets_it_first() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    client.write_all(b"last words").unwrap();
    reset(client);
    reactor.context().write(id, b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"last words");
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn a_broken_connection_whose_protocol_pauses_is_told_all_the_same() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, pause_once()));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let id = log.ids()[0];
    client.write_all(b"last words").unwrap();
    reset(client);
    reactor.context().write(id, b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn data_that_arrives_byte_by_byte_is_all_delivered() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    let data = pattern(2_000);
    for (count, byte) in data.iter().enumerate() {
        client.write_all(&[*byte]).unwrap();
        turn_until(&mut reactor, "this byte", |_| log.data().len() == count + 1);
    }
    assert_eq!(log.data(), data);
    assert_eq!(read_turning(&mut reactor, &client, data.len()), data);
}

#[test]
fn much_that_came_before_a_long_silence_is_all_delivered() {
    // More than one buffer and more than one budget, of which the poll tells once.
    for count in [1, 65_535, 65_536, 65_537, 100_000, 262_144, 2_000_000] {
        let log = Log::default();
        let (mut reactor, address) = up(recorders(&log, only_record));
        let mut client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let data = pattern(count);
        client.write_all(&data).unwrap();
        turn_until(&mut reactor, "all of it", |_| log.data().len() == count);
        assert!(log.data() == data);
        assert_eq!(log.lost(), 0);
    }
}

#[test]
fn what_came_before_the_peer_closed_is_delivered_before_connection_lost() {
    for count in [50_000, 1_000_000] {
        let log = Log::default();
        let (mut reactor, address) = up(recorders(&log, only_record));
        let mut client = client(address);
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let data = pattern(count);
        client.write_all(&data).unwrap();
        drop(client);
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        assert!(log.data() == data, "{} of {count}", log.data().len());
        assert_eq!(log.reasons(), ["ClosedByPeer"]);
        log.check(true);
    }
}

#[test]
fn twenty_megabytes_are_echoed_entirely_after_the_peer_ended_its_side() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    let data = pattern(20_000_000);
    let sender = {
        let (mut client, data) = (client.try_clone().unwrap(), data.clone());
        thread::spawn(move || {
            client.write_all(&data).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    // It begins to read only when all is sent: until then the answer waits with us.
    turn_until(&mut reactor, "all sent", |_| sender.is_finished());
    turn_until(&mut reactor, "the end heard", |_| log.count(|event| *event == Event::Eof) == 1);
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut client, &mut all).map(|_| all)
    });
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
    turn_until(&mut reactor, "all read", |_| reader.is_finished());
    let echoed = reader.join().unwrap().expect("no reset");
    assert!(echoed == data, "{} of {} bytes", echoed.len(), data.len());
    sender.join().unwrap();
}

#[test]
fn an_eof_received_that_does_not_close_keeps_our_side_open() {
    let log = Log::default();
    let recording = log.clone();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Eof {
            transport.write(b"at once ");
            let id = transport.id();
            let later = move |context: &mut Context| {
                context.write(id, b"and later");
                context.close(id);
            };
            transport.context().call_later(Duration::from_millis(5), later);
        }
    };
    let (mut reactor, address) = up(move || Recorder::new(&recording, hook).keeping_open());
    let client = client(address);
    client.shutdown(Shutdown::Write).unwrap();
    let answer = read_all_turning(&mut reactor, &client).unwrap();
    assert_eq!(answer, b"at once and later");
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
    assert_eq!(log.count(|event| *event == Event::Eof), 1);
}

#[test]
fn an_urgent_byte_neither_spins_nor_holds_up_what_follows_it() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    for round in 1..=3 {
        client.write_all(b"before").unwrap();
        socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
        client.write_all(b"after").unwrap();
        turn_until(&mut reactor, "both sides of it", |_| log.data().len() >= 11 * round);
        assert!(comes_to_rest(&mut reactor));
    }
    socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
    turns(&mut reactor, 3);
    assert!(comes_to_rest(&mut reactor));
    assert_eq!(log.data(), b"beforeafter".repeat(3), "the urgent byte itself is not data");
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn an_urgent_byte_between_data_that_is_there_at_once_stalls_nothing() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let mut client = client(address);
    for n in 0..50 {
        client.write_all(&[n; 100]).unwrap();
        if n % 7 == 0 {
            socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
        }
    }
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let data = log.data();
    let ordinary: Vec<u8> = data.into_iter().filter(|byte| *byte != b'!').collect();
    // 33 is also `!`; so that round is left out of both.
    let expected: Vec<u8> = (0..50_u8).filter(|n| *n != b'!').flat_map(|n| [n; 100]).collect();
    assert!(ordinary == expected);
}

#[test]
fn one_that_is_closed_while_paused_ends_though_its_peer_has_sent_much() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.pause();
            transport.write(b"goodbye");
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let client = client(address);
    let sender = {
        let mut client = client.try_clone().unwrap();
        thread::spawn(move || client.write_all(&[0; 1_000_000]))
    };
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 5);
    reactor.context().close(log.ids()[0]);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Closed"]);
    turn_until(&mut reactor, "the sender is through", |_| sender.is_finished());
    sender.join().unwrap().unwrap();
    assert_eq!(read_all(&client), b"goodbye");
}

#[test]
fn pausing_and_resuming_at_random_loses_nothing() {
    let log = Log::default();
    let id: Rc<RefCell<Option<Id>>> = Rc::default();
    let random = Rc::new(Cell::new(1_u32));
    let hook = {
        let (id, random) = (Rc::clone(&id), Rc::clone(&random));
        move |transport: &mut Transport<'_>, event: &Event| {
            *id.borrow_mut() = Some(transport.id());
            random.set(random.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            if matches!(event, Event::Data(_) | Event::ReadingResumed) {
                match random.get() >> 29 {
                    0..3 => transport.pause(),
                    3 => {
                        transport.pause();
                        transport.resume();
                        transport.pause();
                    }
                    _ => transport.resume(),
                }
            }
        }
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    let mut client: TcpStream = client(address);
    let data = pattern(5_000_000);
    let sender = {
        let data = data.clone();
        thread::spawn(move || client.write_all(&data))
    };
    turn_until(&mut reactor, "all of it", |reactor| {
        if let Some(id) = *id.borrow() {
            reactor.context().resume(id);
        }
        log.lost() == 1
    });
    assert!(log.data() == data);
    sender.join().unwrap().unwrap();
    log.check(true);
}
