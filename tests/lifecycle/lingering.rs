//! Lingering sockets: closed by us, but not yet by the peer.

use crate::endings::{run_turn, serve};
use crate::script::{Script, Wire};
use crate::support::*;
use ropewalk::{Reactor, Transport};
use std::io::ErrorKind;
use std::time::Duration;

/// Returns a connection that our side has closed and the peer has not.
fn lingering() -> (Script, Reactor, Wire) {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.context().close(wire.id());
    run_turn(&mut reactor);
    assert_eq!(log.reasons(), ["Closed"]);
    assert_eq!(wire.acts(), ["registered", "shut down"]);
    (script, reactor, wire)
}

#[test]
fn lingering_socket_does_not_spin() {
    let (script, mut reactor, wire) = lingering();
    for _ in 0..3 {
        wire.push_read(Ok(b"and another thing"));
        script.report_readable(&wire);
        run_turn(&mut reactor);
        assert_eq!(wire.unread(), 0);
        reactor.run_turn(Some(Duration::from_millis(10))).unwrap();
        assert_eq!(script.last_wait(), Some(Duration::from_millis(10)), "no queued work");
    }
    assert!(!wire.is_closed());
}

#[test]
fn lingering_socket_ends_with_peer_or_timeout() {
    let ends: [fn(&Wire); 2] =
        [|wire| wire.push_read(Ok(b"")), |wire| wire.push_read(Err(ErrorKind::ConnectionReset))];
    for end in ends {
        let (script, mut reactor, wire) = lingering();
        end(&wire);
        script.report_readable(&wire);
        run_turn(&mut reactor);
        assert_eq!(wire.acts(), ["registered", "shut down", "deregistered", "closed"]);
        assert_eq!(reactor.timeout(), None, "its timer is cancelled");
    }
    let (_script, mut reactor, wire) = lingering();
    assert_eq!(reactor.timeout(), Some(Duration::from_secs(2)));
    reactor.run_turn(None).unwrap();
    assert!(wire.is_closed());
}

#[test]
fn close_with_nothing_to_send_leaves_no_timer() {
    let (log, wire) = (Log::default(), Wire::unlimited());
    let hook = |transport: &mut Transport<'_>, event: &Event| {
        if matches!(event, Event::Data(_)) {
            transport.close();
        }
    };
    wire.push_read(Ok(b"goodbye"));
    let (script, mut reactor) = Script::with_connection(recorders(&log, hook), &wire);
    (0..2).for_each(|_| _ = run_turn(&mut reactor));
    assert_eq!(log.reasons(), ["Closed"]);
    wire.push_read(Ok(b""));
    script.report_readable(&wire);
    run_turn(&mut reactor);
    assert!(wire.is_closed());
    assert_eq!(reactor.timeout(), None);
}

#[test]
fn lingering_socket_reads_within_a_budget() {
    let (script, mut reactor, wire) = lingering();
    (0..20).for_each(|_| wire.push_read(Ok(&[0; 64 * 1024])));
    script.report_readable(&wire);
    for left in [16, 12, 8, 4, 0] {
        run_turn(&mut reactor);
        assert_eq!(wire.unread(), left, "256 KiB a turn");
    }
}

/// Data arrives while the connection closes: the peer still sends, and closing the socket would reset it.
#[test]
fn stop_waits_for_lingering_peer_that_sends() {
    let (log, wire) = (Log::default(), Wire::default());
    let (script, mut reactor) = serve(&log, &wire);
    reactor.set_grace(Duration::from_millis(500));
    reactor.context().transport(wire.id()).write(b"last words");
    reactor.context().close(wire.id());
    wire.push_read(Ok(b"a long question"));
    script.report_readable(&wire);
    run_turn(&mut reactor); // Data arrives while something is queued,
    script.make_room(&wire, usize::MAX);
    run_turn(&mut reactor); // and the socket lingers.
    assert_eq!((log.reasons(), wire.unread()), (vec!["Closed".to_owned()], 0));
    reactor.context().stop();
    assert!(run_turn(&mut reactor) && run_turn(&mut reactor), "the run continues");
    assert!(!wire.is_closed());
    while reactor.run_turn(None).unwrap() {}
    assert_eq!(wire.acts(), ["registered", "shut down", "deregistered", "closed"]);
}
