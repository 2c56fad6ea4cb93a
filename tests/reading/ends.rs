//! The end of the peer's data, and resets.

use super::pause_once;
use crate::support::*;
use ropewalk::{Context, Reactor, Transport};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

/// Returns a reactor with a connection that has received `first` and paused reading, and its client.
fn paused_after_first(log: &Log) -> (Reactor, TcpStream) {
    let (mut reactor, address) = up(recorders(log, pause_once()));
    let mut client = client(address);
    client.write_all(b"first").unwrap();
    turn_until(&mut reactor, "paused", |_| log.data() == b"first");
    (reactor, client)
}

#[test]
fn resume_delivers_remaining_data_before_end() {
    let log = Log::default();
    let (mut reactor, mut client) = paused_after_first(&log);
    let rest = pattern(10_000);
    client.write_all(&rest).unwrap();
    drop(client);
    turns(&mut reactor, 5);
    assert_eq!((log.data().len(), log.lost()), (5, 0));
    assert_eq!(log.count(|event| *event == Event::EofNoticed), 1);
    assert!(becomes_idle(&mut reactor));
    reactor.context().transport(log.ids()[0]).resume();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data()[5..], rest);
    assert_eq!(log.count(|event| *event == Event::Eof), 1);
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
    log.check(true);
}

#[test]
fn end_is_noticed_while_paused_delivered_on_resume() {
    let log = Log::default();
    let (mut reactor, client) = paused_after_first(&log);
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(becomes_idle(&mut reactor));
    let id = log.ids()[0];
    reactor.context().transport(id).write(b"data that causes an event");
    reactor.context().transport(id).resume();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let lost = Event::Lost(log.reasons()[0].clone());
    let first = Event::Data(b"first".to_vec());
    let expected = [Event::Made, first, Event::EofNoticed, Event::ReadingResumed, Event::Eof, lost];
    assert_eq!(log.of(id), expected);
}

#[test]
fn pause_reports_end_already_seen_by_poll() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, pause_once());
    // All data and the end have arrived before the poll, and one read does not take all of it.
    client.write_all(&pattern(100_000)).unwrap();
    drop(client);
    turn_until(&mut reactor, "noticed", |_| log.count(|event| *event == Event::EofNoticed) == 1);
    assert!(log.data().len() < 100_000);
    assert!(becomes_idle(&mut reactor));
    reactor.context().transport(log.ids()[0]).resume();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert!(log.data() == pattern(100_000));
    log.check(true);
}

#[test]
fn reset_is_noticed_while_paused() {
    let log = Log::default();
    let (mut reactor, client) = paused_after_first(&log);
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn reset_arriving_with_pausing_data_is_noticed() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, pause_once());
    // Both have arrived before the poll, which reports them in one event, and nothing afterwards.
    client.write_all(b"first").unwrap();
    reset(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    log.check(true);
}

/// The peer ends its side, the connection stays open, and then the peer closes.
fn reset_after_eof(writes: bool) {
    let log = Log::default();
    let recording = log.clone();
    let (mut reactor, address) = up(move || Recorder::new(&recording, only_record).keeping_open());
    let client = client(address);
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "the end", |_| log.all().len() == 2);
    let id = log.ids()[0];
    turns(&mut reactor, 3);
    assert_eq!((log.lost(), reactor.context().transport(id).is_closing()), (0, false));
    // After a FIN, a peer sends no RST when it closes, but it answers data with one.
    drop(client);
    reactor.context().transport(id).write(b"provokes a reset");
    turns(&mut reactor, 3);
    if writes {
        reactor.context().transport(id).write(b"meets it");
    }
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
    log.check(true);
}

#[test]
fn reset_after_peer_end_is_noticed_without_write() {
    reset_after_eof(false);
}

#[test]
fn reset_after_peer_end_is_noticed_on_write() {
    reset_after_eof(true);
}

#[test]
fn data_before_reset_is_delivered_despite_failed_write() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, only_record);
    let id = log.ids()[0];
    client.write_all(b"last words").unwrap();
    reset(client);
    reactor.context().transport(id).write(b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.data(), b"last words");
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn broken_connection_is_reported_while_paused() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, pause_once());
    let id = log.ids()[0];
    client.write_all(b"last words").unwrap();
    reset(client);
    reactor.context().transport(id).write(b"too late");
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["Reset"]);
}

#[test]
fn data_before_peer_close_precedes_connection_lost() {
    for count in [50_000, 1_000_000] {
        let log = Log::default();
        let (mut reactor, mut client) = up_with_client(&log, only_record);
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
fn echo_completes_after_peer_half_close() {
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
    // The client reads only after it has sent everything. Until then the echo is queued.
    turn_until(&mut reactor, "all sent", |_| sender.is_finished());
    turn_until(&mut reactor, "the end", |_| log.count(|event| *event == Event::Eof) == 1);
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
fn eof_received_without_close_keeps_sending_open() {
    let log = Log::default();
    let recording = log.clone();
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if *event == Event::Eof {
            transport.write(b"at once ");
            let id = transport.id();
            let later = move |context: &mut Context| {
                context.transport(id).write(b"and later");
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
fn reason_names_the_side_that_ended_first() {
    let log = Log::default();
    let (mut reactor, address) = up({
        let log = log.clone();
        move || {
            let follow = |transport: &mut Transport<'_>, event: &Event| {
                if *event == Event::Eof {
                    transport.write_eof();
                }
            };
            Recorder::new(&log, follow).keeping_open()
        }
    });
    let client = client(address);
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    assert_eq!(log.reasons(), ["ClosedByPeer"]);
}
