//! Faults that were there once.

mod support;

use ropewalk::{ConnectOptions, Reactor, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

/// Marks that were crossed in a callback, and crossed back when it was flushed, were not told: a
/// protocol that had looked at what waits, and stopped, waited for ever.
#[test]
fn a_producer_that_stops_at_the_mark_by_itself_is_told_to_go_on() {
    const ALL: usize = 3_000_000;
    for (high, piece) in [(64 * 1024, 200_000), (10_000, 3_000), (0, 1)] {
        let log = Log::default();
        let left = Rc::new(Cell::new(if high == 0 { 100 } else { ALL }));
        let rest = Rc::clone(&left);
        let (mut reactor, address) = up(recorders(&log, move |transport, event| {
            if *event == Event::Made {
                transport.set_write_buffer_limits(high, high / 4);
            }
            if matches!(event, Event::Made | Event::ResumeWriting) {
                while rest.get() > 0 && transport.write_buffer_size() <= high {
                    let length = piece.min(rest.get());
                    transport.write(&vec![0; length]);
                    rest.set(rest.get() - length);
                }
            }
        }));
        let client = client(address);
        let all = left.get();
        assert_eq!(read_turning(&mut reactor, &client, all).len(), all);
        turn_until(&mut reactor, "all written", |_| left.get() == 0);
    }
}

/// `reading_resumed` was told within the turn of the `resume`, so that one who paused and resumed in
/// it kept the reactor to himself.
#[test]
fn one_who_pauses_and_resumes_in_reading_resumed_leaves_the_others_their_turn() {
    let log = Log::default();
    let again = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_) | Event::ReadingResumed) {
            transport.pause();
            transport.resume();
        }
    };
    let (mut reactor, address) = up(recorders(&log, again));
    let mut client = client(address);
    client.write_all(b"go").unwrap();
    turn_until(&mut reactor, "the first", |_| !log.data().is_empty());
    let resumed = || log.count(|event| *event == Event::ReadingResumed);
    for _ in 0..5 {
        let before = resumed();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(resumed() <= before + 1, "at most once a turn");
    }
    assert!(resumed() > 2, "and once in each");
    client.shutdown(Shutdown::Write).unwrap();
    turns(&mut reactor, 3);
}

/// What was asked for between two turns was told by the next one, which then waited for something to
/// happen nevertheless.
#[test]
fn a_turn_that_has_told_what_was_asked_for_before_it_does_not_wait() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let _client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    turns(&mut reactor, 2);
    let begin = Instant::now();
    reactor.context().abort(log.ids()[0]);
    while log.lost() == 0 {
        reactor.turn(Some(2 * PATIENCE)).unwrap();
    }
    assert!(begin.elapsed() < PATIENCE);
}

/// Timers are looked at before sockets; a connection that was there was called timed out.
#[test]
fn a_connection_that_is_there_when_its_time_is_up_has_not_timed_out() {
    let log = Log::default();
    let failures = Failures::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let options = ConnectOptions::new().timeout(Duration::ZERO);
    let caller = Caller::new(&log, &failures, only_record);
    reactor.context().connect_tcp_with(address, &options, caller).unwrap();
    turn_until(&mut reactor, "both ends", |_| log.made() == 2);
    assert!(failures.borrow().is_empty());
}

#[test]
fn who_ended_first_is_the_reason_whichever_way_the_other_followed() {
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

/// The mark was set after the calls of other threads had been made.
#[test]
fn a_timer_that_a_call_from_a_thread_schedules_fires_in_a_later_turn() {
    let mut reactor = Reactor::new().unwrap();
    let (sender, fired) = std::sync::mpsc::channel();
    let call = move |context: &mut ropewalk::Context| {
        context.call_later(Duration::ZERO, move |_| sender.send(()).unwrap());
    };
    reactor.handle().call(call).unwrap();
    let mut turns_taken = 0;
    while fired.try_recv().is_err() {
        reactor.turn(Some(Duration::from_millis(20))).unwrap();
        turns_taken += 1;
    }
    assert!(turns_taken >= 2);
}

/// It was the address that had been asked for.
#[test]
fn the_peer_of_an_outgoing_connection_is_who_answered() {
    let log = Log::default();
    let failures = Failures::default();
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("0.0.0.0:0", || Echo).unwrap();
    let caller = Caller::new(&log, &failures, only_record);
    let id = reactor.connect_tcp(port.address(), caller).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    let peer = reactor.context().peer(id).unwrap();
    assert_eq!(peer.ip().unwrap().to_string(), "127.0.0.1");
}

/// What had only been gathered counted as what the peer did not take.
#[test]
fn a_small_limit_does_not_end_one_whose_peer_would_take_it_all() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, |transport, event| {
        if *event == Event::Made {
            transport.set_write_limit(10);
            for _ in 0..100 {
                transport.write(b"a greeting; ");
            }
        }
    }));
    let client = client(address);
    assert_eq!(read_turning(&mut reactor, &client, 1_200), b"a greeting; ".repeat(100));
    assert_eq!(log.lost(), 0);
}
