//! A chat on several reactors, one of which ends: the others neither wait for it nor keep its people.

use crate::street::Street;
use ropewalk::Reactor;
use ropewalk_chat::Chat;
use std::time::{Duration, Instant};

/// Ends the run of a house, which stays.
fn stop(reactor: &mut Reactor) {
    reactor.context().stop();
    reactor.run().unwrap();
}

/// Turns all houses but those that have ended.
fn turn_first(street: &mut Street, houses: usize) {
    for (reactor, _) in &mut street.houses[..houses] {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn a_reactor_that_has_stopped_and_is_kept_does_not_slow_those_who_talk_elsewhere() {
    const LINES: usize = 2_000;
    let mut street = Street::with(2, Chat::without_flood_limit);
    let _bob = street.guest(1, "bob");
    let mut alice = street.guest(0, "alice");
    stop(&mut street.houses[1].0);
    let stopped = street.houses.pop().unwrap();
    let said = "hello\n".repeat(LINES) + "/nonsense\n";
    let (mut rest, begin) = (said.as_bytes(), Instant::now());
    street.turn_until(|| {
        rest = &rest[alice.send_some(rest)..];
        alice.text().contains("* there is no /nonsense")
    });
    // With 5 ms for each line it took 10 s: even a crowded machine stays far below that.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    drop(stopped);
}

#[test]
fn people_of_a_reactor_that_has_stopped_or_is_dropped_have_left_for_the_others() {
    for drops in [false, true] {
        let mut street = Street::new(3);
        let mut alice = street.guest(0, "alice");
        let mut dave = street.guest(2, "dave");
        let _bob = street.guest(1, "bob");
        let _carol = street.guest(1, "carol");
        street.heard(&mut alice);
        street.heard(&mut dave);
        let mut ended = Some(street.houses.remove(1));
        match drops {
            true => drop(ended.take()),
            false => stop(&mut ended.as_mut().unwrap().0),
        }
        assert_eq!(street.heard(&mut alice), "* bob left\n* carol left\n", "drops: {drops}");
        assert_eq!(street.heard(&mut dave), "* bob left\n* carol left\n", "drops: {drops}");
        street.says(&mut alice, "/who");
        assert_eq!(street.heard(&mut alice), "* in lobby: alice, dave\n");
        street.guest(0, "bob");
    }
}

#[test]
fn people_and_names_of_a_reactor_that_has_crashed_are_gone() {
    let mut street = Street::new(2);
    let mut alice = street.guest(0, "alice");
    let _bob = street.guest(1, "bob");
    street.heard(&mut alice);
    let (crashed, _) = street.houses.pop().unwrap();
    crashed.abandon();
    street.says(&mut alice, "hello?");
    street.settle();
    assert_eq!(street.heard(&mut alice), "* bob left\n");
    street.says(&mut alice, "/who");
    assert_eq!(street.caught_up(&mut alice), "* in lobby: alice\n");
    street.guest(0, "bob");
}

#[test]
fn a_reactor_that_runs_again_is_in_the_same_chat_again() {
    let mut street = Street::new(3);
    let mut alice = street.guest(0, "alice");
    let _carol = street.guest(2, "carol");
    stop(&mut street.houses[1].0);
    let (mut reactor, _) = street.houses.remove(1);
    street.says(&mut alice, "is anybody there?");
    street.guest(1, "erin").hang_up();
    street.settle();
    let chat = street.chats.remove(1);
    let port = reactor.listen_tcp("127.0.0.1:0", chat.factory()).unwrap();
    street.houses.push((reactor, port.address().clone()));
    turn_first(&mut street, 3);
    let mut bob = street.guest(2, "bob");
    street.heard(&mut alice);
    street.says(&mut bob, "/who");
    assert_eq!(street.caught_up(&mut bob), "* in lobby: bob, alice, carol\n");
    street.says(&mut bob, "here I am again");
    street.until(&mut alice, "<bob> here I am again\n");
    street.says(&mut alice, "welcome back");
    street.until(&mut bob, "<alice> welcome back\n");
    let mut second = street.stranger(0);
    street.says(&mut second, "bob");
    street.until(&mut second, "taken");
}
