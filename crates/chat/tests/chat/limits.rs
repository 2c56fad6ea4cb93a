//! Names that imitate others, and the limits of one address.

use crate::support::{Client, turn_until};
use crate::test_chat::TestChat;
use ropewalk_chat::Chat;
use std::time::{Duration, Instant};

#[test]
fn names_similar_to_a_taken_one_are_taken() {
    let mut chat = TestChat::new(Chat::new());
    let _alice = chat.client(&["Alice"], "welcome, Alice");
    let _nikos = chat.client(&["\u{39d}\u{399}\u{39a}\u{39f}\u{3a3}"], "welcome");
    for name in ["aIice", "ALICE", "\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c2}", "\u{ff21}lice"] {
        chat.client(&[name], "is taken");
    }
    for name in ["victim\u{345}", "victim\u{eb1}", "\u{64b}", "you", "\u{ff39}ou", "p\u{430}y"] {
        chat.client(&[name], "that cannot be a name");
    }
}

#[test]
fn a_released_name_frees_similar_names() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.client(&["alice"], "you are alone");
    alice.send(&mut chat.reactor, "/nick ALICE\n");
    chat.until(&mut alice, "now known as ALICE");
    chat.client(&["aIice"], "is taken");
    alice.send(&mut chat.reactor, "/nick bob\n");
    chat.until(&mut alice, "now known as bob");
    chat.client(&["aIice"], "welcome, aIice");
}

#[test]
fn actions_cannot_imitate_the_server() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.client(&["alice"], "you are alone");
    let mut bob = chat.client(&["bob"], "with alice");
    for action in ["left", "joined lobby", "is now known as bob", "left (too slow)"] {
        alice.received.clear();
        alice.send(&mut chat.reactor, format!("/me {action}\n"));
        chat.until(&mut alice, "like a notice of the server");
    }
    alice.send(&mut chat.reactor, "/me left the oven on\n");
    chat.until(&mut bob, "* alice left the oven on\n");
    assert!(!bob.text().contains("* alice left\n"));
}

#[test]
fn connections_of_an_address_are_limited() {
    let mut chat = TestChat::new(Chat::new().address_limits(2, 0).limit_loopback());
    let first = chat.client(&[], "what is your name?");
    let _second = chat.client(&[], "what is your name?");
    let mut third = chat.client(&[], "too many connections from your address");
    turn_until(&mut chat.reactor, || third.has_ended());
    drop(first);
    let begin = Instant::now();
    loop {
        let mut next = Client::connect(&chat.address);
        turn_until(&mut chat.reactor, || next.text().contains('\n'));
        if next.text().contains("what is your name?") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the connection is still counted");
    }
}

#[test]
fn joins_of_an_address_are_limited() {
    let mut chat = TestChat::new(Chat::new().address_limits(0, 3).limit_loopback());
    for name in ["a", "b", "c"] {
        chat.client(&[name], "welcome");
    }
    chat.client(&["d"], "too many have joined from your address: try again in");
}

#[test]
fn lines_of_an_address_are_limited() {
    let chat = Chat::new().address_limits(0, 0).limit_loopback().flood_limit(10, 1);
    let mut chat = TestChat::new(chat);
    let mut victim = chat.client(&["victim"], "you are alone");
    for number in 0..4 {
        let name = format!("mallory{number}");
        let mut lines = vec![&*name];
        lines.extend(["noise"; 9]);
        // Each client is within its own limit.
        let mut client = Client::connect(&chat.address);
        client.send(&mut chat.reactor, lines.join("\n") + "\n");
        for _ in 0..20 {
            chat.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        drop(client);
    }
    chat.until(&mut victim, "mallory0");
    let received = victim.text().matches("noise").count();
    assert!(received <= 24, "{received} of 36 lines");
}

#[test]
fn a_connection_without_name_times_out() {
    let chat = Chat::new().name_timeout(Duration::from_millis(50)).limit_loopback();
    let mut chat = TestChat::new(chat);
    let mut named = chat.client(&["alice"], "you are alone");
    let mut silent = chat.client(&[], "what is your name?");
    turn_until(&mut chat.reactor, || silent.has_ended());
    assert!(silent.text().contains("you did not say your name in time"));
    assert!(!named.has_ended());
}

#[test]
fn loopback_is_unlimited_by_default() {
    let mut chat = TestChat::new(Chat::new().address_limits(1, 1));
    let _first = chat.client(&["a"], "welcome");
    let _second = chat.client(&["b"], "welcome");
}
