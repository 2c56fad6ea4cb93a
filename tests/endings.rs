//! How connections end where real sockets seldom let them: with errors at the last moment, and lingering.

#[path = "support/script.rs"]
mod script;
mod support;

use ropewalk::{Reactor, Transport};
use script::{Script, Wire};
use std::io::ErrorKind;
use std::time::Duration;
use support::*;

/// A server, whose run has begun, with one connection.
fn serve(log: &Log, wire: &Wire) -> (Script, Reactor) {
    let (script, mut reactor) = Script::with_connection(recorders(log, only_record), wire);
    turn(&mut reactor);
    assert_eq!(log.made(), 1);
    (script, reactor)
}

/// A turn that waits for nothing.
fn turn(reactor: &mut Reactor) -> bool {
    reactor.run_turn(Some(Duration::ZERO)).unwrap()
}

#[test]
fn an_end_that_fails_is_told_with_the_reason_that_the_socket_knows() {
    use ErrorKind::{ConnectionReset, NotConnected, Other, TimedOut};
    let cases = [
        (NotConnected, None, "Reset"),
        (NotConnected, Some(TimedOut), "TimedOut"),
        (NotConnected, Some(ConnectionReset), "Reset"),
        (Other, None, "Failed(Custom { kind: Other, error: \"as written\" })"),
    ];
    for (shutdown, error, reason) in cases {
        for half in [false, true] {
            let (log, wire) = (Log::default(), Wire::wide());
            let (_script, mut reactor) = serve(&log, &wire);
            wire.shutdown_fails(shutdown);
            error.into_iter().for_each(|kind| wire.has_error(kind));
            match half {
                true => reactor.context().write_eof(wire.id()),
                false => reactor.context().close(wire.id()),
            }
            wire.brings(Err(ConnectionReset)); // What a read would say: a half-closed one reads on.
            (0..3).for_each(|_| _ = turn(&mut reactor));
            assert_eq!(log.reasons(), [reason], "{shutdown:?} and {error:?}, half: {half}");
            assert!(wire.is_closed(), "what is gone does not linger");
        }
    }
}

#[test]
fn a_close_after_a_write_that_failed_tells_why_it_failed() {
    let (log, wire) = (Log::default(), Wire::wide());
    let (_script, mut reactor) = serve(&log, &wire);
    wire.write_fails(ErrorKind::ConnectionReset);
    let id = wire.id();
    reactor.context().call_later(Duration::ZERO, move |context| {
        // So long that it is sent at once. The last words of the peer are not read yet.
        context.write(id, &[0; 100_000]);
        context.close(id);
    });
    (0..2).for_each(|_| _ = turn(&mut reactor));
    assert_eq!(log.reasons(), ["Reset"]);
    assert_eq!(wire.acts(), ["registered", "reset", "deregistered", "closed"]);
}

#[test]
fn a_paused_connection_that_closes_reads_on_so_that_its_peer_can_get_to_our_last_words() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().pause(wire.id());
    wire.brings(Ok(b"a long question"));
    script.tell_readable(&wire);
    turn(&mut reactor);
    assert_eq!(wire.unread(), 1, "it is paused");
    reactor.context().write(wire.id(), b"an answer that does not get away");
    reactor.context().close(wire.id());
    turn(&mut reactor);
    assert_eq!(wire.unread(), 0, "what it has been told of before is thrown away");
    assert_eq!(log.data(), b"");
    script.make_room(&wire, usize::MAX);
    turn(&mut reactor);
    assert_eq!(wire.written(), b"an answer that does not get away");
    assert_eq!(log.reasons(), ["Closed"]);
}

/// Lets so many seconds pass.
fn pass(reactor: &mut Reactor, seconds: u64) {
    reactor.run_turn(Some(Duration::from_secs(seconds))).unwrap();
}

#[test]
fn a_close_goes_on_while_the_peer_takes_something_every_minute() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().write(wire.id(), &[7; 1000]);
    reactor.context().close(wire.id());
    turn(&mut reactor);
    for taken in (10..=100).step_by(10) {
        // Each check of the progress comes 10 seconds after something was taken.
        pass(&mut reactor, 50);
        script.make_room(&wire, 10);
        turn(&mut reactor);
        assert_eq!(wire.written().len(), taken);
        pass(&mut reactor, 10);
        assert_eq!(log.lost(), 0, "after {taken} bytes");
    }
    pass(&mut reactor, 60);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
}

#[test]
fn a_half_close_is_given_up_when_the_peer_takes_nothing_for_a_minute() {
    let (log, wire) = (Log::default(), Wire::default());
    let (_script, mut reactor) = serve(&log, &wire);
    reactor.context().write(wire.id(), b"last words");
    pass(&mut reactor, 3600);
    assert_eq!(log.lost(), 0, "one that is open may take as long as it likes");
    reactor.context().write_eof(wire.id());
    turn(&mut reactor);
    pass(&mut reactor, 60);
    assert_eq!(log.reasons(), ["CloseTimeout"]);
}

