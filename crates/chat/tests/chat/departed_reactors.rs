//! A chat on several reactors, one of which ends: the others do not wait for it, and remove its members.

use crate::linked_chats::LinkedChats;
use ropewalk::Reactor;
use ropewalk_chat::Chat;
use std::time::{Duration, Instant};

/// Ends the run of a reactor, which is kept.
fn stop(reactor: &mut Reactor) {
    reactor.context().stop();
    reactor.run().unwrap();
}

/// Runs a turn of the first reactors.
fn turn_first(linked: &mut LinkedChats, reactors: usize) {
    for (reactor, _) in &mut linked.reactors[..reactors] {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn a_stopped_reactor_slows_no_client_elsewhere() {
    const LINES: usize = 2_000;
    let mut linked = LinkedChats::with(2, Chat::without_flood_limit);
    let _bob = linked.join(1, "bob");
    let mut alice = linked.join(0, "alice");
    stop(&mut linked.reactors[1].0);
    let stopped = linked.reactors.pop().unwrap();
    let sent = "hello\n".repeat(LINES) + "/nonsense\n";
    let (mut rest, begin) = (sent.as_bytes(), Instant::now());
    linked.turn_until(|| {
        rest = &rest[alice.send_some(rest)..];
        alice.text().contains("* there is no /nonsense")
    });
    // A delay of 5 ms for each line would take 10 s. A busy machine stays far below that.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    drop(stopped);
}

#[test]
fn members_of_a_stopped_reactor_leave() {
    for drops in [false, true] {
        let mut linked = LinkedChats::new(3);
        let mut alice = linked.join(0, "alice");
        let mut dave = linked.join(2, "dave");
        let _bob = linked.join(1, "bob");
        let _carol = linked.join(1, "carol");
        linked.received(&mut alice);
        linked.received(&mut dave);
        let mut ended = Some(linked.reactors.remove(1));
        match drops {
            true => drop(ended.take()),
            false => stop(&mut ended.as_mut().unwrap().0),
        }
        assert_eq!(linked.received(&mut alice), "* bob left\n* carol left\n", "drops: {drops}");
        assert_eq!(linked.received(&mut dave), "* bob left\n* carol left\n", "drops: {drops}");
        linked.send_line(&mut alice, "/who");
        assert_eq!(linked.received(&mut alice), "* in lobby: alice, dave\n");
        linked.join(0, "bob");
    }
}

#[test]
fn members_of_a_crashed_reactor_leave() {
    let mut linked = LinkedChats::new(2);
    let mut alice = linked.join(0, "alice");
    let _bob = linked.join(1, "bob");
    linked.received(&mut alice);
    let (crashed, _) = linked.reactors.pop().unwrap();
    crashed.abandon();
    linked.send_line(&mut alice, "hello?");
    linked.exchange();
    assert_eq!(linked.received(&mut alice), "* bob left\n");
    linked.send_line(&mut alice, "/who");
    assert_eq!(linked.drain(&mut alice), "* in lobby: alice\n");
    linked.join(0, "bob");
}

#[test]
fn a_reactor_that_runs_again_rejoins() {
    let mut linked = LinkedChats::new(3);
    let mut alice = linked.join(0, "alice");
    let _carol = linked.join(2, "carol");
    stop(&mut linked.reactors[1].0);
    let (mut reactor, _) = linked.reactors.remove(1);
    linked.send_line(&mut alice, "is anybody there?");
    linked.join(1, "erin").hang_up();
    linked.exchange();
    let chat = linked.chats.remove(1);
    let port = reactor.listen_tcp("127.0.0.1:0", chat.factory()).unwrap();
    linked.reactors.push((reactor, port.address().clone()));
    turn_first(&mut linked, 3);
    let mut bob = linked.join(2, "bob");
    linked.received(&mut alice);
    linked.send_line(&mut bob, "/who");
    assert_eq!(linked.drain(&mut bob), "* in lobby: bob, alice, carol\n");
    linked.send_line(&mut bob, "here I am again");
    linked.until(&mut alice, "<bob> here I am again\n");
    linked.send_line(&mut alice, "welcome back");
    linked.until(&mut bob, "<alice> welcome back\n");
    let mut second = linked.connect(0);
    linked.send_line(&mut second, "bob");
    linked.until(&mut second, "taken");
}
