//! Who can pass for another in the chat, and what one address can take.

use crate::support::{Client, listening, turn_until};
use ropewalk::{Address, Reactor};
use ropewalk_chat::Chat;
use std::time::{Duration, Instant};

struct House {
    reactor: Reactor,
    address: Address,
}

impl House {
    fn new(chat: Chat) -> Self {
        let (reactor, address) = listening(chat.factory());
        Self { reactor, address }
    }

    /// A client that has sent these lines, and read up to `mark`.
    #[track_caller]
    fn client(&mut self, lines: &[&str], mark: &str) -> Client {
        let mut client = Client::connect(&self.address);
        for line in lines {
            client.send(&mut self.reactor, format!("{line}\n"));
        }
        self.until(&mut client, mark);
        client
    }

    #[track_caller]
    fn until(&mut self, client: &mut Client, text: &str) {
        turn_until(&mut self.reactor, || client.text().contains(text));
    }
}

#[test]
fn a_name_that_looks_like_a_taken_one_is_taken() {
    let mut house = House::new(Chat::new());
    let _alice = house.client(&["Alice"], "welcome, Alice");
    let _nikos = house.client(&["\u{39d}\u{399}\u{39a}\u{39f}\u{3a3}"], "welcome");
    for name in ["aIice", "ALICE", "\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c2}", "\u{ff21}lice"] {
        house.client(&[name], "is taken");
    }
    for name in ["victim\u{345}", "victim\u{eb1}", "\u{64b}", "you", "\u{ff39}ou", "p\u{430}y"] {
        house.client(&[name], "that cannot be a name");
    }
}

#[test]
fn a_name_given_up_is_free_and_so_are_those_like_it() {
    let mut house = House::new(Chat::new());
    let mut alice = house.client(&["alice"], "you are alone");
    alice.send(&mut house.reactor, "/nick ALICE\n");
    house.until(&mut alice, "now known as ALICE");
    house.client(&["aIice"], "is taken");
    alice.send(&mut house.reactor, "/nick bob\n");
    house.until(&mut alice, "now known as bob");
    house.client(&["aIice"], "welcome, aIice");
}

#[test]
fn no_action_reads_like_a_line_of_the_servers() {
    let mut house = House::new(Chat::new());
    let mut alice = house.client(&["alice"], "you are alone");
    let mut bob = house.client(&["bob"], "with alice");
    for action in ["left", "joined lobby", "is now known as bob", "left (too slow)"] {
        alice.received.clear();
        alice.send(&mut house.reactor, format!("/me {action}\n"));
        house.until(&mut alice, "like a line of the server's own");
    }
    alice.send(&mut house.reactor, "/me left the oven on\n");
    house.until(&mut bob, "* alice left the oven on\n");
    assert!(!bob.text().contains("* alice left\n"));
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let mut house = House::new(Chat::new().address_limits(2, 0).limit_loopback());
    let first = house.client(&[], "what is your name?");
    let _second = house.client(&[], "what is your name?");
    let mut third = house.client(&[], "too many connections from your address");
    turn_until(&mut house.reactor, || third.has_ended());
    drop(first);
    let begin = Instant::now();
    loop {
        let mut next = Client::connect(&house.address);
        turn_until(&mut house.reactor, || next.text().contains('\n'));
        if next.text().contains("what is your name?") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the place is not free again");
    }
}

#[test]
fn an_address_joins_so_often_a_minute_and_no_more() {
    let mut house = House::new(Chat::new().address_limits(0, 3).limit_loopback());
    for name in ["a", "b", "c"] {
        house.client(&[name], "welcome");
    }
    house.client(&["d"], "too many have joined from your address: try again in");
}

#[test]
fn lines_of_one_address_are_counted_together() {
    let chat = Chat::new().address_limits(0, 0).limit_loopback().flood_limit(10, 1);
    let mut house = House::new(chat);
    let mut victim = house.client(&["victim"], "you are alone");
    for number in 0..4 {
        let name = format!("mallory{number}");
        let mut lines = vec![&*name];
        lines.extend(["noise"; 9]);
        // Each is within the limit of one person.
        let mut client = Client::connect(&house.address);
        client.send(&mut house.reactor, lines.join("\n") + "\n");
        for _ in 0..20 {
            house.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        drop(client);
    }
    house.until(&mut victim, "mallory0");
    let heard = victim.text().matches("noise").count();
    assert!(heard <= 24, "{heard} of 36 lines");
}

#[test]
fn a_connection_without_a_name_is_ended_in_time() {
    let chat = Chat::new().name_timeout(Duration::from_millis(50)).limit_loopback();
    let mut house = House::new(chat);
    let mut named = house.client(&["alice"], "you are alone");
    let mut silent = house.client(&[], "what is your name?");
    turn_until(&mut house.reactor, || silent.has_ended());
    assert!(silent.text().contains("you did not say your name in time"));
    assert!(!named.has_ended());
}

#[test]
fn loopback_is_not_limited_by_default() {
    let mut house = House::new(Chat::new().address_limits(1, 1));
    let _first = house.client(&["a"], "welcome");
    let _second = house.client(&["b"], "welcome");
}
