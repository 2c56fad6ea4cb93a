//! Datagrams in the scripted world: when a socket that fails is tried again.

#[path = "support/datagrams.rs"]
mod datagrams;
#[path = "support/script.rs"]
mod script;
mod support;

use datagrams::*;
use ropewalk::Reactor;
use script::Script;
use std::io::ErrorKind;
use std::time::Duration;
use support::*;

#[test]
fn errors_with_datagrams_or_silence_between_them_do_not_slow_a_socket_down() {
    let heards = Heards::default();
    let (script, mut reactor) = Script::new();
    reactor.listen_udp("10.0.0.1:7000", Witness::quiet(&heards)).unwrap();
    let (data, error) = (|| Ok(b"data".to_vec()), Err(ErrorKind::Other));
    // One error, and one behind a datagram; then each by itself.
    script.receive([error.clone(), data(), error.clone(), data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    for _ in 0..2 {
        script.receive([error.clone()]);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    script.receive([data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(heards.data().len(), 3, "all came in the turn that the poll told of them");
    assert_eq!(reactor.timeout(), None, "it does not rest");
    // Two errors with nothing between them: asking again at once is useless.
    script.receive([error.clone(), error, data()]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!((heards.data().len(), reactor.timeout()), (3, Some(Duration::from_millis(100))));
    reactor.turn(None).unwrap();
    assert_eq!(heards.data().len(), 4);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_has_found_room_at_its_receiver_is_tried_again_soon_the_next_time() {
    let heards = Heards::default();
    let (script, mut reactor) = Script::new();
    let context = reactor.context();
    let port = context.listen_unix_datagram("/run/one", Witness::quiet(&heards)).unwrap();
    let to = ropewalk::UnixAddress::from(std::path::Path::new("/run/other"));
    let rests = |reactor: &mut Reactor, script: &Script| {
        script.take_datagrams(0);
        reactor.context().send_to(port.id(), b"data", to.clone());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let mut rests = Vec::new();
        for _ in 0..4 {
            rests.push(reactor.timeout().unwrap().as_millis());
            reactor.turn(None).unwrap();
        }
        script.take_datagrams(usize::MAX);
        reactor.turn(None).unwrap();
        assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().waiting, 0);
        rests
    };
    for _ in 0..2 {
        assert_eq!(rests(&mut reactor, &script), [1, 2, 4, 8], "in milliseconds");
    }
}

/// Each error brings about the next one, without end.
#[test]
fn a_protocol_that_sends_again_in_error_received_does_not_keep_the_reactor_to_itself() {
    let heards = Heards::default();
    let mut reactor = Reactor::new().unwrap();
    let protocol = Witness::new(&heards, |transport, heard, _| match heard {
        Heard::Started => transport.send_to(&[0; 70_000], "127.0.0.1:9"),
        Heard::Failed(_) if transport.counts().dropped < 10_000 => {
            transport.send_to(&[0; 70_000], "127.0.0.1:9");
        }
        _ => {}
    });
    let port = reactor.listen_udp("127.0.0.1:0", protocol).unwrap();
    let before = reactor.context().statistics().turns;
    turn_until(&mut reactor, "all told", |_| heards.errors().len() == 10_000);
    let turns = reactor.context().statistics().turns - before;
    assert!(turns >= 10_000 / 256, "{turns} turns, in each of which others have theirs");
    reactor.context().close(port.id());
    turn_until(&mut reactor, "stopped", |_| heards.all().last() == Some(&Heard::Stopped));
}
