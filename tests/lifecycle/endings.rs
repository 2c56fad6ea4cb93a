//! Ends of connections that real sockets seldom produce: errors at the last moment, and slow peers.

use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Reactor, Transport};
use std::io::ErrorKind;
use std::time::Duration;

/// Returns a server that has begun its run, with one connection.
pub(crate) fn serve(log: &Log, wire: &Wire) -> (Script, Reactor) {
    let (script, mut reactor) = Script::with_connection(recorders(log, only_record), wire);
    run_turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (script, reactor)
}

/// Makes a turn that does not wait.
pub(crate) fn run_turn(reactor: &mut Reactor) -> bool {
    reactor.run_turn(Some(Duration::ZERO)).unwrap()
}

#[test]
fn failed_end_reports_the_socket_error() {
    use ErrorKind::{ConnectionReset, NotConnected, Other, TimedOut};
    let cases = [
        (NotConnected, None, "Reset"),
        (NotConnected, Some(TimedOut), "TimedOut"),
        (NotConnected, Some(ConnectionReset), "Reset"),
        (Other, None, "Failed(Custom { kind: Other, error: \"as scripted\" })"),
    ];
    for (shutdown, error, reason) in cases {
        for half in [false, true] {
            let (log, wire) = (Log::default(), Wire::unlimited());
            let (_script, mut reactor) = serve(&log, &wire);
            wire.shutdown_fails(shutdown);
            error.into_iter().for_each(|kind| wire.has_error(kind));
            match half {
                true => reactor.context().transport(wire.id()).write_eof(),
                false => reactor.context().close(wire.id()),
            }
            wire.push_read(Err(ConnectionReset)); // For reads, which continue after a half-close.
            (0..3).for_each(|_| _ = run_turn(&mut reactor));
            assert_eq!(log.reasons(), [reason], "{shutdown:?} and {error:?}, half: {half}");
            assert!(wire.is_closed(), "a failed connection does not linger");
        }
    }
}

#[test]
fn close_after_failed_write_reports_its_reason() {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let (_script, mut reactor) = serve(&log, &wire);
    wire.write_fails(ErrorKind::ConnectionReset);
    let id = wire.id();
    reactor.context().call_later(Duration::ZERO, move |context| {
        // Long enough to be sent at once. Data of the peer is not read before that.
        context.transport(id).write(&[0; 100_000]);
        context.close(id);
    });
    (0..2).for_each(|_| _ = run_turn(&mut reactor));
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(wire.acts(), ["registered", "reset", "deregistered", "closed"]);
}

#[test]
fn closing_paused_connection_discards_input() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).pause();
    wire.push_read(Ok(b"a long question"));
    script.report_readable(&wire);
    run_turn(&mut reactor);
    assert_eq!(wire.unread(), 1, "reading is paused");
    reactor.context().transport(wire.id()).write(b"an answer that is not sent yet");
    reactor.context().close(wire.id());
    run_turn(&mut reactor);
    assert_eq!(wire.unread(), 0, "input of an earlier event is read and discarded");
    assert_eq!(log.data(), b"");
    script.make_room(&wire, usize::MAX);
    run_turn(&mut reactor);
    assert_eq!(wire.written(), b"an answer that is not sent yet");
    assert_eq!(log.reasons(), ["Closed"]);
}

/// Lets `seconds` pass.
fn pass(reactor: &mut Reactor, seconds: u64) {
    reactor.run_turn(Some(Duration::from_secs(seconds))).unwrap();
}

#[test]
fn close_continues_while_the_peer_reads() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).write(&[7; 1000]);
    reactor.context().close(wire.id());
    run_turn(&mut reactor);
    for taken in (10..=100).step_by(10) {
        // Each check of the progress is 10 seconds after the peer has read.
        pass(&mut reactor, 50);
        script.make_room(&wire, 10);
        run_turn(&mut reactor);
        assert_eq!(wire.written().len(), taken);
        pass(&mut reactor, 10);
        assert_eq!(log.lost(), 0, "after {taken} bytes");
    }
    pass(&mut reactor, 60);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
}

#[test]
fn half_close_times_out_without_progress() {
    let (log, wire) = (Log::default(), Wire::default());
    let (_script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).write(b"last words");
    pass(&mut reactor, 3600);
    assert_eq!(log.lost(), 0, "an open connection has no time limit");
    reactor.context().transport(wire.id()).write_eof();
    run_turn(&mut reactor);
    pass(&mut reactor, 60);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
}

#[test]
fn stop_aborts_a_peer_that_reads_nothing() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.set_grace(Duration::from_secs(3600));
    reactor.context().transport(wire.id()).write(b"last words");
    reactor.context().stop();
    let begin = script.time();
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(log.reasons(), ["Stopped"]);
    assert_eq!(script.time() - begin, Duration::from_secs(60));
    assert!(wire.acts().contains(&"reset"), "the peer has received only a part");
}

#[test]
fn panic_in_connection_lost_keeps_graceful_close() {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let hook = |_: &mut Transport<'_>, event: &Event| {
        assert!(!matches!(event, Event::Lost(_)), "a panic on purpose");
    };
    let (_script, mut reactor) = Script::with_connection(recorders(&log, hook), &wire);
    run_turn(&mut reactor);
    reactor.context().close(wire.id());
    run_turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(wire.acts(), ["registered", "shut down"]);
}

#[test]
fn resume_writing_precedes_data_of_broken_peer() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().transport(wire.id()).write(&[0; 100_000]);
    run_turn(&mut reactor);
    wire.write_fails(ErrorKind::ConnectionReset);
    wire.push_read(Ok(b"last words"));
    wire.push_read(Err(ErrorKind::ConnectionReset));
    script.make_room(&wire, usize::MAX);
    (0..2).for_each(|_| _ = run_turn(&mut reactor));
    let expected = [
        Event::Made,
        Event::PauseWriting,
        Event::ResumeWriting,
        Event::Data(b"last words".to_vec()),
        Event::Lost("Reset".to_owned()),
    ];
    assert_eq!(log.of(wire.id()), expected);
}