#[test]
fn a_peer_that_takes_nothing_for_a_minute_of_the_grace_is_told_of_as_stopped() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.set_grace(Duration::from_secs(3600));
    reactor.context().write(wire.id(), b"last words");
    reactor.context().stop();
    let begin = script.time();
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(log.reasons(), ["Stopped"]);
    assert_eq!(script.time() - begin, Duration::from_secs(60));
    assert!(wire.acts().contains(&"reset"), "the peer has only a part");
}

/// A connection that we have closed, and whose peer has not.
fn lingering() -> (Script, Reactor, Wire) {
    let (log, wire) = (Log::default(), Wire::wide());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().close(wire.id());
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(wire.acts(), ["registered", "shut down"]);
    (script, reactor, wire)
}

#[test]
fn one_that_lingers_waits_for_its_peer_and_does_not_spin() {
    let (script, mut reactor, wire) = lingering();
    for _ in 0..3 {
        wire.brings(Ok(b"and another thing"));
        script.tell_readable(&wire);
        turn(&mut reactor);
        assert_eq!(wire.unread(), 0);
        reactor.run_turn(Some(Duration::from_millis(10))).unwrap();
        assert_eq!(script.last_wait(), Some(Duration::from_millis(10)), "nothing is left to do");
    }
    assert!(!wire.is_closed());
}

#[test]
fn one_that_lingers_goes_with_its_peer_or_after_two_seconds_and_leaves_no_timer() {
    let ends: [fn(&Wire); 2] =
        [|wire| wire.brings(Ok(b"")), |wire| wire.brings(Err(ErrorKind::ConnectionReset))];
    for end in ends {
        let (script, mut reactor, wire) = lingering();
        end(&wire);
        script.tell_readable(&wire);
        turn(&mut reactor);
        assert_eq!(wire.acts(), ["registered", "shut down", "deregistered", "closed"]);
        assert_eq!(reactor.timeout(), None, "its timer goes with it");
    }
    let (_script, mut reactor, wire) = lingering();
    assert_eq!(reactor.timeout(), Some(Duration::from_secs(2)));
    reactor.run_turn(None).unwrap();
    assert!(wire.is_closed());
}

#[test]
fn a_close_in_a_callback_with_nothing_to_send_leaves_no_timer() {
    let (log, wire) = (Log::default(), Wire::wide());
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.close();
        }
    };
    wire.brings(Ok(b"goodbye"));
    let (script, mut reactor) = Script::with_connection(recorders(&log, hook), &wire);
    (0..2).for_each(|_| _ = turn(&mut reactor));
    assert_eq!(log.reasons(), ["Closed"]);
    wire.brings(Ok(b""));
    script.tell_readable(&wire);
    turn(&mut reactor);
    assert!(wire.is_closed());
    assert_eq!(reactor.timeout(), None);
}

#[test]
fn a_panic_in_connection_lost_resets_nothing_that_was_closed_in_order() {
    let (log, wire) = (Log::default(), Wire::wide());
    let hook = |_: &mut Transport<'_>, event: &Event| {
        assert!(!matches!(event, Event::Lost(_)), "on purpose");
    };
    let (_script, mut reactor) = Script::with_connection(recorders(&log, hook), &wire);
    turn(&mut reactor);
    reactor.context().close(wire.id());
    turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(wire.acts(), ["registered", "shut down"]);
}

#[test]
fn one_that_lingers_has_a_budget_and_goes_on_in_the_next_turn() {
    let (script, mut reactor, wire) = lingering();
    (0..20).for_each(|_| wire.brings(Ok(&[0; 64 * 1024])));
    script.tell_readable(&wire);
    for left in [16, 12, 8, 4, 0] {
        turn(&mut reactor);
        assert_eq!(wire.unread(), left, "256 KiB a turn");
    }
}

/// One that was heard while it was closing: its peer is still sending, and a close would be a reset.
#[test]
fn a_stop_waits_for_one_that_lingers_and_was_heard_until_the_grace_is_over() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.set_grace(Duration::from_millis(500));
    reactor.context().write(wire.id(), b"last words");
    reactor.context().close(wire.id());
    wire.brings(Ok(b"a long question"));
    script.tell_readable(&wire);
    turn(&mut reactor); // It is heard while it has something to send,
    script.make_room(&wire, usize::MAX);
    turn(&mut reactor); // and lingers.
    assert_eq!((log.reasons(), wire.unread()), (vec!["Closed".to_owned()], 0));
    reactor.context().stop();
    assert!(turn(&mut reactor) && turn(&mut reactor), "the run goes on");
    assert!(!wire.is_closed());
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(wire.acts(), ["registered", "shut down", "deregistered", "closed"]);
}

#[test]
fn a_protocol_that_was_asked_to_pause_is_told_to_go_on_before_the_last_words_of_a_broken_peer() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().write(wire.id(), &[0; 100_000]);
    turn(&mut reactor);
    wire.write_fails(ErrorKind::ConnectionReset);
    wire.brings(Ok(b"last words"));
    wire.brings(Err(ErrorKind::ConnectionReset));
    script.make_room(&wire, usize::MAX);
    (0..2).for_each(|_| _ = turn(&mut reactor));
    let expected = [
        Event::Made,
        Event::PauseWriting,
        Event::ResumeWriting,
        Event::Data(b"last words".to_vec()),
        Event::Lost("Reset".to_owned()),
    ];
    assert_eq!(log.of(wire.id()), expected);
}
