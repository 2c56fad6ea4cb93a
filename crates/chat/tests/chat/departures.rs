//! Departures of clients, and the stop of the reactor.

use crate::support::turn_until;
use crate::test_chat::{TestChat, alice_and_bob};
use ropewalk_chat::Chat;
use std::net::Shutdown;
use std::time::{Duration, Instant};

#[test]
fn departures_are_announced_with_their_reason() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut bob = chat.join("bob");
    chat.send_line(&mut bob, "/quit");
    chat.until_closed(&mut bob);
    assert_eq!(bob.text(), "* goodbye\n");

    let mut carol = chat.join("carol");
    carol.stream().shutdown(Shutdown::Write).unwrap();
    chat.until_closed(&mut carol);

    // A close with unread data makes the system send a reset.
    let mut dave = chat.join("dave");
    chat.send_line(&mut alice, "unread");
    assert_eq!(
        chat.drain(&mut alice),
        "* bob joined lobby\n* bob left\n* carol joined lobby\n* carol left\n\
         * dave joined lobby\n"
    );
    dave.stream().peek(&mut [0]).unwrap();
    dave.hang_up();
    chat.until(&mut alice, "* dave left (connection reset)\n");

    let received = chat.drain(&mut alice);
    assert_eq!(received, "* dave left (connection reset)\n");
}

#[test]
fn a_client_without_name_leaves_without_announcement() {
    let mut chat = TestChat::new(Chat::new());
    let mut alice = chat.join("alice");
    let mut unnamed = chat.connect();
    chat.send_line(&mut unnamed, "/quit");
    chat.until_closed(&mut unnamed);
    let mut other = chat.connect();
    other.stream().shutdown(Shutdown::Write).unwrap();
    chat.until_closed(&mut other);
    assert_eq!(chat.drain(&mut alice), "");
}

#[test]
fn a_stop_closes_all_clients_gracefully() {
    let (mut chat, mut alice, mut bob) = alice_and_bob(Chat::new());
    chat.reactor.set_grace(Duration::ZERO);
    chat.reactor.context().stop();
    chat.reactor.run().unwrap();
    for client in [&mut alice, &mut bob] {
        assert!(client.has_ended());
        assert_eq!(client.text(), "");
    }
}

#[test]
fn a_client_with_unread_data_leaves_immediately() {
    for leave in ["/quit", "end of stream"] {
        let mut chat = TestChat::new(Chat::new().without_flood_limit());
        let mut alice = chat.join("alice");
        let mut bob = chat.join("bob");
        bob.take_little();
        chat.drain(&mut alice);
        let line = "x".repeat(1000);
        let waiting = |chat: &mut TestChat| {
            let context = chat.reactor.context();
            context
                .connections()
                .map(|id| context.transport(id).write_buffer_size())
                .max()
                .unwrap_or_default()
        };
        // Bob does not read any more.
        while waiting(&mut chat) < 50_000 {
            for _ in 0..50 {
                chat.send_line(&mut alice, &line);
            }
        }
        match leave {
            "/quit" => chat.send_line(&mut bob, "/quit"),
            _ => bob.stream().shutdown(Shutdown::Write).unwrap(),
        }
        chat.until(&mut alice, "* bob left\n");
        assert!(waiting(&mut chat) > 0, "bob has not read the data");
        assert_eq!(chat.reactor.context().connections().count(), 2);
        let mut new_bob = chat.join("bob");
        chat.send_line(&mut new_bob, "hello");
        chat.until(&mut alice, "<bob> hello\n");
    }
}

#[test]
fn a_closed_connection_keeps_no_timer() {
    for leave in ["/quit", "end of stream"] {
        let mut chat = TestChat::new(Chat::new());
        let mut alice = chat.join("alice");
        match leave {
            "/quit" => chat.send_line(&mut alice, "/quit"),
            _ => alice.stream().shutdown(Shutdown::Write).unwrap(),
        }
        turn_until(&mut chat.reactor, || alice.has_ended());
        alice.hang_up();
        let begin = Instant::now();
        while chat.reactor.timeout().is_some() {
            assert!(begin.elapsed() < Duration::from_secs(5), "a timer waits after {leave}");
            chat.reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }
}
